"""The annotated documents behind the embedded default, without any that is tested on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from biolink.documents import Document
from biolink.formats import load
from biolink.infer.ranker import type_name

NCBI = "corpora/ncbi_disease/NCBI{}set_corpus.txt.gz"
CDR = "corpora/bc5cdr/CDR_{}Set.PubTator.txt.gz"
BIORED = "corpora/biored/BioRED_{}.PubTator.gz"
NLM_CHEM = "corpora/nlm_chem/nlm_chem_traindev.bioc.xml.gz"

MAIN = (NCBI.format("train"), CDR.format("Training"))
DEVELOPMENT = (NCBI.format("develop"), CDR.format("Development"))
TEST = (NCBI.format("test"), CDR.format("Test"))
#: Used for training beside the main corpora.
FURTHER = (BIORED.format("Train"), BIORED.format("Dev"), NLM_CHEM)


def _read(file: Path) -> Iterator[Document]:
    documents: Iterator[Document] = load("bioc-xml" if ".bioc." in file.name else "pubtator").read(
        file
    )
    return documents


def _title(document: Document) -> str:
    return "".join(filter(str.isalnum, document.text.splitlines()[0].lower()))[:80]


def read_corpus(data: Path, name: str) -> list[Document]:
    """A corpus's documents with their disease and chemical mentions.

    Other types go: a gene's number can be an OMIM number.
    """
    documents = []
    for document in _read(data / name):
        mentions = document.mentions
        if name == NLM_CHEM:
            mentions = tuple(replace(m, type="Chemical") for m in mentions)
        wanted = ("disease", "chemical")
        documents.append(document.with_mentions(m for m in mentions if type_name(m.type) in wanted))
    return documents


def without(documents: Iterable[Document], excluded: Iterable[Document]) -> list[Document]:
    """The documents that share neither id nor title with the excluded ones."""
    excluded = list(excluded)
    ids, titles = {d.id for d in excluded}, {_title(d) for d in excluded}
    return [d for d in documents if d.id not in ids and _title(d) not in titles]


def training_documents(data: Path) -> list[list[Document]]:
    """Documents of each training corpus; none is in a development or test set."""
    held_out = [d for name in (*DEVELOPMENT, *TEST) for d in read_corpus(data, name)]
    return [without(read_corpus(data, name), held_out) for name in (*MAIN, *FURTHER)]


def development_documents(data: Path) -> list[list[Document]]:
    """Documents of each development set; one of BC5CDR's shares its title with a test document."""
    tested = [d for name in TEST for d in read_corpus(data, name)]
    return [without(read_corpus(data, name), tested) for name in DEVELOPMENT]


def document_sets(data: Path) -> dict[str, list[Document]]:
    """What the model is trained on: ``training``, and ``final`` with the development documents."""
    training = [d for corpus in training_documents(data) for d in corpus]
    development = [d for corpus in development_documents(data) for d in corpus]
    return {"training": training, "final": [*training, *development]}
