"""The annotated documents for genes, species and cell lines, without those of a test set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from corpora import (
    BIOID,
    BIORED,
    GNORMPLUS,
    LINNAEUS,
    NLM_GENE,
    S800,
    TMVAR,
    held_out_tenth,
    without,
)

from biolink.documents import Document
from biolink.formats import load
from biolink.kb.types import kind_of

__all__ = ["Corpora", "corpora_of", "gene_tests", "read_kind"]


@dataclass(frozen=True)
class Corpora:
    """The documents of one kind of entity, by corpus: to train on, and to measure on."""

    training: dict[str, list[Document]]
    development: dict[str, list[Document]]


def read_kind(data: Path, name: str, kind: str | None) -> list[Document]:
    """Return the documents of a corpus with only the mentions of one kind, or with all of them.

    The mentions of other kinds stay when ``kind`` is None.
    """
    documents = load("pubtator").read(data / name, on_problem=lambda problem: None)
    return [
        document.with_mentions(m for m in document.mentions if kind in (None, kind_of(m.type)))
        for document in documents
    ]


def gene_tests(data: Path) -> dict[str, list[Document]]:
    """Return the test documents of genes. They are for the final figure only."""
    return {
        "NLM-Gene test": read_kind(data, NLM_GENE.format("Test"), "Gene"),
        "GNormPlus test": read_kind(data, GNORMPLUS.format("Test"), "Gene"),
    }


def corpora_of(data: Path, kind: str) -> Corpora:
    """Return the documents of a kind: ``Gene``, ``Species`` or ``CellLine``."""
    biored = {part: read_kind(data, BIORED.format(part), kind) for part in ("Train", "Dev")}
    if kind == "Gene":
        tests = [document for corpus in gene_tests(data).values() for document in corpus]
        held_out = [*tests, *biored["Dev"]]
        training = {
            "NLM-Gene": read_kind(data, NLM_GENE.format("Train"), kind),
            "GNormPlus": read_kind(data, GNORMPLUS.format("Train"), kind),
            "BioRED": biored["Train"],
            "tmVar 3": read_kind(data, TMVAR, kind),
        }
        return Corpora(
            {name: without(corpus, held_out) for name, corpus in training.items()},
            {"BioRED development": biored["Dev"]},
        )
    files = {"Species": {"S800": S800, "LINNAEUS": LINNAEUS}, "CellLine": {"BioID": BIOID}}[kind]
    training, development = {}, {}
    for name, file in files.items():
        training[name], development[name] = held_out_tenth(read_kind(data, file, kind))
    training["BioRED"] = without(biored["Train"], biored["Dev"])
    development["BioRED development"] = biored["Dev"]
    held_out = [document for corpus in development.values() for document in corpus]
    return Corpora(
        {name: without(corpus, held_out) for name, corpus in training.items()}, development
    )
