"""Learning corrections at once: a model that remembers what people decided, without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from biolink.corrections.acts import Act
from biolink.corrections.applying import Corrected
from biolink.corrections.files import Corrections, read_corrections
from biolink.documents import Document, Mention
from biolink.errors import ConfigError
from biolink.finetune.refit import LEAST, Refit, refit
from biolink.infer.linkers.kinds_linker import KindsLinker
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.mentions.abbreviations import expand_document, find_abbreviations
from biolink.infer.remembered.decisions import Decision, Remembered
from biolink.infer.seen_documents import write_seen_documents
from biolink.kb import KnowledgeBase
from biolink.kb.bases import KnowledgeBases
from biolink.kb.model_folder import check_model_target, settings_of
from biolink.kinds import embedded_bases
from biolink.pipeline import is_embedded, load
from biolink.places import EMBEDDED
from biolink.pretrain.training.start import extend_model

__all__ = ["Learnt", "Lesson", "decisions_on", "learn", "lessons_of", "remembering"]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A document as it was linked, and after the acts on it.

    Attributes
    ----------
    linked
        The document as it was linked.
    corrected
        The same after the acts.
    decisions
        What can be learnt of the acts.
    """

    linked: Document
    corrected: Corrected
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a model has learnt.

    Attributes
    ----------
    folder
        The folder of the new model.
    documents
        The number of documents with decisions.
    corrected, confirmed
        The numbers of mentions with another meaning than the linker's, and with the same.
    nil
        How many of the corrected ones mean no concept.
    added, removed
        The numbers of mentions that the linker had not found, and of those that are none.
    refit
        What came of fitting the weights again; its ``ranker`` is None if they stay as they were.
    unknown
        Ids that the knowledge bases do not have -> the number of mentions that mean them. They are
        remembered, but act only where a knowledge base has them.
    """

    folder: Path
    documents: int
    corrected: int
    confirmed: int
    nil: int
    added: int
    removed: int
    refit: Refit
    unknown: dict[str, int]


def learn(
    files: Sequence[str | Path],
    out: str | Path,
    model: str | Path | None = None,
    kb: str | Path | KnowledgeBase | None = None,
    least: int = LEAST,
) -> Learnt:
    """Write a copy of a model that links, and finds, what people corrected as they said.

    Nothing is trained, and all indexes remain valid. The links of mentions that nobody corrected
    stay the same, too, unless there are enough decisions for the weights of the combined score to
    be fitted again near those that the model has. The new weights are kept only if they link more
    of the decided mentions of documents right that they were not fitted on.

    Parameters
    ----------
    files
        Files of corrections. If several have decisions on the same mention of the same document,
        the last one counts.
    out
        The model folder to write.
    model
        The folder of the model to start from, which may have learnt corrections before. Default:
        the embedded model.
    kb
        The knowledge base that ids are looked up in, to tell those that it does not have. Default:
        the embedded ones.
    least
        The least number of decided mentions, of the kinds that the combined score ranks, with which
        weights are fitted again. Default: 200.

    Examples
    --------
    >>> from biolink import Mention
    >>> from biolink.corrections.acts import Act, Meaning
    >>> from biolink.corrections.files import write_corrections
    >>> linked = Document("1", "A hot spell.", mentions=(Mention(2, 11, "hot spell", "Disease"),))
    >>> fever = (Meaning("D005334", "mesh:D005334", "Fever"),)
    >>> act = Act("choose", "1", 0, 2, 11, "hot spell", "Disease", fever)
    >>> write_corrections("corrections.jsonl", [(linked, [act])])
    >>> learn(["corrections.jsonl"], "mine.model").corrected
    1
    >>> import biolink
    >>> linker = biolink.load(model="mine.model")
    >>> linker("Hot spells are rare.", spans=[(0, 10)]).mentions[0].best.preferred_name
    'Fever'

    Raises
    ------
    BiolinkError
        If a file is none of corrections, there is no decision in them, the model cannot learn
        corrections, or something else stands at ``out``.
    """
    check_model_target(out)
    before = Path(EMBEDDED / "model" if model is None else model)
    if not before.is_dir():
        raise ConfigError(f"{before} is not a folder; expected a model folder")
    if (task := settings_of(before).task) is not None:
        raise ConfigError(
            f"{before} is a model for {task}, which finds its own mentions; expected one that "
            "links given mentions, such as the embedded model"
        )
    lessons = [lesson for file in files for lesson in lessons_of(read_corrections(file))]
    decisions = [decision for lesson in lessons for decision in lesson.decisions]
    if not decisions:
        raise ConfigError(
            f"{', '.join(map(str, files))}: there are no decisions on mentions; expected some acts "
            "that were not taken back"
        )
    remembered = remembering(lessons, Remembered.read(before))
    bases = _bases(kb, before)
    unknown = Counter(
        concept
        for decision in decisions
        for concept in decision.concepts
        if bases is not None and not bases.having(concept)
    )
    fitted = _refit(lessons, before, kb, least)
    learnt = Learnt(
        Path(out),
        sum(bool(lesson.decisions) for lesson in lessons),
        sum(decision.meant == "corrected" for decision in decisions),
        sum(decision.meant == "confirmed" for decision in decisions),
        sum(decision.meant == "corrected" and not decision.concepts for decision in decisions),
        sum(decision.added for decision in decisions),
        sum(not decision.mention for decision in decisions),
        fitted,
        dict(sorted(unknown.items())),
    )
    stage = {"stage": "corrections", "files": [Path(file).name for file in files]}
    stage |= {name: getattr(learnt, name) for name in ("documents", "corrected", "confirmed")}

    def write(folder: Path) -> None:
        remembered.write(folder)
        write_seen_documents(folder, (x.linked for x in lessons if x.decisions))

    ranker = {} if fitted.ranker is None else {"ranker": fitted.ranker.to_dict()}
    extend_model(Path(out), before, stage, write, **ranker)
    return learnt


def _bases(kb: str | Path | KnowledgeBase | None, model: Path) -> KnowledgeBases | None:
    """The knowledge bases that ids are looked up in; None if it is not known which are meant."""
    if kb is not None:
        return KnowledgeBases([kb if isinstance(kb, KnowledgeBase) else KnowledgeBase.read(kb)])
    return embedded_bases() if is_embedded(model) else None


def lessons_of(corrections: Corrections) -> list[Lesson]:
    """Return the documents of a file of corrections with what can be learnt of each."""
    acts: dict[str, list[Act]] = {doc_id: [] for doc_id in corrections.documents}
    for act in corrections.acts:
        acts[act.document].append(act)
    return [
        Lesson(linked, corrected, tuple(decisions_on(linked, corrected, acts[linked.id])))
        for linked, corrected in zip(
            corrections.documents.values(), corrections.corrected(), strict=True
        )
    ]


def _refit(
    lessons: Sequence[Lesson], model: Path, kb: str | Path | KnowledgeBase | None, least: int
) -> Refit:
    """Fit the weights of the combined score again, if there are enough decisions."""
    decided = [
        [number for number, of in enumerate(lesson.corrected.mentions) if of.decision]
        for lesson in lessons
    ]
    count = sum(map(len, decided))
    if count < least or settings_of(model).ranker is None:
        return Refit(count)
    linker = load(model, kb)
    main = linker.main if isinstance(linker, KindsLinker) else linker
    if not isinstance(main, Linker) or main.options.method != "combined":
        return Refit(count)
    return refit(main, [lesson.corrected.document for lesson in lessons], decided, least)


def remembering(lessons: Iterable[Lesson], before: Remembered | None = None) -> Remembered:
    """Return what is remembered of documents, besides what was remembered before."""
    remembered = before or Remembered()
    for lesson in lessons:
        if lesson.decisions:
            remembered = remembered.with_document(lesson.linked.text, lesson.decisions)
    return remembered


def decisions_on(linked: Document, corrected: Corrected, acts: Iterable[Act]) -> list[Decision]:
    """Return what people decided about the mentions of a document.

    A mention that was moved teaches that the text with the new offsets is a mention, and that the
    old one is none, unless it lies within the new one: ``breast`` in ``breast cancer``.

    Parameters
    ----------
    linked, corrected
        The document as it was linked, and after the acts.
    acts
        The acts on it.
    """
    curies = {c.id: c.curie for act in acts for c in act.concepts if c.curie}
    curies |= {k.concept_id: k.curie for m in linked.mentions for k in m.links if k.curie}
    given = dict(enumerate(linked.mentions))
    expanded = expand_document(corrected.document, find_abbreviations).mentions
    decisions = [_none(given[number]) for number in corrected.removed if number in given]
    for reviewed, mention in zip(corrected.mentions, expanded, strict=True):
        old = given.get(reviewed.number)
        moved = old is not None and (old.start, old.end) != (mention.start, mention.end)
        if old is not None and moved and not mention.start <= old.start < old.end <= mention.end:
            decisions.append(_none(old))
        if not reviewed.decision and not reviewed.changed:
            continue
        same = old is not None and not moved and _answer(old) == mention.concept_ids
        meant = "" if not reviewed.decision else "confirmed" if same else "corrected"
        types = (old.type, mention.type) if old is not None else (mention.type,)
        decisions.append(
            Decision(
                mention.text,
                mention.start,
                tuple(dict.fromkeys(kind for kind in types if kind)),
                tuple(curies.get(i, i) for i in mention.concept_ids) if meant else (),
                mention.id_joiner,
                mention.long_form or "",
                meant,
                added=reviewed.changed,
            )
        )
    return decisions


def _answer(mention: Mention) -> tuple[str, ...] | None:
    """What the linker said that a mention means; None if it was not linked."""
    if mention.best is None:
        return None if mention.nil_reason is None else ()
    return (mention.best.concept_id,)


def _none(mention: Mention) -> Decision:
    """The decision that a text is no mention."""
    types = (mention.type,) if mention.type else ()
    return Decision(mention.text, mention.start, types, mention=False)
