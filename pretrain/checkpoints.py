"""Checkpoints that are known to be whole.

The last thing that is written into a checkpoint is its seal: the size and the checksum of each of
its files. A run that was killed in the middle of writing leaves none, and a file that was damaged
later does not fit it. Training goes on from the last checkpoint that fits.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from biolink.errors import ConfigError, ModelError
from biolink.kb.files import replace_file, sha256_of
from biolink.kb.model_files import json_of

__all__ = ["SEAL", "check_stage", "damage_of", "last_whole", "note_stage", "seal"]

#: File that says what the other files of a checkpoint are.
SEAL = "whole.json"
_ASIDE = "damaged"
_STAGE = "stage.json"
#: Settings that may change between an interruption and the next run.
_FREE = {"out", "trainer", "save_every", "log_every", "keep", "evaluate_every", "patience"}


def _files(folder: Path) -> dict[str, Path]:
    found = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file for file in found if file.name != SEAL}


def seal(folder: Path) -> None:
    """Say that a checkpoint is whole, once everything else in it is written."""
    files = {
        name: {"size": file.stat().st_size, "sha256": sha256_of(file)}
        for name, file in _files(folder).items()
    }
    with replace_file(folder / SEAL) as stream:
        stream.write(json.dumps(files, indent=1) + "\n")


def damage_of(folder: Path) -> str | None:
    """What is wrong with a checkpoint; None for one that is as it was written."""
    if not (folder / SEAL).is_file():
        return f"half written (it has no {SEAL})"
    try:
        sealed = json_of(folder / SEAL)
        present = _files(folder)
        for name, about in sealed.items():
            if name not in present:
                return f"{name} is missing"
            # The size first: that of a truncated file takes no reading.
            if present[name].stat().st_size != about["size"]:
                return f"{name} has another size than when it was written"
            if sha256_of(present[name]) != about["sha256"]:
                return f"{name} is not what was written"
    except ModelError as error:
        return str(error)
    except (OSError, KeyError, TypeError) as error:
        return f"{SEAL} or a file it names cannot be read ({type(error).__name__})"
    return None if sealed else f"{SEAL} names no files"


def last_whole(
    folder: Path,
    prefix: str,
    report: Callable[[dict[str, Any]], None] = lambda record: None,
    aside: bool = True,
) -> Path | None:
    """The last whole checkpoint ``prefix-N`` in a folder; None where there is none.

    Parameters
    ----------
    report
        Told about those that are damaged, and what is gone on from instead.
    aside
        Rename damaged ones, so that they do not count among the checkpoints that are kept.
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
                report({"goes on from": steps[step].name})
            return steps[step]
        rejected = True
        report({"damaged checkpoint": steps[step].name, "why": wrong})
        if aside:
            _put_aside(steps[step])
    if rejected:
        report({"goes on from": "the start"})
    return None


def _put_aside(checkpoint: Path) -> None:
    number = 1
    # transformers counts, and removes, whatever begins with the name of a checkpoint.
    while (target := checkpoint.with_name(f"{_ASIDE}-{number}-{checkpoint.name}")).exists():
        number += 1
    checkpoint.rename(target)


def note_stage(folder: Path, stage: Any) -> None:
    """Write down with which settings the checkpoints in a folder are made."""
    with replace_file(folder / _STAGE) as stream:
        stream.write(json.dumps(_telling(dataclasses.asdict(stage)), indent=1) + "\n")


def check_stage(folder: Path, stage: Any) -> None:
    """Refuse to go on from checkpoints that were made with other settings.

    Raises
    ------
    ConfigError
        Naming the settings that differ.
    """
    if not (folder / _STAGE).is_file():
        return
    before = json_of(folder / _STAGE)
    now = json.loads(json.dumps(_telling(dataclasses.asdict(stage))))
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if changed:
        raise ConfigError(
            f"{folder} holds checkpoints of other settings ({', '.join(changed)}); expected the "
            "same ones: remove the folder to start anew, or take another out"
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
