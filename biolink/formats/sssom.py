"""SSSOM mapping sets: which words mean which concept, with justification and confidence.

The subjects are words of texts, which SSSOM calls literals; they have labels and no ids. Words that
are NIL have the object ``sssom:NoTermFound``. Format: https://mapping-commons.github.io/sssom/
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import IO
from urllib.parse import quote

from biolink.answers.urls import url_of
from biolink.documents import Document, Mention
from biolink.formats.metadata import metadata_left_out
from biolink.kb.wording import counted

__all__ = ["NO_TERM", "TermMapping", "justification", "mean_mappings", "write_mappings"]

LABEL = "SSSOM, distinct mentions and their concepts"
SUFFIXES = (".sssom",)

#: The object of words that are NIL.
NO_TERM = "sssom:NoTermFound"
_COLUMNS = (
    *("subject_label", "subject_category", "predicate_id", "object_id", "object_label"),
    *("mapping_justification", "confidence", "subject_type", "match_string", "comment"),
)
#: The namespaces of prefixes other than those that lead to public pages.
_NAMESPACES = {
    "mesh": "http://id.nlm.nih.gov/mesh/",
    "semapv": "https://w3id.org/semapv/vocab/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "sssom": "https://w3id.org/sssom/",
    "local": "urn:local:",
}


@dataclass(frozen=True, slots=True)
class TermMapping:
    """A mapping of words to a concept.

    Attributes
    ----------
    label
        The words.
    curie
        The CURIE of the concept, or "" for NIL. An id without a prefix gets the prefix ``local``.
    name
        The preferred name of the concept.
    justification
        The kind of the justification in the vocabulary ``semapv``, such as ``LexicalMatching``.
    confidence
        The probability that the mapping is right, or None.
    matched
        The name through which the concept was found, or "".
    category
        The type of what the words name, or "".
    comment
        Anything else.
    """

    label: str
    curie: str = ""
    name: str = ""
    justification: str = "CompositeMatching"
    confidence: float | None = None
    matched: str = ""
    category: str = ""
    comment: str = ""


def sniff(path: object, head: str) -> bool:
    return False


def write_mappings(mappings: Iterable[TermMapping], stream: IO[str]) -> None:
    """Write a mapping set; its id follows from the mappings, and its licence is not stated."""
    from biolink import __version__

    rows = [_cells(mapping) for mapping in mappings]
    body = "".join("\t".join(row) + "\n" for row in rows)
    known = {"semapv", "skos", "sssom"}
    prefixes = known | {row[3].partition(":")[0] for row in rows}
    header = {
        "mapping_set_id": f"https://w3id.org/sssom/mappings/{uuid.uuid5(uuid.NAMESPACE_URL, body)}",
        "license": "https://w3id.org/sssom/license/unspecified",
        "mapping_tool": "biolink",
        "mapping_tool_version": __version__,
    }
    for key, value in header.items():
        stream.write(f"# {key}: {json.dumps(value)}\n")
    stream.write("# curie_map:\n")
    for prefix in sorted(prefixes):
        space = _NAMESPACES.get(prefix) or url_of(f"{prefix}:0").removesuffix("0")
        stream.write(f"#   {prefix}: {json.dumps(space)}\n")
    stream.write("\t".join(_COLUMNS) + "\n")
    stream.write(body)


def _cells(mapping: TermMapping) -> tuple[str, ...]:
    confidence = mapping.confidence
    known = confidence is not None and confidence == confidence
    return (
        _flat(mapping.label),
        _flat(mapping.category),
        "skos:exactMatch",
        _object(mapping.curie),
        _flat(mapping.name),
        f"semapv:{mapping.justification}",
        f"{min(1.0, max(0.0, confidence)):.6g}" if known and confidence is not None else "",
        "rdfs literal",
        _flat(mapping.matched),
        _flat(mapping.comment),
    )


def _object(curie: str) -> str:
    """The CURIE as the format can hold it."""
    if not curie:
        return NO_TERM
    prefix, colon, local = curie.partition(":")
    if not (colon and local and re.fullmatch(r"[A-Za-z_][\w.-]*", prefix)):
        prefix, local = "local", curie
    return f"{prefix}:{quote(local, safe=':/#?=&.-_~+|,;@')}"


def _flat(text: str) -> str:
    """A cell; tabs, line breaks and quotation marks at its ends would end it."""
    return " ".join(text.split()).replace('"', "'")


def left_out(document: Document) -> Iterator[str]:
    yield from metadata_left_out(document)
    for mention in document.mentions:
        if not (mention.links or mention.concept_ids or mention.nil_reason is not None):
            yield "mentions without a concept"
        yield from ("assertions of mentions" for _ in mention.assertions)


def write(documents: Iterable[Document], stream: IO[str]) -> None:
    """Write a mapping for each pair of words and a concept, with the mean of their probabilities.

    Ids that mentions were given are mappings as well, of a justification that is not specified.
    """
    pairs = (pair for document in documents for m in document.mentions for pair in _mappings(m))
    write_mappings(mean_mappings(pairs, "mention"), stream)


def mean_mappings(pairs: Iterable[tuple[TermMapping, float]], noun: str) -> list[TermMapping]:
    """Return the distinct mappings, with the mean of their confidences and their number.

    Parameters
    ----------
    pairs
        Mappings without a confidence, each with its confidence, which may be NaN.
    noun
        What the comment counts, such as "mention".
    """
    found: dict[TermMapping, list[float]] = {}
    for mapping, confidence in pairs:
        found.setdefault(mapping, []).append(confidence)
    return [
        replace(
            mapping,
            confidence=sum(values) / len(values),
            comment="; ".join(filter(None, (mapping.comment, counted(len(values), noun)))),
        )
        for mapping, values in found.items()
    ]


def justification(words: str, name: str) -> str:
    """Return the justification of a link: the name is that of the words, or more was compared.

    >>> justification("Asthma ", "asthma"), justification("asthmatic", "asthma")
    ('LexicalMatching', 'CompositeMatching')
    """
    same = words.casefold().split() == name.casefold().split()
    return "LexicalMatching" if same else "CompositeMatching"


def _mappings(mention: Mention) -> Iterator[tuple[TermMapping, float]]:
    """The mappings of a mention without their confidence, and the confidence."""
    best, kind, words = mention.best, mention.type, mention.text
    none = float("nan")
    if best is not None:
        name = best.preferred_name or best.name
        mapping = TermMapping(
            words,
            best.curie or best.concept_id,
            name,
            justification(words, best.name),
            matched=best.name,
            category=kind,
        )
        yield mapping, best.probability
    elif mention.nil_reason is not None:
        probability = mention.nil_probability
        comment = f"NIL: {mention.nil_reason}"
        yield (
            TermMapping(words, category=kind, comment=comment),
            none if probability is None else probability,
        )
    else:
        for concept_id in mention.concept_ids:
            # Other formats have one place for ids, so these may be of a link that was written.
            given = "UnspecifiedMatching"
            yield TermMapping(words, concept_id, justification=given, category=kind), none
