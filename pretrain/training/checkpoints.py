"""Checkpoints with a seal, which shows that they are complete.

The seal is the last file that is written into a checkpoint; it has the size and the checksum of all
other files. A run that was killed while it wrote leaves no seal, and a file that was damaged later
does not match it. Training continues from the last checkpoint that matches its seal.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from biolink.errors import ConfigError, ModelError
from biolink.kb.files import replace_file
from biolink.kb.model_files import json_of
from biolink.kb.sealed import changed_files, entry_of, size_problem

__all__ = ["SEAL", "Report", "check_stage", "damage_of", "last_whole", "note_stage", "seal"]

#: A function that is called with each line of the log of a training.
Report = Callable[[dict[str, Any]], None]

#: The file that has the sizes and checksums of the other files of a checkpoint.
SEAL = "whole.json"
_ASIDE = "damaged"
_STAGE = "stage.json"
#: Settings that may differ when a run is resumed.
_FREE = {"out", "trainer", "save_every", "log_every", "keep", "evaluate_every", "patience"}


def seal(folder: Path) -> None:
    """Write the seal of a checkpoint, after all its other files are written."""
    files = {
        file.relative_to(folder).as_posix(): entry_of(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != SEAL
    }
    with replace_file(folder / SEAL) as stream:
        stream.write(json.dumps(files, indent=1) + "\n")


def damage_of(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint, or None if it matches its seal."""
    if not (folder / SEAL).is_file():
        return f"half written (it has no {SEAL})"
    try:
        sealed = json_of(folder / SEAL)
        # Sizes are compared first, since a truncated file then need not be read.
        for name, entry in sealed.items():
            if (problem := size_problem(folder / name, entry["bytes"])) is not None:
                return f"{name} {problem}"
        for name in changed_files(folder, {"files": sealed}):
            return f"{name} is not what was written"
    except ModelError as error:
        return str(error)
    except (OSError, KeyError, TypeError) as error:
        return f"{SEAL} or a file it names cannot be read ({type(error).__name__})"
    return None if sealed else f"{SEAL} names no files"


def last_whole(
    folder: Path,
    prefix: str,
    report: Report = lambda record: None,
    aside: bool = True,
) -> Path | None:
    """Return the last complete checkpoint ``prefix-N`` in a folder, or None if there is none.

    Parameters
    ----------
    folder, prefix
        The folder of the checkpoints, and the part of their names before the step.
    report
        Called with each damaged checkpoint, and with the one from which training continues.
    aside
        Whether damaged checkpoints are renamed, so that they do not count among those to keep.
    """
    pattern = re.compile(rf"{re.escape(prefix)}-(\d+)")
    steps = {
        int(match[1]): child
        for child in (folder.iterdir() if folder.is_dir() else ())
        if child.is_dir() and (match := pattern.fullmatch(child.name))
    }
    rejected = False
    for step in sorted(steps, reverse=True):
        wrong = damage_of(steps[step])
        if wrong is None:
            if rejected:
                report({"continues from": steps[step].name})
            return steps[step]
        rejected = True
        report({"damaged checkpoint": steps[step].name, "why": wrong})
        if aside:
            _put_aside(steps[step])
    if rejected:
        report({"continues from": "the start"})
    return None


def _put_aside(checkpoint: Path) -> None:
    number = 1
    # transformers counts and removes every folder whose name begins like that of a checkpoint.
    while (target := checkpoint.with_name(f"{_ASIDE}-{number}-{checkpoint.name}")).exists():
        number += 1
    checkpoint.rename(target)


def note_stage(folder: Path, stage: Any) -> None:
    """Write the settings with which the checkpoints in a folder are made."""
    with replace_file(folder / _STAGE) as stream:
        stream.write(json.dumps(_telling(dataclasses.asdict(stage)), indent=1) + "\n")


def check_stage(folder: Path, stage: Any) -> None:
    """Raise an error if the checkpoints in a folder were made with other settings.

    Raises
    ------
    ConfigError
        The message names the settings that differ.
    """
    if not (folder / _STAGE).is_file():
        return
    before = json_of(folder / _STAGE)
    now = json.loads(json.dumps(_telling(dataclasses.asdict(stage))))
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if changed:
        raise ConfigError(
            f"{folder} has checkpoints of other settings ({', '.join(changed)}); expected the same "
            "settings: remove the folder to start again, or choose another out"
        )


def _telling(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings on which the weights depend, by dotted names; paths are absolute."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if key in _FREE:
            continue
        if isinstance(value, dict):
            result |= _telling(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            result[prefix + key] = [_plain(item) for item in value]
        else:
            result[prefix + key] = _plain(value)
    return result


def _plain(value: Any) -> Any:
    return str(value.resolve()) if isinstance(value, Path) else value
