"""The annotated documents for the embedded default, without any document of a test set."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from biolink.documents import Document
from biolink.formats import load
from biolink.kb import KnowledgeBase
from biolink.kb.readers import read_concepts
from biolink.kb.types import kind_of, type_name

NCBI = "corpora/ncbi_disease/NCBI{}set_corpus.txt.gz"
CDR = "corpora/bc5cdr/CDR_{}Set.PubTator.txt.gz"
BIORED = "corpora/biored/BioRED_{}.PubTator.gz"
NLM_CHEM = "corpora/nlm_chem/nlm_chem_traindev.bioc.xml.gz"

MAIN = (NCBI.format("train"), CDR.format("Training"))
DEVELOPMENT = (NCBI.format("develop"), CDR.format("Development"))
TEST = (NCBI.format("test"), CDR.format("Test"))
#: Further corpora for training.
FURTHER = (BIORED.format("Train"), BIORED.format("Dev"), NLM_CHEM)
#: Corpora that are never used for training, but for fitting the weights of the combined score.
TMVAR = "corpora/tmvar3/tmVar3_Train.PubTator.gz"
CRAFT = ("corpora/craft/craft_train.PubTator.gz", "corpora/craft/craft_dev.PubTator.gz")
#: Corpora of genes, species and cell lines. Those of the last three have no development set: a
#: tenth of each is held out (:func:`held_out_tenth`).
NLM_GENE = "corpora/nlm_gene/NLMgene_{}.PubTator.gz"
GNORMPLUS = "corpora/gnormplus/GNormPlus_{}.PubTator.gz"
S800 = "corpora/s800/SPECIES800_Train.PubTator.gz"
LINNAEUS = "corpora/linnaeus/Linnaeus_Train.PubTator.gz"
BIOID = "corpora/bioid_cellline/BioID_CellLine_Train.PubTator.gz"


def read_documents(file: Path) -> Iterator[Document]:
    """Return the documents of a file, whose format its name says."""
    documents: Iterator[Document] = load("bioc-xml" if ".bioc." in file.name else "pubtator").read(
        file
    )
    return documents


def _title(document: Document) -> str:
    return "".join(filter(str.isalnum, document.text.splitlines()[0].lower()))[:80]


def read_corpus(data: Path, name: str) -> list[Document]:
    """Return the documents of a corpus with their disease and chemical mentions.

    Mentions of other types are removed, since the number of a gene can be an OMIM number as well.
    """
    documents = []
    for document in read_documents(data / name):
        mentions = document.mentions
        if name == NLM_CHEM:
            mentions = tuple(replace(m, type="Chemical") for m in mentions)
        wanted = ("disease", "chemical")
        documents.append(document.with_mentions(m for m in mentions if type_name(m.type) in wanted))
    return documents


def without(documents: Iterable[Document], excluded: Iterable[Document]) -> list[Document]:
    """Return the documents that share neither id nor title with the excluded ones."""
    excluded = list(excluded)
    ids, titles = {d.id for d in excluded}, {_title(d) for d in excluded}
    return [d for d in documents if d.id not in ids and _title(d) not in titles]


def held_out_tenth(documents: Iterable[Document]) -> tuple[list[Document], list[Document]]:
    """Return the documents to train on, and those to measure on, of a corpus of one file.

    Every document whose number in the file, counted from 1, is divisible by 10 is held out. A
    training document that shares its id or title with one of these is left out.
    """
    documents = list(documents)
    held_out = documents[9::10]
    return without(documents, held_out), held_out


def training_documents(data: Path) -> list[list[Document]]:
    """Return the documents of each training corpus that are in no development or test set."""
    held_out = [d for name in (*DEVELOPMENT, *TEST) for d in read_corpus(data, name)]
    return [without(read_corpus(data, name), held_out) for name in (*MAIN, *FURTHER)]


def development_documents(data: Path) -> list[list[Document]]:
    """Return the documents of each development set that do not share a title with a test document.

    One document of BC5CDR does.
    """
    tested = [d for name in TEST for d in read_corpus(data, name)]
    return [without(read_corpus(data, name), tested) for name in DEVELOPMENT]


def document_sets(data: Path) -> dict[str, list[Document]]:
    """Return the sets ``training`` and ``final``, which has the development documents as well."""
    training = [d for corpus in training_documents(data) for d in corpus]
    development = [d for corpus in development_documents(data) for d in corpus]
    return {"training": training, "final": [*training, *development]}


def unseen_documents(data: Path, kb: KnowledgeBase) -> dict[str, list[Document]]:
    """Return documents that the shipped model was not trained on and that belong to no test set.

    tmVar 3's training set has ids of MeSH and OMIM. CRAFT's diseases (MONDO) and chemicals (ChEBI)
    count where the class has an exact match, or a name, that is one concept's alone.
    """
    seen = [d for name in (*MAIN, *FURTHER, *DEVELOPMENT, *TEST) for d in read_corpus(data, name)]
    names: dict[str, set[str]] = {}
    for concept in read_concepts(data / "kb/mondo/mondo_exactmatch_mesh.sssom.tsv.gz"):
        for xref in concept.xrefs:
            names.setdefault(xref, set()).update({concept.id} & {kb.resolve(concept.id)})
    with gzip.open(data / "kb/chebi/bel_chebi_map.tsv.gz", "rt", encoding="utf-8") as stream:
        for name, chebi in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            names.setdefault(chebi, set()).update(concept.id for concept in kb.lookup(name))
    same = {i: ids for i, ids in names.items() if len(ids) == 1}
    found: dict[str, list[Document]] = {"tmVar 3": without(read_corpus(data, TMVAR), seen)}
    for label, wanted in (("CRAFT diseases", "MONDO"), ("CRAFT chemicals", "CHEBI")):
        found[label] = [
            document.with_mentions(
                replace(mention, type=kind_of(wanted), concept_ids=tuple(ids))
                for mention in document.mentions
                if mention.type == wanted and len(ids := same.get(mention.concept_ids[0], ())) == 1
            )
            for name in CRAFT
            for document in read_documents(data / name)
        ]
    return found
