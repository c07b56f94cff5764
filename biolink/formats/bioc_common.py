"""The part that BioC XML and BioC JSON share: the bioc package's documents to ours and back.

The metadata of a document keep its infons under ``infons``, its relations and those of its passages
and sentences under ``relations``, the infons of its passages under ``passage_infons`` and, in JSON,
its other keys under their own names. Infons of annotations other than the type and the id are not
kept; a warning counts them, except those with which PubTator 3 repeats these two. Infons of
sentences and of the collection are not kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from bioc import (
    BioCAnnotation,
    BioCDocument,
    BioCLocation,
    BioCNode,
    BioCPassage,
    BioCRelation,
)

from biolink.documents import Document, Mention, Passage
from biolink.errors import InputError
from biolink.formats.align import align
from biolink.formats.ids import ids_under, is_id_key, key_of_id, key_of_odd_id
from biolink.formats.jsonl import metadata_of
from biolink.formats.problems import IdsSeen, OnProblem, raise_or_report, whole_number
from biolink.formats.pubtator import ids, relations_of
from biolink.kb.wording import json_kind

__all__ = ["IDS_EXPECTED", "from_entry", "to_bioc"]

IDS_EXPECTED = 'ids under an infon such as "identifier"'

_TYPE_KEYS = ("type", "entity_type", "entity type", "semantic_type", "biotype")
#: Infons of annotations that repeat type and id (PubTator 3), or that biolink itself writes.
_REPEATED = (
    *("database", "name", "valid", "normalized", "accession", "normalized_id"),
    *("preferred_name", "link", "score", "probability", "long_form", "nil_reason"),
)
#: Keys of a document that do not become metadata under their own names.
_KNOWN = ("bioctype", "id", "infons", "passages", "annotations", "relations")
_ID_KEYS = ("id", "pmid", "pmcid")


#: The number of characters that all gaps between passages may have together. A passage that would
#: exceed it is put directly after the one before.
_GAPS = 1_000_000


def from_entry(
    entry: Any, source: str, on_problem: OnProblem, seen: IdsSeen | None = None
) -> Document:
    """Make a document from an object of BioC JSON, or from a dict with the same keys.

    Every passage and every sentence stands at its offset in the text. Gaps between passages are
    filled with line breaks, gaps between sentences with spaces. A passage whose offset lies inside
    an earlier passage (some collections count every passage from 0) or implausibly far away is put
    directly after the text before it, and its annotations move with it.

    Parameters
    ----------
    entry
        The object.
    source
        The name of the file, for messages.
    on_problem
        Called with problems that leave the document readable.
    seen
        Counts the keys of annotations.

    Raises
    ------
    ValueError, TypeError, KeyError
        When a value is missing or has a wrong type, however deeply it is nested.
    """
    record = _object(entry, "a document")
    key_of_document = next((k for k in _ID_KEYS if record.get(k) not in (None, "")), "id")
    doc_id = _written(record.get(key_of_document))
    built = _Text()
    passages: list[Passage] = []
    passage_infons: list[dict[str, Any]] = []
    pending = [(a, 0) for a in _objects(record, "annotations")]
    relations = _relations(record, seen)
    for passage in _objects(record, "passages", needed=True):
        begin = None
        sentences = _objects(passage, "sentences")
        relations += [r for piece in (passage, *sentences) for r in _relations(piece, seen)]
        inner = _objects(passage, "annotations")
        if _words(passage) or not sentences:
            pieces = [(_number(passage["offset"]), _words(passage), inner)]
            for sentence in sentences:
                pieces[0][2].extend(_objects(sentence, "annotations"))
        else:
            pieces = [
                (_number(s["offset"]), _words(s), _objects(s, "annotations")) for s in sentences
            ]
            pieces[0][2].extend(inner)
        for number, (offset, words, of_piece) in enumerate(pieces):
            actual = built.put(offset, words, " " if number else "\n")
            if actual < offset:
                found = f"document {doc_id!r}: a passage at {offset:,} was put at {actual:,}"
                problem = InputError(source, None, found, "offsets that fit the text")
                raise_or_report(problem, on_problem, fatal=False)
            begin = actual if begin is None else begin
            pending += [(annotation, actual - offset) for annotation in of_piece]
        infons = _infons(passage)
        passages.append(Passage(begin or 0, len(built.text), _kind(infons)))
        passage_infons.append(infons)
    mentions = []
    for annotation, shift in pending:
        mention = _mention(annotation, shift, built.text, doc_id, source, on_problem, seen)
        if mention is not None:
            mentions.append(mention)
    if len(passages) == 1 and passages[0] == Passage(0, len(built.text), ""):
        passages = []
    mentions.sort(key=lambda m: (m.start, m.end))
    collected = {
        "infons": _infons_of_document(record, seen),
        "relations": relations,
        # The type alone is not kept here, since it is the kind of the passage.
        "passage_infons": passage_infons
        if any(i.keys() - {"type"} for i in passage_infons)
        else [],
    }
    kept = {key: value for key, value in collected.items() if value}
    others = {key: value for key, value in record.items() if key not in _KNOWN and value}
    others.pop(key_of_document, None)
    metadata = metadata_of({"metadata": others | kept}, ())
    return Document(doc_id, built.text, tuple(passages), tuple(mentions), metadata)


def _kind(infons: dict[str, Any]) -> str:
    return _word(infons.get("type")) or _word(infons.get("section_type"))


def _word(value: Any) -> str:
    """A type, or the first of a list of types; "" for what is no type."""
    if isinstance(value, list):
        return next(filter(None, map(_word, value)), "")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _infons_of_document(record: dict[str, Any], seen: IdsSeen | None) -> dict[str, Any]:
    infons = record.get("infons")
    if infons and not isinstance(infons, dict):
        _leave_out(f"infons of a document that are {json_kind(infons)}", seen)
    return infons if isinstance(infons, dict) else {}


def _relations(record: dict[str, Any], seen: IdsSeen | None) -> list[dict[str, Any]]:
    """The relations of a document, a passage or a sentence."""
    relations = record.get("relations") or []
    if not isinstance(relations, list):
        _leave_out(f"relations that are {json_kind(relations)}", seen)
        return []
    for relation in relations:
        if not isinstance(relation, dict):
            _leave_out(f"a relation that is {json_kind(relation)}", seen)
    return [relation for relation in relations if isinstance(relation, dict)]


def _leave_out(what: str, seen: IdsSeen | None) -> None:
    if seen is not None:
        seen.left_out.add(what)


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{what} is {json_kind(value)}, not an object")
    return value


def _objects(record: dict[str, Any], key: str, needed: bool = False) -> list[dict[str, Any]]:
    """The objects that a record lists under a key, as a list of its own."""
    values = record[key] if needed else record.get(key)
    if values is None and not needed:
        return []
    if not isinstance(values, list):
        raise TypeError(f'"{key}" is {json_kind(values)}, not a list')
    return [_object(value, f'an entry of "{key}"') for value in values]


def _number(value: Any) -> int:
    if isinstance(value, str):
        return whole_number(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"the offset {str(value)[:40]!r} is not a whole number")
    return value


def _words(record: dict[str, Any]) -> str:
    text = record.get("text")
    if text is not None and not isinstance(text, str):
        raise TypeError(f'"text" is {json_kind(text)}, not a string')
    return text or ""


def _written(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError(f'"id" is {json_kind(value)}, not a string')
    return str(value)


def _infons(record: dict[str, Any]) -> dict[str, Any]:
    return _object(record.get("infons") or {}, '"infons"')


class _Text:
    """A text that is put together from pieces at their offsets."""

    def __init__(self) -> None:
        self.text = ""
        self._gaps = 0

    def put(self, offset: int, words: str, filler: str) -> int:
        """Add a piece, and return the offset at which it stands."""
        size = len(self.text)
        actual = offset
        if not size <= offset <= size + _GAPS - self._gaps:
            actual = size + 1 if size else 0
        self._gaps += actual - size
        self.text += filler * (actual - size) + words
        return actual


def _tell_moved(source: str, where: str, words: str, fate: str, on_problem: OnProblem) -> None:
    found = f"{where} does not have the words {words[:80]!r} ({fate})"
    expected = "the offsets of these words in the text"
    raise_or_report(InputError(source, None, found, expected), on_problem, fatal=False)


def _mention(
    annotation: dict[str, Any],
    shift: int,
    text: str,
    doc_id: str,
    source: str,
    on_problem: OnProblem,
    seen: IdsSeen | None,
) -> Mention | None:
    spans = []
    for location in _objects(annotation, "locations"):
        start = _number(location["offset"]) + shift
        spans.append((start, start + _number(location["length"])))
    spans.sort()
    words = _words(annotation)
    written = _written(annotation.get("id"))
    infons = _infons(annotation)
    spans_written = ", ".join(f"{begin}-{end}" for begin, end in spans[:5])
    where = f"document {doc_id!r}: the annotation {written} at {spans_written or 'no offsets'}"
    covered: tuple[int, int] | None
    if len(spans) > 1:
        covered = (spans[0][0], spans[-1][1])
        if not all(0 <= begin < end <= len(text) for begin, end in (covered, *spans)):
            covered = None
    else:
        covered = align(text, *spans[0], words) if spans else None
        if covered is not None and covered != spans[0]:
            _tell_moved(source, where, words, f"moved to {covered[0]}-{covered[1]}", on_problem)
    if covered is None:
        _tell_moved(source, where, words, "dropped", on_problem)
        return None
    concept_ids, joiner = ids_under(infons)
    if seen is not None:
        seen.add(key_of_id(infons) is not None, infons)
        for key in infons:
            if key.lower() not in (*_TYPE_KEYS, *_REPEATED) and not is_id_key(key):
                _leave_out(f"the infon {key[:40]!r} of annotations", seen)
        odd = key_of_odd_id(infons)
        if odd is not None:
            _leave_out(f"the infon {odd[:40]!r} that is {json_kind(infons[odd])}", seen)
    types = [value for key, value in infons.items() if key.lower() in _TYPE_KEYS and value]
    if types and not any(map(_word, types)):
        _leave_out(f"a type that is {json_kind(types[0])}", seen)
    return Mention(
        *covered,
        text[covered[0] : covered[1]],
        type=next(filter(None, map(_word, types)), ""),
        concept_ids=concept_ids,
        id_joiner=joiner,
        spans=tuple(spans) if len(spans) > 1 else (),
        id=written,
    )


def to_bioc(
    document: Document,
    clean: Callable[[str], str] = str,
    infon: Callable[[Any], Any] = lambda value: value,
) -> BioCDocument:
    """Make a document of the bioc package; text outside passages is put into passages of its own.

    Parameters
    ----------
    document
        Ours.
    clean
        Replaces what the format cannot hold, one character for one.
    infon
        The value of an infon in the metadata as the format can hold it.
    """

    def written(infons: Any) -> dict[str, Any]:
        return {clean(str(k)): infon(v) for k, v in infons.items()} if _is_dict(infons) else {}

    record = BioCDocument()
    record.id = clean(document.id)
    record.infons = written(document.metadata.get("infons"))
    for relation in relations_of(document):
        record.add_relation(_bioc_relation(relation, clean, written))
    text = clean(document.text)
    covered = _passages_over(document, text)
    infons_of = _infons_of_passages(document, covered)
    for passage in covered:
        part = BioCPassage()
        part.infons = written(infons_of.get(id(passage)))
        part.offset = passage.start
        part.text = text[passage.start : passage.end]
        if passage.kind != _kind(part.infons):
            part.infons["type"] = clean(passage.kind)
        record.add_passage(part)
    # Relations name annotations by their ids, so an id of the source stays with its annotation.
    own = {clean(mention.id) for mention in document.mentions}
    numbers = (str(number) for number in itertools.count() if str(number) not in own)
    used = {""}
    for mention in document.mentions:
        annotation_id = clean(mention.id)
        if annotation_id in used:
            annotation_id = next(numbers)
        used.add(annotation_id)
        holder = next(
            (p for p, c in zip(record.passages, covered, strict=True) if mention.start < c.end),
            record.passages[-1],
        )
        holder.add_annotation(_annotation(mention, annotation_id, text, clean))
    return record


def _passages_over(document: Document, text: str) -> list[Passage]:
    """Passages that cover the text: the document's, where they do not overlap, and others."""
    covered: list[Passage] = []
    cursor = 0
    for passage in sorted(document.passages, key=lambda p: (p.start, p.end)):
        if passage.start < cursor:
            continue  # The passage overlaps an earlier one and would repeat its text.
        if text[cursor : passage.start].strip("\n"):
            covered.append(Passage(cursor, passage.start))
        covered.append(passage)
        cursor = passage.end
    if text[cursor:] or not covered:
        covered.append(Passage(cursor, len(text)))
    return covered


def _annotation(
    mention: Mention, annotation_id: str, text: str, clean: Callable[[str], str]
) -> BioCAnnotation:
    annotation = BioCAnnotation()
    annotation.id = annotation_id
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
        if best.preferred_name:
            annotation.infons["preferred_name"] = clean(best.preferred_name)
        if best.curie:
            annotation.infons["link"] = clean(best.curie)
        annotation.infons["score"] = f"{best.score:.6g}"
        annotation.infons["probability"] = f"{best.probability:.6g}"
        if best.long_form:
            annotation.infons["long_form"] = clean(best.long_form)
    elif mention.nil_reason:
        annotation.infons["nil_reason"] = clean(mention.nil_reason)
    return annotation


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _infons_of_passages(document: Document, covered: list[Passage]) -> dict[int, Any]:
    """The infons that the metadata have for each passage, by ``id(passage)``."""
    kept = document.metadata.get("passage_infons")
    passages = document.passages or tuple(covered)
    if not isinstance(kept, list | tuple) or len(kept) != len(passages):
        return {}
    return {id(passage): infons for passage, infons in zip(passages, kept, strict=True)}


def _bioc_relation(
    relation: dict[str, Any], clean: Callable[[str], str], written: Callable[[Any], dict[str, Any]]
) -> BioCRelation:
    record = BioCRelation()
    record.id = clean(str(relation.get("id") or ""))
    record.infons = written(relation.get("infons"))
    nodes = relation.get("nodes")
    for node in filter(_is_dict, nodes if isinstance(nodes, list | tuple) else ()):
        refid, role = (clean(str(node.get(key) or "")) for key in ("refid", "role"))
        record.add_node(BioCNode(refid, role))
    return record
