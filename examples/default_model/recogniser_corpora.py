"""The annotated documents from which the embedded recogniser learns, with what each corpus marks.

Where corpora differ in what they mark, BioRED decides: it marks all six kinds. Its species include
patients, women and men, but not children; its genes include families, but not domains.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from zlib import crc32

from corpora import (
    BIORED,
    CDR,
    CRAFT,
    DEVELOPMENT,
    NCBI,
    NLM_CHEM,
    TEST,
    TMVAR,
    development_documents,
    read_documents,
    without,
)

from biolink.documents import Document, Mention
from biolink.finetune.tagging import nothing_unsure
from biolink.infer.mentions.recognise import DictionaryRecogniser
from biolink.infer.mentions.word_pieces import Span
from biolink.kb.types import KINDS, kind_of

NLM_GENE = "corpora/nlm_gene/NLMgene_{}.PubTator.gz"
GNORMPLUS = "corpora/gnormplus/GNormPlus_{}.PubTator.gz"
TMVAR_TEST = "corpora/tmvar3/tmVar3_Test.PubTator.gz"
S800 = "corpora/s800/SPECIES800_Train.PubTator.gz"
LINNAEUS = "corpora/linnaeus/Linnaeus_Train.PubTator.gz"
BIOID = "corpora/bioid_cellline/BioID_CellLine_Train.PubTator.gz"
MEDMENTIONS = "corpora/medmentions/st21pv_{}_reconstructed.PubTator.gz"
CRAFT_TEST = "corpora/craft/craft_test.PubTator.gz"
GENE_TESTS = (NLM_GENE.format("Test"), GNORMPLUS.format("Test"), TMVAR_TEST)
GSC = "corpora/gsc_plus/GSCplus_dev.PubTator.gz"

#: Corpora without a development set, a tenth of whose articles is held out -> the kind they mark.
TENTHS = {S800: "Species", LINNAEUS: "Species", BIOID: "CellLine", NLM_CHEM: "Chemical"}
#: The captions of an article of BioID begin with the same seven digits.
_ARTICLE = 7
#: A word that BioRED has this often and never marks is no name of a species.
_UNMARKED = 2


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus for training or development.

    Attributes
    ----------
    name
        The name of the corpus.
    documents
        The documents, with the mentions that the recogniser should find.
    marked
        The kinds that the corpus marks.
    times
        How often each document is read in a training; below 1, the share of documents read.
        Default: 1.
    concepts
        Whether the mentions are all concepts of the text, or some of them.
    unsure
        Spans whose kinds the corpus may have left unmarked.
    """

    name: str
    documents: list[Document]
    marked: tuple[str, ...]
    times: float = 1
    concepts: Literal["some", "all"] = "some"
    unsure: Callable[[Document], Sequence[Span]] = nothing_unsure


def is_held_out(document: Document) -> bool:
    """Return whether a document of :data:`TENTHS` belongs to the tenth that is held out."""
    return crc32(document.id[:_ARTICLE].encode()) % 10 == 0


def development_sets(data: Path) -> list[Corpus]:
    """Return the development sets."""
    ncbi, cdr = development_documents(data)
    common, _ = species_words(_read(data, BIORED.format("Train")))
    sets = [
        Corpus("BC5CDR", _kinds_of(cdr), ("Disease", "Chemical")),
        Corpus("NCBI disease", _kinds_of(ncbi), ("Disease",)),
        Corpus("BioRED", _read(data, BIORED.format("Dev")), KINDS),
    ]
    for name, kind in TENTHS.items():
        held_out = [d for d in _read(data, name) if is_held_out(d)]
        unsure = _left_out(common) if kind == "Species" else nothing_unsure
        title = f"a tenth of {name.split('/')[1]}"
        sets.append(Corpus(title, held_out, (kind,), unsure=unsure))
    return sets


def training_corpora(data: Path, dictionary: DictionaryRecogniser) -> list[Corpus]:
    """Return the training corpora without any document of a development or test set.

    Parameters
    ----------
    data
        The folder of the data.
    dictionary
        The dictionary of diseases and chemicals. Where NLM-Chem leaves one of its chemicals
        unmarked, the recogniser learns nothing, because this edition has no mentions without id.
    """
    excluded = [d for name in _excluded() for d in read_documents(data / name)]
    excluded += [d for name in TENTHS for d in read_documents(data / name) if is_held_out(d)]

    def read(name: str) -> list[Document]:
        return without(_read(data, name), excluded)

    biored = read(BIORED.format("Train"))
    common, never = species_words(biored)

    def left_out_chemicals(document: Document) -> list[Span]:
        found = dictionary(document).mentions
        return [(m.start, m.end, "Chemical") for m in found if m.type == "Chemical"]

    left_out_species = _left_out(common)
    variants = [
        document.with_mentions(
            m for m in document.mentions if m.type != "Species" or m.text.lower() not in never
        )
        for document in read(TMVAR)
    ]
    captions = read(BIOID)
    with_lines = [d for d in captions if d.mentions]
    without_lines = [d for d in captions if not d.mentions]
    some = KINDS[0], *KINDS[2:]
    species = ("Species",)
    return [
        Corpus("BioRED", biored, KINDS, 25),
        Corpus("BC5CDR", read(CDR.format("Training")), ("Disease", "Chemical"), 30),
        Corpus("NCBI disease", read(NCBI.format("train")), ("Disease",), 22),
        Corpus("tmVar 3", variants, some, 8, unsure=left_out_species),
        Corpus("NLM-Gene", read(NLM_GENE.format("Train")), ("Gene",), 7),
        Corpus("GNormPlus", read(GNORMPLUS.format("Train")), ("Gene",), 5),
        Corpus("S800", read(S800), species, 3, unsure=left_out_species),
        Corpus("LINNAEUS", read(LINNAEUS), species, 0.5, unsure=left_out_species),
        Corpus("BioID", with_lines, ("CellLine",), 1.5),
        Corpus("BioID without cell lines", without_lines, ("CellLine",), 0.15),
        Corpus("NLM-Chem", read(NLM_CHEM), ("Chemical",), 0.5, unsure=left_out_chemicals),
        Corpus("MedMentions", read(MEDMENTIONS.format("trng")), (), 0.8, "all"),
        Corpus("CRAFT", read(CRAFT[0]), (), 0.5, "all"),
    ]


def _left_out(names: re.Pattern[str]) -> Callable[[Document], list[Span]]:
    """A function that gives the names of species in a document."""

    def spans(document: Document) -> list[Span]:
        return [(*match.span(), "Species") for match in names.finditer(document.text)]

    return spans


def species_words(documents: Iterable[Document]) -> tuple[re.Pattern[str], frozenset[str]]:
    """Return what documents mark as species: a pattern of its names, and words that are none.

    Returns
    -------
    A pattern that matches the names that are marked at least every second time, and the words, in
    lower case, that are never marked.
    """
    documents = list(documents)
    marked = Counter(
        m.text.lower() for d in documents for m in d.mentions if kind_of(m.type) == "Species"
    )
    words = Counter(w for d in documents for w in re.findall(r"\w+", d.text.lower()))
    names = [n for n, count in marked.items() if 2 * count >= words[n]]
    either = "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)
    return pattern, frozenset(w for w in words if w not in marked and words[w] >= _UNMARKED)


def _excluded() -> list[str]:
    """The files of all development and test sets."""
    parts = [*DEVELOPMENT, *TEST, BIORED.format("Dev"), *GENE_TESTS]
    return [*parts, MEDMENTIONS.format("test"), *CRAFT[1:], CRAFT_TEST, GSC]


def _kinds_of(documents: Iterable[Document]) -> list[Document]:
    return [
        d.with_mentions(replace(m, type=kind_of(m.type)) for m in d.mentions) for d in documents
    ]


def _read(data: Path, name: str) -> list[Document]:
    """The documents of a corpus with the kinds of the mentions that are wanted."""
    return [
        document.with_mentions(_wanted(m, name) for m in document.mentions)
        for document in read_documents(data / name)
    ]


def _wanted(mention: Mention, name: str) -> Mention:
    if name == NLM_CHEM:
        return replace(mention, type="Chemical")
    if mention.type == "DomainMotif":
        return replace(mention, type="Domain")  # a concept, but no gene
    return replace(mention, type=kind_of(mention.type))
