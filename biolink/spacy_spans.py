"""The spans of spaCy documents: the mentions that they show, and what is stored with them.

A span consists of whole tokens, and spaCy keeps the values of an extension by the span's offsets.
So of several mentions with the same tokens, one is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from spacy.tokens import Doc, Span

from biolink.documents import Link, Mention

__all__ = ["found_by_biolink", "linked_span", "links_of", "nil_reason_of", "with_found"]

#: The extension of spans that holds label -> the record of the span under this label. spaCy keeps
#: an extension's values by the span's offsets, and span groups can hold a span twice.
STORAGE = "biolink_record"
Span.set_extension(STORAGE, default=None, force=True)


def links_of(span: Span) -> tuple[Link, ...]:
    """Return the ranked links of an entity, which are none for NIL and for a span not linked."""
    return tuple(
        Link(**{**link, "also": tuple(link["also"])}) for link in _record(span).get("links", ())
    )


def nil_reason_of(span: Span) -> str | None:
    """Return why an entity has no link, or None."""
    return _record(span).get("nil_reason")


def found_by_biolink(span: Span) -> bool:
    """Whether a biolink component found the span."""
    return bool(_record(span).get("found"))


def linked_span(span: Span, mention: Mention, found: bool) -> Span:
    """Return the span with the mention's best concept; all links go into spaCy's storage."""
    best = mention.best
    linked = Span(
        span.doc,
        span.start,
        span.end,
        label=span.label,
        kb_id="" if best is None else best.concept_id,
        span_id=span.id,
    )
    record: dict[str, Any] = {
        "links": [{**asdict(link), "also": list(link.also)} for link in mention.links]
    }
    if mention.nil_reason is not None:
        record["nil_reason"] = mention.nil_reason
    if found:
        record["found"] = True
    linked._.set(STORAGE, {**_records(linked), linked.label_: record})
    return linked


def with_found(
    doc: Doc, mentions: Iterable[Mention], present: list[Span], overlapping: bool
) -> tuple[list[Span], list[Mention]]:
    """Return spans together with those of the mentions that were found.

    A span that another biolink component found and could not link gives way to one that is linked;
    other spans that are present stay. Of mentions in each other's way, the one is shown whose text
    is that of its tokens, then the longer one if one lies within the other, then one with a link.

    Parameters
    ----------
    doc
        The document.
    mentions
        The mentions that were found in it.
    present
        The spans that the document has.
    overlapping
        Whether spans may overlap. If they may, only spans of the same tokens are in each other's
        way.

    Returns
    -------
    The spans, and the mentions that are not shown because another one is.
    """
    candidates: list[tuple[Span, Mention]] = []
    same_tokens: dict[tuple[int, int], list[Mention]] = {}
    for mention in mentions:
        label = mention.type or "ENTITY"
        span = doc.char_span(mention.start, mention.end, label=label, alignment_mode="expand")
        if span is not None:
            candidates.append((span, mention))
            same_tokens.setdefault((span.start, span.end), []).append(mention)

    def rank(candidate: tuple[Span, Mention]) -> tuple[bool, int, bool]:
        span, mention = candidate
        whole = (span.start_char, span.end_char) == (mention.start, mention.end)
        around = sum(
            other.start <= mention.start and mention.end <= other.end
            for other in same_tokens[span.start, span.end]
        )
        return not whole, around, not mention.links

    shown: list[Span] = []
    hidden: list[Mention] = []
    taken: set[object] = set()
    staying = {id(span): span for span in present}
    present_at: dict[object, list[Span]] = {}
    for span in present:
        for place in _places(span, overlapping):
            present_at.setdefault(place, []).append(span)
    for span, mention in sorted(candidates, key=rank):
        places = _places(span, overlapping)
        if not places.isdisjoint(taken):
            hidden.append(mention)
            continue
        here = [other for place in places for other in present_at.get(place, ())]
        if all(_gives_way(other, mention) for other in here):
            for other in here:
                staying.pop(id(other), None)
            shown.append(linked_span(span, mention, found=True))
            taken |= places
    shown.sort(key=lambda span: (span.start, span.end))
    return [*staying.values(), *shown], hidden


def _places(span: Span, overlapping: bool) -> set[object]:
    """What only one span can have: its tokens, or their range where spans may overlap."""
    return {(span.start, span.end)} if overlapping else set(range(span.start, span.end))


def _records(span: Span) -> dict[str, dict[str, Any]]:
    records: dict[str, dict[str, Any]] | None = span._.get(STORAGE)
    return records or {}


def _record(span: Span) -> dict[str, Any]:
    """The record of a span; if its label has been changed, a record at the same offsets."""
    records = _records(span)
    return records.get(span.label_) or next(iter(records.values()), {})


def _gives_way(span: Span, mention: Mention) -> bool:
    return found_by_biolink(span) and not span.kb_id and bool(mention.links)
