"""The model folder: its settings, its seal, and how a new one is written.

Beside transformers' files a model folder has ``biolink.json``, the settings, and what a model
remembers of its documents. A folder that biolink wrote is sealed: ``seal.json`` holds the size and
the sha256 of every file, and a file that differs is refused (:mod:`biolink.kb.sealed` says when the
contents are compared). A folder without a seal, as other programs write it, loads too; without
``biolink.json`` it is a checkpoint in GenBioEL's form.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
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
    RETRIEVER,
    SEAL,
    SETTINGS,
    TAGGER,
    TOKENISER_CONFIG,
    WRITTEN,
    damaged,
    is_of,
    json_of,
    kind_of,
)
from biolink.kb.prompt import PromptForm

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

#: Files that only stand beside :data:`SETTINGS`.
_BESIDE_SETTINGS = (ANNOTATIONS, ABBREVIATIONS, TAGGER, RETRIEVER, READER)
#: What a model that finds its own mentions was trained for (``task`` in :data:`SETTINGS`).
END_TO_END, RETRIEVE_READ = "end-to-end", "retrieve-read"
_TASKS = (END_TO_END, RETRIEVE_READ)

_FORMAT = "biolink-model"
_VERSION = 1
#: Entries of ``biolink.json`` and what each is.
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
_WIDEST = 100_000  # words of a window

_A_MODEL = "a model folder"
_SEALED = ("*.json", "*.safetensors", "*.bin", "*.txt", "*.model", "*.jinja", "*.npy", "*.npz")
_OTHERS = ("*.md", "LICENSE*", "NOTICE*", ".gitattributes")
_KIND = sealed.Kind(
    "biolink-sealed-model",
    1,
    "model folder",
    (),
    f"{CURE}. If you changed the folder yourself, delete {SEAL}, and it loads as it is",
    patterns=_SEALED,
    manifest=SEAL,
    error=ModelError,
    always=(".json",),
)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What ``biolink.json`` says of a model.

    Attributes
    ----------
    prompt
        The text form that the model was trained with.
    task
        What a model that finds its own mentions was trained for; None for one that links given
        mentions.
    linker
        Options of its linker.
    ranker
        Weights of the combined score; None for a model that only generates.
    nil
        When a mention gets no link (:func:`biolink.infer.decide.nil.policy_values`); None where
        the model does not say.
    development
        How good it is on development documents.
    training
        The stages that made it, or what its maker says of them.
    """

    prompt: PromptForm = field(default_factory=PromptForm)
    task: str | None = None
    linker: dict[str, Any] = field(default_factory=dict)
    ranker: dict[str, Any] | None = None
    nil: dict[str, Any] | None = None
    development: dict[str, Any] | None = None
    training: Any = None

    def to_dict(self) -> dict[str, Any]:
        """The entries of ``biolink.json``; what is not said is left out."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["prompt"] = self.prompt.to_dict()
        said = {name: value for name, value in values.items() if value not in (None, {})}
        return {"format": _FORMAT, "version": _VERSION, **said}

    @property
    def stages(self) -> list[Any]:
        """The stages that made the model."""
        if self.training is None:
            return []
        return self.training if isinstance(self.training, list) else [self.training]


def settings_of(folder: Path) -> ModelSettings:
    """``biolink.json`` of a model folder, checked; the form of GenBioEL where there is none.

    Raises
    ------
    ModelError
        For a damaged file, an entry that is not known, and another version; also when the file is
        missing beside files that only stand beside it.
    """
    file = folder / SETTINGS
    if not file.is_file():
        lonely = next((name for name in _BESIDE_SETTINGS if (folder / name).is_file()), None)
        if lonely is not None:
            raise damaged(file, f"it is missing, though {lonely} stands beside it")
        return ModelSettings()
    values: dict[str, Any] = json_of(file)
    if values.get("format", _FORMAT) != _FORMAT:
        raise damaged(file, f"format is {values['format']!r}, expected {_FORMAT!r}")
    version = values.get("version", _VERSION)
    if not is_of(version, (int,)) or version != _VERSION:
        raise ModelError(
            f"{file}: version {version!r} is unknown to this version of biolink, which reads "
            f"{_VERSION}: install a newer one"
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
    _check_ranker(file, values.get("ranker", {}))
    try:
        form = checked_form(values.get("prompt", {}))
    except ConfigError as error:
        raise damaged(file, str(error)) from None
    others = {f.name: values[f.name] for f in fields(ModelSettings) if f.name in values}
    return ModelSettings(**(others | {"prompt": form}))


def _check_ranker(file: Path, ranker: Mapping[str, Any]) -> None:
    for kind, weights in ranker.items():
        if kind not in ("weights", "nil"):
            raise damaged(file, f"ranker has the unknown entry {kind!r}")
        if not isinstance(weights, dict):
            raise damaged(file, f"ranker.{kind} is {kind_of(weights)}, expected an object")
        for name, value in weights.items():
            if not is_of(value, (float,)):
                raise damaged(file, f"ranker.{kind}.{name} is {value!r}, expected a number")


def checked_form(values: Mapping[str, Any]) -> PromptForm:
    """A text form from values that somebody wrote.

    >>> checked_form({"window": 40}).window
    40

    Raises
    ------
    ConfigError
        When a value is unknown, of another kind, or out of all proportion.
    """
    form = PromptForm.from_dict(dict(values))
    for entry in fields(PromptForm):
        value = getattr(form, entry.name)
        kind = type(entry.default)
        if not is_of(value, (kind,)):
            raise ConfigError(f"prompt.{entry.name} is {kind_of(value)}, expected {WRITTEN[kind]}")
        longest = _LONGEST.get(entry.name)
        if longest is not None and len(value) > longest:
            raise ConfigError(f"prompt.{entry.name} has {len(value)} characters, expected few")
    if not 1 <= form.window <= _WIDEST:
        raise ConfigError(f"prompt.window is {form.window}, expected from 1 to {_WIDEST} words")
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
    """Check that the files of a sealed model folder are those that were written.

    A folder without a seal passes; the installed package has one.

    Raises
    ------
    ModelError
        Naming the file that differs or is missing, or the seal when it is damaged itself.
    """
    if is_sealed(folder):
        sealed.check_files(folder, _KIND, sealed.read_manifest(folder, _KIND))


def is_sealed(folder: Path) -> bool:
    """Whether a model folder has a seal, or, in the installed package, must have one."""
    return (folder / SEAL).exists() or sealed.is_frozen(folder)


@contextlib.contextmanager
def checked_model(folder: Path) -> Iterator[None]:
    """:func:`check_model` while the block reads the folder.

    Checksums are computed beside the block, so that they cost next to no time where there is a
    second core. What the seal says goes before what the block found wrong.
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
    """:func:`check_model`, with the contents of every file read, whatever was read before.

    Raises
    ------
    ModelError
        Naming the files that differ or are missing, or the seal when it is damaged itself.
    """
    if is_sealed(folder):
        manifest = sealed.read_manifest(folder, _KIND)
        sealed.check_files(folder, _KIND, manifest)
        changed = sealed.changed_files(folder, manifest)
        if changed:
            raise _KIND.damage(folder, f"has changed files ({', '.join(changed)})")


def sealed_names(folder: Path) -> list[str]:
    """The files of a model folder on which its results may depend."""
    return _KIND.names(folder)


def seal_model(folder: Path) -> None:
    """Write the seal of a model folder whose files have been written."""
    (folder / sealed.STAMP).unlink(missing_ok=True)
    sealed.seal(folder, _KIND, {})


def renew_seal(file: Path) -> None:
    """Say in the seal of a model folder, if it has one, that this file of it was written anew.

    Raises
    ------
    ModelError
        When the seal is damaged.
    """
    if (file.parent / SEAL).exists():
        sealed.renew(file.parent, _KIND, file.name)


def digest_of(folder: Path, name: str) -> str:
    """The sha256 of a file of a model folder: as its seal says, or of the contents."""
    if (folder / SEAL).exists():
        entry = sealed.read_manifest(folder, _KIND)["files"].get(name)
        if entry is not None:
            return str(entry["sha256"])
    return sha256_of(folder / name)


def foreign_in_model(folder: Path) -> list[str]:
    """Names of what a folder holds that no model or tokeniser holds; all where it is neither."""
    marks = (SETTINGS, CONFIG, TOKENISER_CONFIG, SEAL)
    is_model = any((folder / name).is_file() for name in marks)
    return foreign_names(folder, (*_SEALED, *_OTHERS) if is_model else ())


def check_model_target(folder: str | Path) -> None:
    """Refuse a place at which no model may be written, before there is one to write.

    Raises
    ------
    InputError
        When anything but an empty folder or another model stands there.
    """
    check_folder_target(folder, foreign_in_model, _A_MODEL)


@contextlib.contextmanager
def model_folder(folder: str | Path) -> Iterator[Path]:
    """A temporary folder that is sealed and becomes the model folder when all went well.

    Raises
    ------
    InputError
        When anything but an empty folder or another model stands there.
    """
    with replace_folder(folder, foreign_in_model, _A_MODEL) as temporary:
        yield temporary
        seal_model(temporary)
