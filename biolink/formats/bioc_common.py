"""The part that BioC XML and BioC JSON share: the bioc package's documents to ours and back.

The metadata of a document keep its infons under ``infons``, its relations and those of its passages
and sentences under ``relations``, the infons of its passages under ``passage_infons`` and, in JSON,
its other keys under their own names. Of the infons of an annotation, only the first type and one id
are kept. A warning counts the others, except those that repeat the type or the id, those in which
PubTator 3 describes the id (``database``, ``name``, ``valid``), and those that biolink writes for a
link or for NIL. Infons of sentences and of the collection are not kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from bioc import (
    BioCAnnotation,
    BioCDocument,
    BioCLocation,
    BioCNode,
    BioCPassage,
    BioCRelation,
)

from biolink.assertion import assertions_in
from biolink.documents import Document, Mention, Passage
from biolink.errors import InputError
from biolink.formats.align import align
from biolink.formats.ids import ids_under, is_id_key, key_of_id, not_ids
from biolink.formats.joined_text import JoinedText
from biolink.formats.jsonl import check_metadata
from biolink.formats.metadata import relations_of
from biolink.formats.problems import IdsSeen, OnProblem, raise_or_report, whole_number
from biolink.formats.pubtator import ids
from biolink.kb.wording import json_kind

__all__ = ["IDS_EXPECTED", "from_entry", "to_bioc"]

IDS_EXPECTED = 'ids under an infon such as "identifier"'

_TYPE_KEYS = ("type", "entity_type", "entity type", "semantic_type", "biotype")
#: Infons of annotations in which PubTator 3 describes the id, and one that only biolink writes.
_UNCOUNTED = ("database", "name", "valid", "nil_reason")
#: The infons that biolink writes for each link, and those that it may write beside them.
_OF_LINKS = ("name", "score", "probability")
_BESIDE_LINKS = ("preferred_name", "link", "score", "probability", "long_form", "reason")
#: The values of a key that say nothing.
_EMPTY: tuple[Any, ...] = (None, "", [], {})
#: Keys of a document that do not become metadata under their own names.
_KNOWN = ("bioctype", "id", "infons", "passages", "annotations", "relations")
_ID_KEYS = ("id", "pmid", "pmcid")


def from_entry(entry: Any, source: str, on_problem: OnProblem, seen: IdsSeen) -> Document:
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
    built = JoinedText()
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
        # The kind of a passage alone is not kept here.
        "passage_infons": passage_infons
        if any(i and i != {"type": _kind(i)} for i in passage_infons)
        else [],
    }
    kept = {key: value for key, value in collected.items() if value}
    others = {
        key: value for key, value in record.items() if key not in _KNOWN and value not in _EMPTY
    }
    others.pop(key_of_document, None)
    metadata = others | kept
    check_metadata(metadata)
    return Document(doc_id, built.text, tuple(passages), tuple(mentions), metadata)


def _kind(infons: dict[str, Any]) -> str:
    return _word(infons.get("type")) or _word(infons.get("section_type"))


def _types(value: Any) -> list[str]:
    """The types in the value of an infon, which may be a list of types."""
    if isinstance(value, list):
        return [word for item in value for word in _types(item)]
    is_type = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    return [str(value)] if is_type else []


def _word(value: Any) -> str:
    """A type, or the first of a list of types; "" for what is no type."""
    return next(iter(_types(value)), "")


def _infons_of_document(record: dict[str, Any], seen: IdsSeen) -> dict[str, Any]:
    infons = record.get("infons")
    if infons and not isinstance(infons, dict):
        seen.left_out.add(f"infons of a document that are {json_kind(infons)}")
    return infons if isinstance(infons, dict) else {}


def _relations(record: dict[str, Any], seen: IdsSeen) -> list[dict[str, Any]]:
    """The relations of a document, a passage or a sentence."""
    relations = record.get("relations") or []
    if not isinstance(relations, list):
        seen.left_out.add(f"relations that are {json_kind(relations)}")
        return []
    for relation in relations:
        if not isinstance(relation, dict):
            seen.left_out.add(f"a relation that is {json_kind(relation)}")
    return [relation for relation in relations if isinstance(relation, dict)]


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
    seen: IdsSeen,
) -> Mention | None:
    spans = []
    for location in _objects(annotation, "locations"):
        start = _number(location["offset"]) + shift
        spans.append((start, start + _number(location["length"])))
    spans.sort()
    words = _words(annotation)
    written = _written(annotation.get("id"))
    infons = _infons(annotation)
    named = f"the annotation {written}".rstrip()
    spans_written = ", ".join(f"{begin}-{end}" for begin, end in spans[:5])
    where = f"document {doc_id!r}: {named} at {spans_written or 'no offsets'}"
    covered: tuple[int, int] | None
    if len(spans) > 1:
        whole = (spans[0][0], spans[-1][1])
        covered = whole if all(0 <= a < b <= len(text) for a, b in (whole, *spans)) else None
    else:
        covered = align(text, *spans[0], words) if spans else None
        if covered is not None and covered != spans[0]:
            _tell_moved(source, where, words, f"moved to {covered[0]}-{covered[1]}", on_problem)
    if covered is None:
        _tell_moved(source, where, words, "dropped", on_problem)
        return None
    concept_ids, joiner = ids_under(infons)
    seen.add(key_of_id(infons) is not None, infons)
    key_of_type = next((k for k in infons if k.lower() in _TYPE_KEYS and _word(infons[k])), None)
    kind = "" if key_of_type is None else _word(infons[key_of_type])
    for what in _not_kept(infons, key_of_type, kind, concept_ids):
        seen.left_out.add(what)
    return Mention(
        *covered,
        text[covered[0] : covered[1]],
        type=kind,
        concept_ids=concept_ids,
        id_joiner=joiner,
        spans=tuple(spans) if len(spans) > 1 else (),
        id=written,
        assertions=assertions_in(infons),
    )


def _not_kept(
    infons: dict[str, Any], key_of_type: str | None, kind: str, concept_ids: tuple[str, ...]
) -> Iterator[str]:
    """Yield a phrase for each value of an annotation's infons that is not kept."""
    used = key_of_id(infons)
    uncounted = _UNCOUNTED + (_BESIDE_LINKS if infons.keys() >= set(_OF_LINKS) else ())
    uncounted += ("assertion",) if assertions_in(infons) else ()
    known = {_bare(concept_id) for concept_id in concept_ids}
    for item in not_ids(infons):
        yield f"an entry of a list of ids that is {json_kind(item)}"
    for key, value in infons.items():
        lower, shown = key.lower(), key[:40]
        if value in _EMPTY or key == used or lower in uncounted:
            continue
        if lower in _TYPE_KEYS:
            types = _types(value)
            others = [word for word in types if word.casefold() != kind.casefold()]
            if key == key_of_type and others:
                yield "types of an annotation after the first"
            elif key_of_type is None:
                yield f"a type that is {json_kind(value)}"
            elif others or not types:
                yield f"the infon {shown!r} of annotations"
        elif not is_id_key(key):
            yield f"the infon {shown!r} of annotations"
        else:
            ids_there = ids_under({key: value})[0]
            if not ids_there and not isinstance(value, str):
                yield f"the infon {shown!r} that is {json_kind(value)}"
            elif not {_bare(concept_id) for concept_id in ids_there} <= known:
                yield f"the infon {shown!r} of annotations"


def _bare(concept_id: str) -> str:
    """An id without its prefix."""
    return concept_id.rpartition(":")[2].casefold()


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
        return (
            {clean(str(k)): infon(v) for k, v in infons.items()} if isinstance(infons, dict) else {}
        )

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
        infons = infons_of.get(id(passage))
        part.infons = written(infons)
        part.offset = passage.start
        part.text = text[passage.start : passage.end]
        if passage.kind != _kind(infons if isinstance(infons, dict) else {}):
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
    if mention.assertions:
        annotation.infons["assertion"] = clean("|".join(mention.assertions))
    best = mention.best
    if best is not None:
        annotation.infons["name"] = clean(best.name)
        if best.preferred_name:
            annotation.infons["preferred_name"] = clean(best.preferred_name)
        if best.curie:
            annotation.infons["link"] = clean(best.curie)
        annotation.infons["score"] = f"{best.score:.6g}"
        annotation.infons["probability"] = f"{best.probability:.6g}"
        for key, value in (("long_form", best.long_form), ("reason", best.reason)):
            if value:
                annotation.infons[key] = clean(value)
    elif mention.nil_reason:
        annotation.infons["nil_reason"] = clean(mention.nil_reason)
    return annotation


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
    nodes = nodes if isinstance(nodes, list | tuple) else ()
    for node in (node for node in nodes if isinstance(node, dict)):
        refid, role = (clean(str(node.get(key) or "")) for key in ("refid", "role"))
        record.add_node(BioCNode(refid, role))
    return record
