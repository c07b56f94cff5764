"""Linking texts, and linking terms: names without a text around them, or with one for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from biolink.answers.choosing import Choice, chosen
from biolink.answers.urls import url_of
from biolink.documents import Document, Mention
from biolink.errors import ConfigError, shown
from biolink.infer.decide.nil import Likelier, NilPolicy, NoNil
from biolink.infer.decide.outcome import evidence
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.mention_linker import Linker
from biolink.kb.arguments import need_callable, need_iterable, need_text
from biolink.kb.types import kind_of
from biolink.pipeline import AnyLinker, default_linker
from biolink.scale.blocks import blocks_of

if TYPE_CHECKING:
    from biolink.kb.bases import KnowledgeBases

__all__ = [
    "NO_TEXT",
    "Candidate",
    "TermAnswers",
    "TermLink",
    "candidates_of",
    "link_terms",
    "link_text",
    "only_type",
    "term_document",
]

#: The reason if a term is missing, or is nothing but white space.
NO_TEXT = "no text"
#: The number of terms that are linked together.
_BATCH = 256
#: The characters of a context on each side of a term that can tell what it means.
_AROUND = 2000
#: What may end a context.
_ENDS = " \t\r\n.,;:!?"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A concept that a term may mean.

    Attributes
    ----------
    id, curie, name
        Its id in the knowledge base, the id with its prefix, and its preferred name.
    matched
        The name that is like the term.
    probability
        The probability from 0 to 1 that the term means it.
    types
        The semantic types of the concept.
    url
        The address of its public page, or "".
    """

    id: str
    curie: str
    name: str
    matched: str
    probability: float
    types: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class TermLink:
    """What a term is linked to.

    Attributes
    ----------
    term
        The term as it was given, "" where it was missing.
    type
        The type that was given, or that of the concept.
    id, curie, name, matched, probability, url
        As for the best :class:`Candidate`; for NIL "" and None.
    nil_reason
        Why there is no link, or None.
    nil_probability
        The probability that the term means no concept of the knowledge base, or None.
    alternatives
        The other candidates, best first; for NIL all candidates.
    """

    term: str
    type: str = ""
    id: str = ""
    curie: str = ""
    name: str = ""
    matched: str = ""
    probability: float | None = None
    url: str = ""
    nil_reason: str | None = None
    nil_probability: float | None = None
    alternatives: tuple[Candidate, ...] = ()

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates, best first, whether the term is linked or NIL."""
        if self.nil_reason is not None or self.probability is None:
            return self.alternatives
        types = (self.type,) if self.type else ()
        best = Candidate(
            self.id, self.curie, self.name, self.matched, self.probability, types, self.url
        )
        return (best, *self.alternatives)


def link_text(linker: AnyLinker, text: str, choice: Choice | None = None) -> Document:
    """Find the mentions of a text and link them.

    Parameters
    ----------
    linker
        The loaded linker.
    text
        The text.
    choice
        A part of what the linker links, and other settings. Default: everything.

    Examples
    --------
    >>> import biolink
    >>> document = link_text(biolink.load(), "Aspirin for asthma.", Choice(types="Disease"))
    >>> [(mention.text, mention.best.curie) for mention in document.mentions]
    [('asthma', 'mesh:D001249')]

    Raises
    ------
    ConfigError
        If the text is no string, or the linker has not what the choice wants.
    """
    need_text("the text", text)
    return chosen(linker, choice or Choice())(text)


def term_document(term: str, context: str = "", type: str = "") -> Document:
    """Return a document whose only mention is a term.

    If the context has the term, the mention is there, at its first occurrence as a word. Otherwise
    the term follows the context after a colon, in the same sentence, so that the context tells
    whose gene it is. Of a long context, only the part around the term is kept.

    >>> term_document("gout", "A man with Gout.").mentions[0].start
    11
    >>> term_document("gout", "A man of 50.").text
    'A man of 50: gout'

    Raises
    ------
    DocumentError
        If a text cannot be written as UTF-8.
    """
    written = term.strip()
    text, start = context, -1
    if context and len(context.casefold()) == len(context):
        pattern = rf"(?<!\w){re.escape(written)}(?!\w)"
        found = re.search(pattern, context) or re.search(pattern, context, re.IGNORECASE)
        start = -1 if found is None else found.start()
    if start < 0:
        before = f"{context.rstrip(_ENDS)}: " if context.strip(_ENDS) else ""
        text, start = before + written, len(before)
    end = start + len(written)
    first = max(0, start - _AROUND)
    text, start, end = text[first : end + _AROUND], start - first, end - first
    return Document("", text, mentions=(Mention(start, end, text[start:end], type),))


class TermAnswers:
    """Turns linked mentions of terms into :class:`TermLink`, by the NIL policy of a linker.

    Parameters
    ----------
    linker
        The linker.

    Attributes
    ----------
    linker
        The same linker without a policy, so that a term that is NIL keeps its candidates. It links
        the documents.

    Raises
    ------
    ConfigError
        If the linker finds its own mentions and cannot link given ones.
    """

    def __init__(self, linker: AnyLinker) -> None:
        if not isinstance(linker, Linker | KindsLinker):
            raise ConfigError(
                "the model finds its own mentions and cannot link terms; expected a linking model"
            )
        self._policy: NilPolicy = linker.nil or Likelier()
        self._bases = linker.bases
        # A policy needs the two best links, and one that compares with concepts outside of a part
        # of the base decides while it links; a term that it rejects has no candidates.
        self._top_k = linker.options.top_k
        self._decided = self._policy.whole
        self.linker: Linker | KindsLinker = linker.with_settings(
            nil=self._policy if self._decided else NoNil(), top_k=max(2, self._top_k)
        )

    def __call__(self, term: str, mention: Mention) -> TermLink:
        """The answer for a term, given its linked mention."""
        kb = self._bases.of_mention(mention.type)
        links = mention.links
        reason = mention.nil_reason
        if links and not self._decided:
            reason = self._policy.reason(evidence(mention, links, None, kb))
        candidates = candidates_of(mention, self._bases)
        candidates = candidates[: self._top_k]
        best = candidates[0] if candidates and reason is None else None
        if best is None:
            return TermLink(
                term,
                mention.type,
                nil_reason=reason,
                nil_probability=mention.nil_probability,
                alternatives=tuple(candidates),
            )
        return TermLink(
            term,
            mention.type or next(iter(best.types), ""),
            best.id,
            best.curie,
            best.name,
            best.matched,
            best.probability,
            best.url,
            nil_probability=mention.nil_probability,
            alternatives=tuple(candidates[1:]),
        )


def candidates_of(mention: Mention, bases: KnowledgeBases) -> list[Candidate]:
    """Return the concepts of a mention's links, best first."""
    kb = bases.of_mention(mention.type)
    candidates = []
    for link in mention.links:
        row = kb.row_of(link.concept_id)
        candidates.append(
            Candidate(
                link.concept_id,
                link.curie or link.concept_id,
                link.preferred_name or link.name,
                link.name,
                link.probability,
                () if row is None else kb.types_at(row),
                url_of(link.curie),
            )
        )
    return candidates


def link_terms(
    terms: Iterable[Any],
    linker: AnyLinker | None = None,
    *,
    contexts: str | Iterable[Any] | None = None,
    types: str | Iterable[str] | None = None,
    taxa: str | Iterable[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Link names that stand by themselves, such as the cells of a column.

    Each distinct pair of a term and a context is linked once. A term is NIL if the linker's policy
    says so; without a policy, if NIL is likelier than every concept (:class:`biolink.Likelier`).

    Parameters
    ----------
    terms
        The terms: a list, or a pandas or polars series. None and the missing values of these stand
        for a term that is missing; it is NIL.
    linker
        The loaded linker. Default: the embedded default, which is loaded once.
    contexts
        A text that helps to tell what is meant: one for all terms, or one for each. Default: none.
    types
        The semantic types that the terms have, as for :func:`biolink.load`. Default: any.
    taxa
        The species of genes, as for :func:`biolink.load`. Default: any.
    progress
        A function that is called with the number of distinct terms that are done, and their number.

    Returns
    -------
    One :class:`TermLink` for each term, in order. For a pandas or polars series, a table of that
    library with the columns ``term``, ``type``, ``id``, ``curie``, ``name``, ``matched``,
    ``probability``, ``nil_reason`` and ``alternatives``; in pandas it has the index of the series.

    Examples
    --------
    >>> import biolink
    >>> links = biolink.link_terms(["breast cancer", "zzyzx", None], types="disease")
    >>> [(link.curie, link.name) for link in links]
    [('mesh:D001943', 'Breast Neoplasms'), ('', ''), ('', '')]

    Raises
    ------
    ConfigError
        If a term is no string, there are not as many contexts as terms, or the linker does not have
        the types or species.
    """
    need_iterable("terms", terms, "a list of strings, or a series")
    need_callable("progress", progress, "a function of the number done and the number of all")
    given = [_text_of("term", value, number) for number, value in enumerate(terms, 1)]
    around = _contexts(contexts, len(given))
    answers = TermAnswers(chosen(linker or default_linker(), Choice.of(types, taxa)))
    kind = only_type(types)
    distinct = list(dict.fromkeys(zip(given, around, strict=True)))
    known: dict[tuple[str, str], TermLink] = {}
    for batch in blocks_of(distinct, _BATCH):
        asked = [pair for pair in batch if pair[0].strip()]
        documents = [term_document(term, context, kind) for term, context in asked]
        linked = answers.linker.link_documents(documents)
        for pair, document in zip(asked, linked, strict=True):
            known[pair] = answers(pair[0], document.mentions[0])
        for pair in batch:
            known.setdefault(pair, TermLink(pair[0], nil_reason=NO_TEXT))
        if progress is not None:
            progress(len(known), len(distinct))
    links = [known[pair] for pair in zip(given, around, strict=True)]
    return _like(terms, links)


def only_type(types: str | Iterable[str] | None) -> str:
    """Return the type of terms if only one is wanted, or "": the linker then finds it out.

    >>> only_type(["gene"]), only_type("gene, disease"), only_type(None)
    ('Gene', '', '')
    """
    wanted = (Choice.of(types).types or "").split(",")
    return kind_of(wanted[0].strip()) if len(wanted) == 1 else ""


def _text_of(what: str, value: Any, number: int) -> str:
    """A term or context as a string; missing values of pandas and polars are empty."""
    if isinstance(value, str):
        return value
    missing = value is None or type(value).__name__ in ("NAType", "NaTType")
    if missing or (isinstance(value, float) and value != value):
        return ""
    raise ConfigError(f"{what} {number} is {shown(value)}; expected a string")


def _contexts(contexts: str | Iterable[Any] | None, count: int) -> Sequence[str]:
    if contexts is None or isinstance(contexts, str):
        return [contexts or ""] * count
    need_iterable("contexts", contexts, "a string, or one for each term")
    texts = [_text_of("context", value, number) for number, value in enumerate(contexts, 1)]
    if len(texts) != count:
        raise ConfigError(
            f"there are {len(texts)} contexts and {count} terms; expected one for each"
        )
    return texts


#: The columns of the table that a series gives.
_COLUMNS = (
    "term", "type", "id", "curie", "name", "matched", "probability", "nil_reason", "alternatives",
)  # fmt: skip


def _like(terms: object, links: list[TermLink]) -> Any:
    """The answers as a table of the library that the terms are a series of."""
    library = type(terms).__module__.partition(".")[0]
    if library not in ("pandas", "polars"):
        return links
    columns = {name: [getattr(link, name) for link in links] for name in _COLUMNS}
    columns["alternatives"] = [
        "|".join(candidate.curie for candidate in link.alternatives) for link in links
    ]
    if library == "pandas":
        from pandas import DataFrame

        return DataFrame(columns, index=getattr(terms, "index", None))
    from polars import DataFrame as PolarsFrame

    return PolarsFrame(columns)
