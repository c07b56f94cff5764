"""The front door: the embedded default, and linkers from models and knowledge bases."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.infer.linker import Linker, LinkerOptions, Recogniser
from biolink.infer.model import load_model
from biolink.infer.nil import NilPolicy, policy_from
from biolink.infer.recognise import DictionaryRecogniser, TrainedRecogniser, stop_names_of
from biolink.infer.tagger import TAGGER, Tagger
from biolink.kb import KnowledgeBase

__all__ = ["EMBEDDED", "link", "load"]

#: The embedded default: ``model`` and ``kb`` folders inside the package.
EMBEDDED = Path(__file__).parent / "embedded"


def load(
    model: str | Path | None = None,
    kb: str | Path | KnowledgeBase | None = None,
    nil: NilPolicy | None = None,
    recogniser: Recogniser | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    device: str = "cpu",
    **options: Any,
) -> Linker:
    """A linker; without arguments the embedded default, which works offline.

    Parameters
    ----------
    model
        A model folder, or the hub name of a model in the local cache; the embedded one when None.
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
    options
        Fields of :class:`biolink.LinkerOptions`.

    Raises
    ------
    BiolinkError
        When the model or the knowledge base cannot be used.
    """
    loaded = load_model(EMBEDDED / "model" if model is None else model, device)
    if kb is None:
        kb = KnowledgeBase.open(EMBEDDED / "kb")
    elif not isinstance(kb, KnowledgeBase):
        kb = KnowledgeBase.read(kb)
    settings: dict[str, Any] = {
        "method": "combined" if loaded.ranker else "generate",
        **loaded.settings.get("linker", {}),
        **options,
    }
    try:
        chosen = LinkerOptions(**settings)
    except TypeError:
        known = sorted(LinkerOptions.__dataclass_fields__)
        unknown = sorted(set(settings) - set(known))
        raise ConfigError(f"unknown options {unknown}: known are {known}") from None
    if recogniser is None:
        stop_names = stop_names_of(loaded.folder)
        recogniser = DictionaryRecogniser(kb, stop_names)
        file = None if loaded.folder is None else loaded.folder / TAGGER
        if file is not None and file.is_file() and kb.base.path == EMBEDDED / "kb":
            whole = DictionaryRecogniser(kb.base, stop_names)
            tagger = Tagger.load(file, loaded.backbone.model)
            recogniser = TrainedRecogniser(tagger, loaded.tokenizer, whole, kb)
    if nil is None and "nil" in loaded.settings:
        nil = policy_from(loaded.settings["nil"])
    linker = Linker(loaded, kb, chosen, nil, recogniser, progress)
    if model is None and kb.base.path != EMBEDDED / "kb":
        # Names that the embedded base has need no embedding again.
        default = Linker(loaded, KnowledgeBase.open(EMBEDDED / "kb"), chosen)
        linker = default.with_kb(kb)
        linker.nil = nil
        linker.recogniser = recogniser
    return linker


@lru_cache(maxsize=1)
def _default() -> Linker:
    return load()


def link(text: str) -> Document:
    """Link one text with the embedded default, which is loaded once."""
    return _default()(text)
