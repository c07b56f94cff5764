"""The spaCy component ``biolink``: entities get concepts.

``nlp.add_pipe("biolink")`` links the entities that an earlier component found, or finds its own.
Each linked entity has ``ent.kb_id_`` and ``ent._.links``; what is NIL says why in
``ent._.nil_reason``. Everything is kept as plain values in ``doc.user_data["biolink"]``, so it
survives ``Doc.to_bytes``, ``DocBin(store_user_data=True)`` and several processes.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from biolink.documents import Document, Link, Mention
from biolink.errors import ConfigError, ModelError

__all__ = ["LinkingComponent", "links_of", "make_component", "nil_reason_of"]

log = logging.getLogger(__name__)

#: Key of a document's ``user_data``.
KEY = "biolink"
_SETTINGS = "settings.json"


def _record(span: Span) -> dict[str, Any]:
    records = span.doc.user_data.get(KEY, {})
    found: dict[str, Any] = records.get(f"{span.start_char}:{span.end_char}", {})
    return found


def links_of(span: Span) -> tuple[Link, ...]:
    """Ranked links of an entity, empty for NIL and for spans that were not linked."""
    return tuple(
        Link(**{**link, "also": tuple(link["also"])}) for link in _record(span).get("links", ())
    )


def nil_reason_of(span: Span) -> str | None:
    """Why an entity has no link, or None."""
    return _record(span).get("nil_reason")


#: Extensions of spans, and what computes them.
EXTENSIONS = {"links": links_of, "nil_reason": nil_reason_of}


def register_extensions() -> None:
    """Add ``Span._.links`` and ``Span._.nil_reason``.

    An extension of the same name that another package has registered stays as it is;
    :func:`links_of` and :func:`nil_reason_of` say the same.
    """
    for name, getter in EXTENSIONS.items():
        if not Span.has_extension(name):
            Span.set_extension(name, getter=getter)
        elif Span.get_extension(name)[2] is not getter:
            log.warning(
                "Span._.%s belongs to another package and stays as it is; use "
                "biolink.spacy_component.%s_of(span)",
                name,
                name,
            )


@Language.factory(
    "biolink",
    assigns=["doc.ents", "token.ent_kb_id"],
    default_config={
        "model": None,
        "kb": None,
        "mentions": "auto",
        "types": None,
        "nil": None,
        "top_k": None,
        "batch_size": 32,
    },
)
def make_component(
    nlp: Language,
    name: str,
    model: str | None,
    kb: str | None,
    mentions: str,
    types: list[str] | None,
    nil: str | None,
    top_k: int | None,
    batch_size: int,
) -> LinkingComponent:
    """The component; see :class:`LinkingComponent`."""
    return LinkingComponent(nlp.vocab, name, model, kb, mentions, types, nil, top_k, batch_size)


class LinkingComponent:
    """Links entities of spaCy documents.

    The linker is loaded when the first document comes, in every process anew.

    Parameters
    ----------
    model, kb
        Folders; the embedded ones when None.
    mentions
        ``given``: the entities that the document has. ``find``: entities are found, beside those
        that the document has where they do not overlap. ``auto``: found in documents without any.
    types
        Link to concepts of these semantic types only.
    nil
        As ``biolink link --nil`` writes it.
    top_k
        Links kept for each entity; what the linker keeps when None.
    batch_size
        Documents that are worked on together.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "biolink",
        model: str | None = None,
        kb: str | None = None,
        mentions: str = "auto",
        types: list[str] | None = None,
        nil: str | None = None,
        top_k: int | None = None,
        batch_size: int = 32,
    ) -> None:
        if mentions not in ("auto", "given", "find"):
            raise ConfigError(f"mentions is auto, given or find, not {mentions!r}")
        if batch_size < 1:
            raise ConfigError(f"batch_size is at least 1, not {batch_size}")
        self.vocab, self.name = vocab, name
        self.model, self.kb = model, kb
        self.settings: dict[str, Any] = {
            "mentions": mentions, "types": types, "nil": nil, "top_k": top_k,
            "batch_size": batch_size,
        }  # fmt: skip
        self._linker: Any = None
        self._process = -1
        self._home = os.getpid()
        register_extensions()

    # ------------------------------------------------------------------ the linker

    @property
    def linker(self) -> Any:
        """The linker of this process."""
        if self._linker is None or self._process != os.getpid():
            self._linker = self._loaded()
            self._process = os.getpid()
        return self._linker

    def _loaded(self) -> Any:
        from biolink.infer.nil import policy_written
        from biolink.pipeline import load

        if os.getpid() != self._home:
            import torch

            # In a worker process one thread each; OpenMP's threads do not survive a fork.
            torch.set_num_threads(1)
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        nil, top_k = self.settings["nil"], self.settings["top_k"]
        options: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
        policy = None if nil is None else policy_written(nil)
        linker = load(self.model, self.kb, policy, **options)
        types = self.settings["types"]
        return linker if types is None else linker.with_kb(linker.kb.subset(types=set(types)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_linker": None, "_process": -1}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        register_extensions()

    # ------------------------------------------------------------------ documents

    def __call__(self, doc: Doc) -> Doc:
        """Link one document."""
        (linked,) = self.pipe([doc])
        return linked

    def pipe(self, stream: Iterable[Doc], batch_size: int | None = None) -> Iterator[Doc]:
        """Link a stream of documents, in order, in batches."""
        docs = iter(stream)
        while block := list(islice(docs, self.settings["batch_size"])):
            given: list[tuple[int, Document]] = []
            found: list[tuple[int, Document]] = []
            for place, doc in enumerate(block):
                wanted = self.settings["mentions"]
                document = _document(doc)
                if wanted != "find" and (wanted == "given" or doc.ents):
                    given.append((place, document))
                else:
                    found.append((place, document))
            for part, recognise in ((given, False), (found, True)):
                if part:
                    linked = self.linker.pipe([document for _, document in part], None, recognise)
                    for (place, _), document in zip(part, linked, strict=True):
                        _annotate(block[place], document, anew=recognise)
            yield from block

    # ------------------------------------------------------------------ storing

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the settings, and the model and knowledge base where they are not embedded."""
        folder = util.ensure_path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("model", "kb"):
            source = getattr(self, part)
            if source is None:
                continue
            target = folder / part
            if part == "kb":
                from biolink.kb import KnowledgeBase

                KnowledgeBase.read(source).save(target)
            elif Path(source).is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                raise ModelError(f"{source} is no folder: only a model folder can be stored")
        record = {"settings": self.settings, "own": {p: getattr(self, p) is not None
                                                     for p in ("model", "kb")}}  # fmt: skip
        (folder / _SETTINGS).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> LinkingComponent:
        """Read what :meth:`to_disk` wrote."""
        folder = util.ensure_path(path)
        try:
            record = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
            self.settings = {**self.settings, **record["settings"]}
            for part, own in record["own"].items():
                setattr(self, part, str(folder / part) if own else None)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder} is no stored biolink component: {error}") from None
        self._linker = None
        return self


def _document(doc: Doc) -> Document:
    return Document(
        "",
        doc.text,
        mentions=tuple(Mention(e.start_char, e.end_char, e.text, type=e.label_) for e in doc.ents),
    )


def _annotate(doc: Doc, document: Document, anew: bool) -> None:
    """Write links to a document's entities; found ones are added where nothing is in the way."""
    records: dict[str, Any] = {}
    entities = list(doc.ents) if anew else []
    pairs = _found(doc, document) if anew else zip(doc.ents, document.mentions, strict=True)
    for ent, mention in pairs:
        best = mention.best
        span = Span(
            doc,
            ent.start,
            ent.end,
            label=ent.label,
            kb_id="" if best is None else best.concept_id,
            span_id=ent.id,
        )
        entities.append(span)
        links = [{**asdict(link), "also": list(link.also)} for link in mention.links]
        record: dict[str, Any] = {"links": links}
        if mention.nil_reason is not None:
            record["nil_reason"] = mention.nil_reason
        records[f"{span.start_char}:{span.end_char}"] = record
    doc.set_ents(entities)
    doc.user_data[KEY] = {**doc.user_data.get(KEY, {}), **records}


def _found(doc: Doc, document: Document) -> Iterator[tuple[Span, Mention]]:
    """Mentions as spans of whole tokens (one that ends within a token is widened to it)."""
    taken = {token for ent in doc.ents for token in range(ent.start, ent.end)}
    for mention in document.mentions:
        label = mention.type or "ENTITY"
        span = doc.char_span(mention.start, mention.end, label=label, alignment_mode="expand")
        if span is not None and not taken & set(range(span.start, span.end)):
            taken |= set(range(span.start, span.end))
            yield span, mention
