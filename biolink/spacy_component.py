"""The spaCy component ``biolink``, which links entities to concepts.

``nlp.add_pipe("biolink")`` links the entities that an earlier component found, or finds its own.
Each linked entity has ``ent.kb_id_`` and ``ent._.links``; for an entity without a link,
``ent._.nil_reason`` says why. Links are plain values in spaCy's own extension storage, so they are
kept by ``Span.as_doc(copy_user_data=True)``, ``Doc.from_docs``, ``Doc.to_bytes`` and
``DocBin(store_user_data=True)``, and when documents pass between processes.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_type_hints

from spacy import util
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from biolink.documents import Document, Mention
from biolink.errors import ConfigError, ModelError
from biolink.infer.decide.written import policy_of
from biolink.kb.arguments import need, need_flag, need_natural, need_path, need_text, texts_of
from biolink.kinds import chosen_kinds, chosen_taxa
from biolink.spacy_spans import found_by_biolink, linked_span, links_of, nil_reason_of, with_found

__all__ = ["LinkingComponent", "links_of", "make_component", "nil_reason_of"]

log = logging.getLogger(__name__)

MENTIONS = ("auto", "given", "find", "add")
_SETTINGS = "settings.json"


#: Name of an extension of spans -> the function that computes it.
EXTENSIONS = {"links": links_of, "nil_reason": nil_reason_of}


def register_extensions() -> None:
    """Register ``Span._.links`` and ``Span._.nil_reason``.

    An extension of the same name that another package has registered stays as it is;
    :func:`links_of` and :func:`nil_reason_of` return the same values.
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
        "branch": None,
        "taxa": None,
        "nil": None,
        "top_k": None,
        "batch_size": 32,
        "spans_key": None,
        "overwrite": False,
        "nested": False,
    },
)
def make_component(
    nlp: Language,
    name: str,
    model: str | None,
    kb: str | None,
    mentions: str,
    types: Any,
    branch: Any,
    taxa: Any,
    nil: str | float | None,
    top_k: int | None,
    batch_size: int,
    spans_key: str | None,
    overwrite: bool,
    nested: bool,
) -> LinkingComponent:
    """Make the component; see :class:`LinkingComponent`."""
    return LinkingComponent(
        nlp.vocab, name, model, kb, mentions, types, nil, top_k, batch_size, spans_key, overwrite,
        branch, taxa, nested,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Task:
    """A document, the spans to link in it, and whether to find further mentions."""

    doc: Doc
    given: Sequence[Span]
    find: bool


class LinkingComponent:
    """Links entities of spaCy documents.

    Each process loads the linker when its first document arrives. Settings are checked when the
    component is made.

    Parameters
    ----------
    model, kb
        The folders of a model and of a knowledge base. Default: the embedded ones.
    mentions
        ``given``: link the entities that the document has. ``find``: find entities and add those
        that do not overlap with entities of the document. ``add``: do both. ``auto``: ``given`` in
        documents that have entities, ``find`` in the others; entities that another biolink
        component found do not count, so two components add to each other.
    types
        Link only to concepts of these semantic types (:meth:`biolink.KnowledgeBase.subset`).
    nil
        The NIL policy, as the option ``--nil`` of ``biolink link`` takes it, or a threshold.
    top_k
        The number of links for each entity. Default: that of the linker.
    batch_size
        The number of documents that are linked together.
    spans_key
        Link the spans of ``doc.spans[spans_key]``, which may overlap, in place of ``doc.ents``.
    overwrite
        Whether entities that already have a ``kb_id_`` are linked, too. If not, they stay as they
        are.
    branch
        Link only to the concepts with these ids and to all concepts below them in the hierarchy.
    taxa
        NCBI Taxonomy ids of the species to whose genes entities may be linked, the preferred one
        first; see :func:`biolink.load`.
    nested
        Keep mentions within others and mentions that overlap, too. This needs ``spans_key``.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "biolink",
        model: str | None = None,
        kb: str | None = None,
        mentions: str = "auto",
        types: str | Iterable[str] | None = None,
        nil: str | float | None = None,
        top_k: int | None = None,
        batch_size: int = 32,
        spans_key: str | None = None,
        overwrite: bool = False,
        branch: str | Iterable[str] | None = None,
        taxa: str | Iterable[str] | None = None,
        nested: bool = False,
    ) -> None:
        if mentions not in MENTIONS:
            raise ConfigError(f"mentions is {mentions!r}; expected one of {', '.join(MENTIONS)}")
        policy_of(nil)
        need_natural("batch_size", batch_size)
        if top_k is not None:
            need_natural("top_k", top_k)
        if spans_key is not None:
            need_text("spans_key", spans_key)
        need_flag("overwrite", overwrite)
        need_flag("nested", nested)
        if nested and spans_key is None:
            raise ConfigError(
                "nested is true without spans_key; expected it, as ents cannot overlap"
            )
        for what, path in (("model", model), ("kb", kb)):
            if path is not None:
                need_path(path, f"the path of a {what}")
        if types is not None:
            types = types if isinstance(types, str) else texts_of("types", types)
        if branch is not None:
            branch = branch if isinstance(branch, str) else texts_of("branch", branch)
        if kb is None and model is None and branch is None:
            chosen_kinds(types)
        else:
            _check_part(types, branch, kb)
        if taxa is not None:
            taxa = list(chosen_taxa(taxa))
        self.vocab, self.name = vocab, name
        self.model, self.kb = model, kb
        self.settings: dict[str, Any] = {
            "mentions": mentions, "types": types, "nil": nil, "top_k": top_k,
            "batch_size": batch_size, "spans_key": spans_key, "overwrite": overwrite,
            "branch": branch, "taxa": taxa, "nested": nested,
        }  # fmt: skip
        self._linker: Any = None
        self._process = -1
        self._told = False  # whether it was said that a mention cannot be shown
        self._home = os.getpid()
        register_extensions()

    # ------------------------------------------------------------------ the linker

    @property
    def linker(self) -> Any:
        """The linker of this process, which is loaded at first use."""
        if self._linker is None or self._process != os.getpid():
            self._linker = self._loaded()
            self._process = os.getpid()
        return self._linker

    def _loaded(self) -> Any:
        from biolink.pipeline import load

        if os.getpid() != self._home:
            import torch

            # Each worker process uses one thread, since OpenMP's threads do not survive a fork.
            torch.set_num_threads(1)
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        nil, top_k = self.settings["nil"], self.settings["top_k"]
        options: dict[str, Any] = {} if top_k is None else {"top_k": top_k}
        options |= {name: self.settings[name] for name in ("types", "branch", "taxa", "nested")}
        return load(self.model, self.kb, nil, **options)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_linker": None, "_process": -1}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        register_extensions()

    # ------------------------------------------------------------------ documents

    def __call__(self, doc: Doc) -> Doc:
        """Link one document."""
        need("doc", doc, Doc, "a spaCy Doc (nlp(text) gives one)")
        (linked,) = self.pipe([doc])
        return linked

    def pipe(self, stream: Iterable[Doc], batch_size: int | None = None) -> Iterator[Doc]:
        """Link a stream of documents, in order, in batches."""
        docs = iter(stream)
        while block := list(islice(docs, self.settings["batch_size"])):
            tasks = [self._task(doc) for doc in block]
            self._link([task for task in tasks if task.given], recognise=False)
            self._link([task for task in tasks if task.find], recognise=True)
            yield from block

    def _task(self, doc: Doc) -> _Task:
        """Decide which spans of a document to link, and whether to find more."""
        mentions = self.settings["mentions"]
        spans = [span for span in self._spans(doc) if span.start < span.end]
        of_others = [span for span in spans if not found_by_biolink(span)]
        find = mentions in ("find", "add") or (mentions == "auto" and not of_others)
        if mentions == "find":
            return _Task(doc, (), find)
        given = spans if mentions == "given" else of_others
        overwrite = self.settings["overwrite"]
        return _Task(doc, [span for span in given if overwrite or not span.kb_id], find)

    def _spans(self, doc: Doc) -> list[Span]:
        key = self.settings["spans_key"]
        return list(doc.ents if key is None else doc.spans.get(key, ()))

    def _link(self, tasks: Sequence[_Task], recognise: bool) -> None:
        """Link the given spans of documents, or find further mentions and link them."""
        if not tasks:
            return
        documents = [_document(task.doc, () if recognise else task.given) for task in tasks]
        for task, document in zip(tasks, self.linker.pipe(documents, None, recognise), strict=True):
            if recognise:
                self._add(task.doc, document)
            else:
                self._set(task, document)

    def _set(self, task: _Task, document: Document) -> None:
        """Put the links onto the spans that were linked."""
        linked = {
            _key(span): linked_span(span, mention, found=found_by_biolink(span))
            for span, mention in zip(task.given, document.mentions, strict=True)
        }
        self._put(task.doc, [linked.get(_key(span), span) for span in self._spans(task.doc)])

    def _add(self, doc: Doc, document: Document) -> None:
        """Add the mentions that were found; the first that cannot be shown is told."""
        overlapping = self.settings["spans_key"] is not None
        spans, hidden = with_found(doc, document.mentions, self._spans(doc), overlapping)
        if hidden and not self._told:
            self._told = True
            log.warning(
                "%s: the mention %r shares its tokens with another and is not shown, as a span "
                "consists of whole tokens and has one concept; this is said once",
                self.name,
                hidden[0].text,
            )
        self._put(doc, spans)

    def _put(self, doc: Doc, spans: list[Span]) -> None:
        key = self.settings["spans_key"]
        if key is None:
            doc.set_ents(spans)
            return
        attributes = doc.spans[key].attrs if key in doc.spans else {}
        doc.spans[key] = SpanGroup(doc, name=key, attrs=attributes, spans=spans)

    # ------------------------------------------------------------------ storing

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the settings, and the model and the knowledge base unless they are embedded."""
        folder = util.ensure_path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("model", "kb"):
            source = getattr(self, name)
            if source is None:
                continue
            target = folder / name
            if name == "kb":
                from biolink.kb import KnowledgeBase

                KnowledgeBase.read(source).save(target)
            elif Path(source).is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                raise ModelError(f"{source} is not a folder: only a model folder can be stored")
        record = {"settings": self.settings, "own": {p: getattr(self, p) is not None
                                                     for p in ("model", "kb")}}  # fmt: skip
        (folder / _SETTINGS).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> LinkingComponent:
        """Read what :meth:`to_disk` wrote."""
        folder = util.ensure_path(path)
        try:
            record = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
            self.settings = {**self.settings, **record["settings"]}
            for name, own in record["own"].items():
                setattr(self, name, str(folder / name) if own else None)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder} is not a stored biolink component: {error}") from None
        self._linker = None
        return self


def _check_part(
    types: str | Sequence[str] | None, branch: str | Sequence[str] | None, kb: str | None
) -> None:
    """Raise an error for types or a branch that the knowledge base lacks.

    It is raised here if the base can be opened at once.
    For other knowledge bases the error is raised when the linker is loaded.
    """
    from biolink.kb import KnowledgeBase
    from biolink.kb.store import is_store
    from biolink.places import EMBEDDED

    folder = EMBEDDED / "kb" if kb is None else kb
    if (types is not None or branch is not None) and is_store(folder):
        KnowledgeBase.open(folder).subset(types=types, branch=branch)


def _document(doc: Doc, spans: Iterable[Span]) -> Document:
    return Document(
        "",
        doc.text,
        mentions=tuple(
            Mention(span.start_char, span.end_char, span.text, type=span.label_) for span in spans
        ),
    )


def _key(span: Span) -> tuple[int, int, int]:
    return span.start, span.end, span.label


# Older versions of spaCy check a factory by its annotations, and cannot read them as strings.
make_component.__annotations__ = get_type_hints(make_component)
