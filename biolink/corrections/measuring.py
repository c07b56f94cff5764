"""Before and after: how corrected documents are linked without and with the other corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from biolink.corrections.learning import Lesson, remembering
from biolink.documents import Document, Mention
from biolink.errors import ConfigError
from biolink.evaluation.found import FoundReport, evaluate_found
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.remembered.decisions import Remembered
from biolink.kb.bases import KnowledgeBases

__all__ = ["BeforeAfter", "before_after"]

#: The number of parts into which the documents are divided.
_PARTS = 5


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """How decided mentions are linked before and after the corrections of other documents.

    Attributes
    ----------
    documents
        The number of documents with decisions.
    mentions
        The number of decided mentions.
    before, after
        How many of them are linked right. A mention that means no concept must be NIL.
    better, worse
        How many were wrong before and are right after, and the other way round.
    known
        The number of decided mentions whose text, with the same type, was corrected in another
        part: those on which the corrections can act.
    learnt
        The number of documents whose corrections the model has learnt before. If it is not 0, the
        figures are not held out.
    found
        Recognition and linking together on the documents of which every mention is decided, before
        and after; None if there is none.
    """

    documents: int
    mentions: int
    before: int
    after: int
    better: int
    worse: int
    known: int
    learnt: int = 0
    found: tuple[FoundReport, FoundReport] | None = field(default=None)


def before_after(linker: Linker | KindsLinker, lessons: Sequence[Lesson]) -> BeforeAfter:
    """Measure what corrections do for documents that they are not from.

    The documents are divided into five parts, or as many as there are documents. Each part is
    linked by the linker as it is, and with the corrections of the other parts remembered. So no
    document is ever linked with its own corrections. Weights are not fitted again here.

    Parameters
    ----------
    linker
        The linker that was corrected.
    lessons
        The documents with what was decided (:func:`biolink.corrections.learning.lessons_of`).

    Raises
    ------
    ConfigError
        If fewer than two documents have decisions, or no mention was decided.
    """
    lessons = [lesson for lesson in lessons if lesson.decisions]
    decided = [_decided(lesson) for lesson in lessons]
    count = sum(len(document.mentions) for document in decided)
    if len(lessons) < 2 or not count:
        raise ConfigError(
            "what corrections do is measured on other documents than theirs; expected decisions on "
            "mentions of two documents at least"
        )
    own = linker.remembered or Remembered()
    parts = min(_PARTS, len(lessons))
    right: list[tuple[bool, bool]] = []
    known = 0
    finished: list[Document] = []
    found: tuple[list[Document], list[Document]] = ([], [])
    for part in range(parts):
        mine = range(part, len(lessons), parts)
        others = remembering((lesson for n, lesson in enumerate(lessons) if n % parts != part), own)
        after = linker.with_settings(remembered=others)
        gold = [decided[n] for n in mine]
        answers = [_answers(each, gold, linker.bases) for each in (linker, after)]
        right += zip(*answers, strict=True)
        known += sum(
            any(d.meant == "corrected" for d in others.of(m.long_form or m.text, m.type))
            for document in gold
            for m in document.mentions
        )
        whole = [lessons[n].corrected.document for n in mine if lessons[n].corrected.finished]
        finished += whole
        for linked, each in zip(found, (linker, after), strict=True):
            linked += each.pipe(whole, recognise=True)
    reports = [evaluate_found(finished, linked, linker.bases) for linked in found if finished]
    return BeforeAfter(
        len(lessons),
        count,
        sum(before for before, _ in right),
        sum(after for _, after in right),
        sum(after > before for before, after in right),
        sum(before > after for before, after in right),
        known,
        sum(lesson.linked.text in own for lesson in lessons),
        (reports[0], reports[1]) if reports else None,
    )


def _decided(lesson: Lesson) -> Document:
    """The document with the mentions that were decided, and the types that the linker gave."""
    given = lesson.linked.mentions
    mentions = [
        Mention(
            m.start,
            m.end,
            m.text,
            given[reviewed.number].type if reviewed.number < len(given) else m.type,
            concept_ids=m.concept_ids,
            spans=m.spans,
        )
        for reviewed in lesson.corrected.mentions
        if reviewed.decision
        for m in (reviewed.mention,)
    ]
    return lesson.linked.with_mentions(mentions)


def _answers(
    linker: Linker | KindsLinker, gold: Sequence[Document], bases: KnowledgeBases
) -> list[bool]:
    """Whether each mention is linked right; NIL is possible, as for mentions that are found."""
    linked = linker.link_documents(gold, range(len(gold)))
    return [
        _is_right(mention, wanted, bases)
        for document, annotated in zip(linked, gold, strict=True)
        for mention, wanted in zip(document.mentions, annotated.mentions, strict=True)
    ]


def _is_right(mention: Mention, wanted: Mention, bases: KnowledgeBases) -> bool:
    if mention.best is None or not wanted.concept_ids:
        return mention.best is None and not wanted.concept_ids
    ids = {i for concept in wanted.concept_ids for i in (concept, *_resolved(concept, bases))}
    return mention.best.concept_id in ids


def _resolved(concept_id: str, bases: KnowledgeBases) -> list[str]:
    return [i for base in bases.having(concept_id) if (i := base.resolve(concept_id)) is not None]
