"""The model folder: its settings, its seal, and how a new folder is written.

Beside the files of transformers, a model folder has ``biolink.json``, which holds the settings, and
files with statistics of the training documents. A folder that biolink wrote is sealed:
``seal.json`` holds the size and the sha256 of every file, and a folder with a changed file is not
loaded (:mod:`biolink.kb.sealed` says when the contents are compared). Folders without a seal, as
other programs write them, can be loaded too. A folder without ``biolink.json`` is read as a
checkpoint of GenBioEL.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from biolink.errors import ConfigError, ModelError
from biolink.kb import sealed
from biolink.kb.files import (
    check_folder_target,
    foreign_names,
    replace_file,
    replace_folder,
    sha256_of,
)
from biolink.kb.model_files import (
    ABBREVIATIONS,
    ANNOTATIONS,
    CONFIG,
    CURE,
    READER,
    REMEMBERED,
    RETRIEVER,
    SEAL,
    SETTINGS,
    TAGGER,
    TOKENISER_CONFIG,
    WRITTEN,
    damaged,
    has_file,
    is_of,
    json_of,
    kind_of,
)
from biolink.kb.prompt import READINGS, PromptForm

__all__ = [
    "END_TO_END",
    "RETRIEVE_READ",
    "ModelSettings",
    "check_model",
    "check_model_target",
    "checked_form",
    "checked_model",
    "digest_of",
    "is_sealed",
    "model_folder",
    "renew_seal",
    "seal_model",
    "sealed_names",
    "settings_of",
    "verify_model",
    "write_settings",
]

#: Files that only exist together with :data:`SETTINGS`.
_BESIDE_SETTINGS = (ANNOTATIONS, ABBREVIATIONS, REMEMBERED, TAGGER, RETRIEVER, READER)
#: The tasks of models that find the mentions themselves (``task`` in :data:`SETTINGS`).
END_TO_END, RETRIEVE_READ = "end-to-end", "retrieve-read"
_TASKS = (END_TO_END, RETRIEVE_READ)

#: The stages of a ranking that have weights of their own.
_STAGES = ("early", "in_context")

_FORMAT = "biolink-model"
_VERSION = 1
#: The entries of ``biolink.json`` and their types.
_KNOWN: dict[str, tuple[type, ...]] = {
    "format": (str,),
    "version": (int,),
    "prompt": (dict,),
    "task": (str,),
    "linker": (dict,),
    "ranker": (dict,),
    "nil": (dict,),
    "development": (dict,),
    "training": (dict, list),
}
_LONGEST = {"start_marker": 100, "end_marker": 100, "decoder_prompt": 10_000}
_WIDEST = 100_000  # the greatest number of words in a window or passage

_A_MODEL = "a model folder"
_SEALED = ("*.json", "*.safetensors", "*.bin", "*.txt", "*.model", "*.jinja", "*.npy", "*.npz")
_OTHERS = ("*.md", "LICENSE*", "NOTICE*", ".gitattributes")
_KIND = sealed.Kind(
    "biolink-sealed-model",
    1,
    "model folder",
    (),
    f"{CURE}. If you changed the folder yourself, delete {SEAL} to load it as it is",
    patterns=_SEALED,
    manifest=SEAL,
    error=ModelError,
    always=(".json",),
)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The settings of a model, stored in ``biolink.json``.

    Attributes
    ----------
    prompt
        The form in which the model was trained to read mentions and names.
    task
        The task of a model that finds the mentions itself, ``end-to-end`` or ``retrieve-read``;
        None for a model that links given mentions.
    linker
        The options of its linker.
    ranker
        The weights of the combined score; None for a model that only generates names.
    nil
        The NIL policy (:func:`biolink.infer.decide.written.policy_values`); None if the model has
        none.
    development
        The model's results on development documents.
    training
        The training stages of the model, or a description by whoever trained it.
    """

    prompt: PromptForm = field(default_factory=PromptForm)
    task: str | None = None
    linker: dict[str, Any] = field(default_factory=dict)
    ranker: dict[str, Any] | None = None
    nil: dict[str, Any] | None = None
    development: dict[str, Any] | None = None
    training: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return the entries of ``biolink.json``; those without a value are left out."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["prompt"] = self.prompt.to_dict()
        entries = {name: value for name, value in values.items() if value not in (None, {})}
        return {"format": _FORMAT, "version": _VERSION, **entries}

    @property
    def stages(self) -> list[Any]:
        """The training stages of the model, as a list."""
        if self.training is None:
            return []
        return self.training if isinstance(self.training, list) else [self.training]


def settings_of(folder: Path) -> ModelSettings:
    """Read and check ``biolink.json`` of a model folder.

    Without the file, the settings are those of GenBioEL.

    Raises
    ------
    ModelError
        If the file is damaged, has an unknown entry or another version, or is missing although
        there are files that only exist together with it.
    """
    file = folder / SETTINGS
    if not has_file(file):
        companion = next((name for name in _BESIDE_SETTINGS if (folder / name).is_file()), None)
        if companion is not None:
            raise damaged(file, f"it is missing, although the folder has {companion}")
        return ModelSettings()
    values: dict[str, Any] = json_of(file)
    if values.get("format", _FORMAT) != _FORMAT:
        raise damaged(file, f"format is {values['format']!r}, expected {_FORMAT!r}")
    version = values.get("version", _VERSION)
    if not is_of(version, (int,)) or version != _VERSION:
        raise ModelError(
            f"{file}: this version of biolink reads version {_VERSION} of the file, not "
            f"{version!r}: install a newer biolink"
        )
    unknown = sorted(values.keys() - _KNOWN.keys())
    if unknown:
        raise ModelError(
            f"{file}: unknown entry {unknown[0]!r}; expected {', '.join(_KNOWN)}: a newer version "
            "of biolink may have written it"
        )
    for name, value in values.items():
        if not is_of(value, _KNOWN[name]):
            expected = " or ".join(WRITTEN[kind] for kind in _KNOWN[name])
            raise damaged(file, f"{name} is {kind_of(value)}, expected {expected}")
    task = values.get("task")
    if task is not None and task not in _TASKS:
        raise ModelError(
            f"{file}: the task {task!r} is unknown; expected {' or '.join(_TASKS)}, or none"
        )
    ranker = values.get("ranker", {})
    _check_weights(file, "ranker", ranker, _STAGES)
    for name in _STAGES:
        stage = ranker.get(name, {})
        if not isinstance(stage, dict):
            raise damaged(file, f"ranker.{name} is {kind_of(stage)}, expected an object")
        # Ranker.from_dict checks the margin.
        _check_weights(file, f"ranker.{name}", stage, ("margin",))
    try:
        form = checked_form(values.get("prompt", {}))
    except ConfigError as error:
        raise damaged(file, str(error)) from None
    entries = {f.name: values[f.name] for f in fields(ModelSettings) if f.name in values}
    return ModelSettings(**(entries | {"prompt": form}))


def _check_weights(
    file: Path, where: str, weights: Mapping[str, Any], others: Sequence[str]
) -> None:
    """Check the entries ``weights`` and ``nil`` of a ranking; others may stand beside them."""
    for kind, values in weights.items():
        if kind in others:
            continue
        if kind not in ("weights", "nil"):
            raise damaged(file, f"{where} has the unknown entry {kind!r}")
        if not isinstance(values, dict):
            raise damaged(file, f"{where}.{kind} is {kind_of(values)}, expected an object")
        for name, value in values.items():
            if not is_of(value, (float,)):
                raise damaged(file, f"{where}.{kind}.{name} is {value!r}, expected a number")


def checked_form(values: Mapping[str, Any]) -> PromptForm:
    """Make a prompt form from the values of a configuration file, and check them.

    >>> checked_form({"window": 40}).window
    40

    Raises
    ------
    ConfigError
        If a value is unknown, has the wrong type or is out of range.
    """
    form = PromptForm.from_dict(dict(values))
    for entry in fields(PromptForm):
        value = getattr(form, entry.name)
        kind = type(entry.default)
        if not is_of(value, (kind,)):
            raise ConfigError(f"prompt.{entry.name} is {kind_of(value)}, expected {WRITTEN[kind]}")
        longest = _LONGEST.get(entry.name)
        if longest is not None and len(value) > longest:
            raise ConfigError(
                f"prompt.{entry.name} has {len(value)} characters, expected at most {longest}"
            )
    if not 1 <= form.window <= _WIDEST:
        raise ConfigError(f"prompt.window is {form.window}, expected from 1 to {_WIDEST} words")
    if not 1 <= form.passage <= _WIDEST:
        raise ConfigError(f"prompt.passage is {form.passage}, expected from 1 to {_WIDEST} words")
    if form.reading not in READINGS:
        raise ConfigError(f"prompt.reading is {form.reading!r}, expected {' or '.join(READINGS)}")
    for name in ("start_marker", "end_marker"):
        if not getattr(form, name).strip():
            raise ConfigError(f"prompt.{name} is empty, expected a word to put beside the mention")
    return form


def write_settings(folder: Path, settings: ModelSettings) -> None:
    """Write ``biolink.json`` into a model folder, and renew its seal if it has one."""
    text = json.dumps(settings.to_dict(), indent=1, ensure_ascii=False)
    with replace_file(folder / SETTINGS) as stream:
        stream.write(text + "\n")
    renew_seal(folder / SETTINGS)


def check_model(folder: Path) -> None:
    """Check that the files of a sealed model folder have not changed.

    Folders without a seal are not checked, except in the installed package, which has one.

    Raises
    ------
    ModelError
        If a file differs or is missing, or the seal is damaged; the message names the file.
    """
    if is_sealed(folder):
        sealed.check_files(folder, _KIND, sealed.read_manifest(folder, _KIND))


def is_sealed(folder: Path) -> bool:
    """Return whether a model folder has a seal, or must have one in the installed package."""
    return (folder / SEAL).exists() or sealed.is_frozen(folder)


@contextlib.contextmanager
def checked_model(folder: Path) -> Iterator[None]:
    """Run :func:`check_model` in another thread while the block reads the folder.

    So the checksums take almost no time where there is a second core. If both fail, the error of
    the check is raised instead of that of the block.
    """
    if not is_sealed(folder):
        yield
        return
    with ThreadPoolExecutor(1) as pool:
        check = pool.submit(check_model, folder)
        try:
            yield
        finally:
            check.result()


def verify_model(folder: Path) -> None:
    """Check a model folder as :func:`check_model` does, and always compare the contents.

    Raises
    ------
    ModelError
        If files differ or are missing, or the seal is damaged; the message names the files.
    """
    if is_sealed(folder):
        manifest = sealed.read_manifest(folder, _KIND)
        sealed.check_files(folder, _KIND, manifest)
        changed = sealed.changed_files(folder, manifest)
        if changed:
            raise _KIND.damage(folder, f"has changed files ({', '.join(changed)})")


def sealed_names(folder: Path) -> list[str]:
    """Return the names of the files in a model folder that its results may depend on."""
    return _KIND.names(folder)


def seal_model(folder: Path) -> None:
    """Write the seal of a model folder, after all its other files have been written."""
    (folder / sealed.STAMP).unlink(missing_ok=True)
    sealed.seal(folder, _KIND, {})


def renew_seal(file: Path) -> None:
    """Update the seal of a model folder, if it has one, after this file has been written.

    Raises
    ------
    ModelError
        If the seal is damaged.
    """
    if (file.parent / SEAL).exists():
        sealed.renew(file.parent, _KIND, file.name)


def digest_of(folder: Path, name: str) -> str:
    """Return the sha256 of a file of a model folder, from the seal if there is one."""
    if (folder / SEAL).exists():
        entry = sealed.read_manifest(folder, _KIND)["files"].get(name)
        if entry is not None:
            return str(entry["sha256"])
    return sha256_of(folder / name)


def foreign_in_model(folder: Path) -> list[str]:
    """List the entries of a folder that do not belong to a model or tokeniser.

    If the folder is neither a model nor a tokeniser, all entries are listed.
    """
    marks = (SETTINGS, CONFIG, TOKENISER_CONFIG, SEAL)
    is_model = any((folder / name).is_file() for name in marks)
    return foreign_names(folder, (*_SEALED, *_OTHERS) if is_model else ())


def check_model_target(folder: str | Path) -> None:
    """Raise an error if no model may be written at the path; it is called before training.

    Raises
    ------
    InputError
        If anything but an empty folder or another model stands there.
    """
    check_folder_target(folder, foreign_in_model, _A_MODEL)


@contextlib.contextmanager
def model_folder(folder: str | Path) -> Iterator[Path]:
    """Fill a temporary folder, which is sealed and renamed to ``folder`` if the block succeeds.

    Raises
    ------
    InputError
        If anything but an empty folder or another model stands at the path.
    """
    with replace_folder(folder, foreign_in_model, _A_MODEL) as temporary:
        yield temporary
        seal_model(temporary)
