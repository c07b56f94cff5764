"""What BioC XML and BioC JSON share: the bioc package's documents to ours and back."""

from __future__ import annotations

from typing import Any

from bioc import BioCAnnotation, BioCDocument, BioCLocation, BioCPassage

from biolink.documents import Document, Mention, Passage
from biolink.errors import InputError
from biolink.formats.align import align
from biolink.formats.ids import split_ids
from biolink.formats.problems import OnProblem, raise_or_report
from biolink.formats.pubtator import ids

__all__ = ["from_bioc", "to_bioc"]

_ID_KEYS = ("identifier", "concept_id", "Identifier", "MESH", "mesh", "NCBI GENE", "OMIM", "CUI")
_TYPE_KEYS = ("type", "Type", "entity_type")


def from_bioc(record: BioCDocument, source: str, on_problem: OnProblem) -> Document:
    """A document whose text has every passage at its offset.

    Gaps between passages become line breaks. A passage whose offset lies inside an earlier one
    (some collections count every passage from 0) is put behind it, its annotations with it.
    """
    text = ""
    passages: list[Passage] = []
    pending: list[tuple[BioCAnnotation, int]] = [(a, 0) for a in record.annotations]
    for passage in record.passages:
        words = passage.text
        if words is None:
            words = _sentences_text(passage)
        begin = passage.offset if passage.offset >= len(text) else len(text) + 1
        text += "\n" * (begin - len(text)) + words
        kind = passage.infons.get("type") or passage.infons.get("section_type") or ""
        passages.append(Passage(begin, begin + len(words), kind))
        annotations = [*passage.annotations]
        for sentence in passage.sentences:
            annotations += sentence.annotations
        pending += [(annotation, begin - passage.offset) for annotation in annotations]
    mentions = []
    for annotation, shift in pending:
        mention = _mention(annotation, shift, text, record.id, source, on_problem)
        if mention is not None:
            mentions.append(mention)
    if len(passages) == 1 and passages[0] == Passage(0, len(text), ""):
        passages = []
    mentions.sort(key=lambda m: (m.start, m.end))
    return Document(record.id, text, tuple(passages), tuple(mentions))


def _sentences_text(passage: BioCPassage) -> str:
    text = ""
    for sentence in passage.sentences:
        gap = max(0, sentence.offset - passage.offset - len(text))
        text += " " * gap + (sentence.text or "")
    return text


def _mention(
    annotation: BioCAnnotation,
    shift: int,
    text: str,
    doc_id: str,
    source: str,
    on_problem: OnProblem,
) -> Mention | None:
    spans = sorted((loc.offset + shift, loc.end + shift) for loc in annotation.locations)
    words = annotation.text or ""
    where = f"document {doc_id}, annotation {annotation.id or '?'} {spans}"
    place: tuple[int, int] | None
    if len(spans) > 1:
        place = (spans[0][0], spans[-1][1])
        if not 0 <= place[0] < place[1] <= len(text):
            place = None
    else:
        place = align(text, *spans[0], words) if spans else None
        if place is not None and place != spans[0]:
            problem = InputError(source, None, f"{where} moved to {place}", f"{words!r} there")
            raise_or_report(problem, on_problem, fatal=False)
    if place is None:
        problem = InputError(source, None, f"{where} dropped", f"{words!r} there")
        raise_or_report(problem, on_problem, fatal=False)
        return None
    infons = annotation.infons
    written = next((infons[key] for key in _ID_KEYS if infons.get(key)), "")
    found, joiner = split_ids(written)
    return Mention(
        *place,
        text[place[0] : place[1]],
        type=next((infons[key] for key in _TYPE_KEYS if infons.get(key)), ""),
        concept_ids=found,
        id_joiner=joiner,
        spans=tuple(spans) if len(spans) > 1 else (),
        id=annotation.id or "",
    )


def to_bioc(document: Document, clean: Any = str) -> BioCDocument:
    """The document as the bioc package's; text outside passages gets passages of its own.

    Parameters
    ----------
    document
        Ours.
    clean
        Replaces what the format cannot hold, one character for one.
    """
    record = BioCDocument()
    record.id = clean(document.id)
    text = clean(document.text)
    covered: list[Passage] = []
    cursor = 0
    for passage in sorted(document.passages, key=lambda p: (p.start, p.end)):
        if passage.start < cursor:
            continue  # overlaps an earlier passage, whose text it repeats
        if text[cursor : passage.start].strip("\n"):
            covered.append(Passage(cursor, passage.start))
        covered.append(passage)
        cursor = passage.end
    if text[cursor:] or not covered:
        covered.append(Passage(cursor, len(text)))
    for passage in covered:
        part = BioCPassage()
        part.offset = passage.start
        part.text = text[passage.start : passage.end]
        if passage.kind:
            part.infons["type"] = clean(passage.kind)
        record.add_passage(part)
    used: set[str] = set()
    for number, mention in enumerate(document.mentions):
        annotation = BioCAnnotation()
        annotation.id = clean(mention.id) if mention.id not in used else ""
        annotation.id = annotation.id or str(number)
        used.add(annotation.id)
        annotation.text = text[mention.start : mention.end]
        if mention.spans:
            annotation.text = " ".join(text[a:b] for a, b in mention.spans)
        for start, end in mention.spans or ((mention.start, mention.end),):
            annotation.add_location(BioCLocation(start, end - start))
        annotation.infons["type"] = clean(mention.type)
        annotation.infons["identifier"] = clean(ids(mention, missing="-"))
        best = mention.best
        if best is not None:
            annotation.infons["name"] = clean(best.name)
            annotation.infons["score"] = f"{best.score:.6g}"
            annotation.infons["probability"] = f"{best.probability:.6g}"
            if best.long_form:
                annotation.infons["long_form"] = clean(best.long_form)
        elif mention.nil_reason:
            annotation.infons["nil_reason"] = clean(mention.nil_reason)
        holder = next(
            (p for p, c in zip(record.passages, covered, strict=True) if mention.start < c.end),
            record.passages[-1],
        )
        holder.add_annotation(annotation)
    return record
