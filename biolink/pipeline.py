"""The front door: the embedded default, and linkers from models and knowledge bases."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer import generation, retrieve_read
from biolink.infer.calibration import CALIBRATION, Calibration
from biolink.infer.generation import EndToEndLinker, EndToEndOptions
from biolink.infer.linker import Linker, LinkerOptions, Recogniser
from biolink.infer.model import LinkingModel, load_model
from biolink.infer.nil import NilPolicy, policy_from
from biolink.infer.precision import Precision, in_precision
from biolink.infer.recognise import DictionaryRecogniser, TrainedRecogniser, stop_names_of
from biolink.infer.retrieve_read import PassageEncoder, RetrieveReadLinker, RetrieveReadOptions
from biolink.infer.tagger import TAGGER, Tagger
from biolink.kb import KnowledgeBase

__all__ = ["EMBEDDED", "AnyLinker", "link", "load"]

T = TypeVar("T")

#: The embedded default: ``model`` and ``kb`` folders inside the package.
EMBEDDED = Path(__file__).parent / "embedded"


#: What :func:`load` gives: it follows what the model was trained for.
AnyLinker = Linker | EndToEndLinker | RetrieveReadLinker


def load(
    model: str | Path | None = None,
    kb: str | Path | KnowledgeBase | None = None,
    nil: NilPolicy | None = None,
    recogniser: Recogniser | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    device: str = "cpu",
    calibration: Calibration | str | Path | None = None,
    precision: Precision = "fp32",
    **options: Any,
) -> AnyLinker:
    """A linker; without arguments the embedded default, which works offline.

    Parameters
    ----------
    model
        A model folder, or the hub name of a model in the local cache; the embedded one when None.
        One that was trained to find mentions as well (end-to-end generation, retrieval and
        reading) gives a linker that does.
    kb
        A knowledge base, or the path of a stored or readable one; the embedded one when None.
    nil
        When a mention gets no link. When None, what the model's ``biolink.json`` says under
        ``nil`` (:func:`biolink.infer.nil.policy_values`). If it says nothing: mentions that are
        given are always linked, those that are found are not where NIL is likelier than every
        concept.
    recogniser
        Finds mentions in plain text. When None: for the embedded knowledge base the recogniser
        that was trained with the embedded model, for another a dictionary of its names.
    progress
        Told about indexes that are built for a new knowledge base.
    device
        Where the model runs, as torch names it.
    calibration
        Of the probabilities, or the file of one (``biolink calibrate``); when None, the model's
        ``calibration.json``, if it has one.
    precision
        Of the weights: ``fp32``, ``int8`` (faster on a CPU) or ``bf16`` (meant for a GPU);
        ``benchmarks/decoding.py`` measures what they cost in accuracy.
    options
        Fields of :class:`biolink.LinkerOptions`; for models that find mentions, of
        :class:`biolink.infer.generation.EndToEndOptions` or
        :class:`biolink.infer.retrieve_read.RetrieveReadOptions`.

    Raises
    ------
    BiolinkError
        When the model or the knowledge base cannot be used.
    """
    loaded = load_model(EMBEDDED / "model" if model is None else model, device, light=True)
    if kb is None:
        kb = KnowledgeBase.open(EMBEDDED / "kb")
    elif not isinstance(kb, KnowledgeBase):
        kb = KnowledgeBase.read(kb)
    if nil is None and "nil" in loaded.settings:
        nil = policy_from(loaded.settings["nil"])
    task = loaded.settings.get("task")
    if task in (generation.TASK, retrieve_read.TASK):
        if recogniser is not None or calibration is not None:
            raise ConfigError(
                "this model finds its own mentions: it takes no recogniser and no calibration"
            )
        return _text_linker(task, loaded, kb, nil, precision, options)
    method = loaded.settings.get("linker", {}).get("method")
    method = method or ("combined" if loaded.ranker else "generate")
    chosen = _options(LinkerOptions, loaded, {"method": method, **options})
    if recogniser is None:
        stop_names = stop_names_of(loaded.folder)
        recogniser = DictionaryRecogniser(kb, stop_names)
        file = None if loaded.folder is None else loaded.folder / TAGGER
        if file is not None and file.is_file():
            tagger = in_precision(Tagger.load(file, loaded.backbone.model), precision)
            # It knows the names of one knowledge base; the embedded one's says no fingerprint.
            if tagger.kb == kb.base.fingerprint or (
                tagger.kb is None and kb.base.path == EMBEDDED / "kb"
            ):
                whole = DictionaryRecogniser(kb.base, stop_names)
                recogniser = TrainedRecogniser(tagger, loaded.tokenizer, whole, kb)
    loaded = loaded.in_precision(precision)
    if calibration is None and loaded.folder is not None:
        beside = loaded.folder / CALIBRATION
        calibration = beside if beside.is_file() else None
    if calibration is not None and not isinstance(calibration, Calibration):
        calibration = Calibration.read(calibration)
    linker = Linker(loaded, kb, chosen, nil, recogniser, progress, calibration)
    if model is None and kb.base.path != EMBEDDED / "kb":
        # Names that the embedded base has need no embedding again.
        default = Linker(loaded, KnowledgeBase.open(EMBEDDED / "kb"), chosen, nil, None, progress)
        linker = default.with_kb(kb)
        linker.recogniser, linker.calibration = recogniser, calibration
    return linker


def _options(cls: type[T], loaded: LinkingModel, given: dict[str, Any]) -> T:
    """Options of a linker: what is given before what the model says."""
    settings = {**loaded.settings.get("linker", {}), **given}
    try:
        return cls(**settings)
    except TypeError:
        known = sorted(cls.__dataclass_fields__)  # type: ignore[attr-defined]
        unknown = sorted(set(settings) - set(known))
        raise ConfigError(f"unknown options {unknown}: known are {known}") from None


def _text_linker(
    task: str,
    loaded: LinkingModel,
    kb: KnowledgeBase,
    nil: NilPolicy | None,
    precision: Precision,
    options: dict[str, Any],
) -> EndToEndLinker | RetrieveReadLinker:
    if task == generation.TASK:
        chosen = _options(EndToEndOptions, loaded, options)
        return EndToEndLinker(loaded.in_precision(precision), kb, chosen, nil)
    assert loaded.folder is not None
    encoder = PassageEncoder.load(loaded.folder / retrieve_read.RETRIEVER, loaded.backbone.model)
    reader = Tagger.load(loaded.folder / retrieve_read.READER, loaded.backbone.model)
    return RetrieveReadLinker(
        loaded.in_precision(precision),
        kb,
        in_precision(encoder, precision),
        in_precision(reader, precision),
        _options(RetrieveReadOptions, loaded, options),
        nil,
    )


@lru_cache(maxsize=1)
def _default() -> AnyLinker:
    return load()


def link(text: str) -> Document:
    """Link one text with the embedded default, which is loaded once."""
    return _default()(text)
