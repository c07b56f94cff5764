"""The MedMentions ST21pv benchmark: linking the annotated mentions of the test documents.

Source of the corpus, its splits and ST21pv: MedMentions (Mohan and Li; AKBC 2019). Whoever has the
corpus and a licence of UMLS can compare with the figures in
:data:`biolink.bench.published.MEDMENTIONS`; everyone else is told why the figures differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from biolink.bench.published import digest_of_ids
from biolink.documents import Document
from biolink.errors import ConfigError
from biolink.evaluation import Report
from biolink.kb.wording import counted

__all__ = ["TYPE_NAMES", "Result", "Split", "linked_untyped", "split_by_ids", "why_not_comparable"]

#: The 21 semantic types of ST21pv by their names in UMLS.
TYPE_NAMES = {
    "T005": "Virus",
    "T007": "Bacterium",
    "T017": "Anatomical Structure",
    "T022": "Body System",
    "T031": "Body Substance",
    "T033": "Finding",
    "T037": "Injury or Poisoning",
    "T038": "Biologic Function",
    "T058": "Health Care Activity",
    "T062": "Research Activity",
    "T074": "Medical Device",
    "T082": "Spatial Concept",
    "T091": "Biomedical Occupation or Discipline",
    "T092": "Organization",
    "T097": "Professional or Occupational Group",
    "T098": "Population Group",
    "T103": "Chemical",
    "T168": "Food",
    "T170": "Intellectual Product",
    "T201": "Clinical Attribute",
    "T204": "Eukaryote",
}

#: Digest of the ids of the 879 test documents.
_TEST = "197c95f98defdb9c6d5c802697c18a810fc22bf9206431e1ba5a388b495eb881"
#: The number of annotations that the release of ST21pv has in the test documents.
_ANNOTATIONS = 40_157
#: The number of concepts of ST21pv in UMLS 2017AA (Partial KB inference, BioNLP 2023), and the
#: share by which another selection may differ: MedMentions' own count is 2 % lower.
_CONCEPTS = 2_369_482
_DIFFERENCE = 0.1


@dataclass(frozen=True, slots=True)
class Split:
    """The documents of a corpus that belong to the test set and to the training set.

    Attributes
    ----------
    test, training
        The documents, in the order of the corpus.
    missing
        The ids in the lists of which the corpus has no document, sorted.
    """

    test: tuple[Document, ...]
    training: tuple[Document, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What the benchmark found.

    Attributes
    ----------
    system
        The name of the linker in tables.
    report
        The evaluation of the test documents.
    why_not
        The reasons why the figures are not comparable with published ones; empty if they are.
    """

    system: str
    report: Report
    why_not: tuple[str, ...]

    @property
    def comparable(self) -> bool:
        """Whether the figures are comparable with published ones."""
        return not self.why_not


def split_by_ids(
    documents: Iterable[Document], test: Collection[str], training: Collection[str]
) -> Split:
    """Choose documents of a corpus by the ids of its test set and of its training set.

    Raises
    ------
    ConfigError
        When an id is in both sets, two of the chosen documents have the same id, or the corpus has
        no document of the test set.

    >>> corpus = [Document("1", "Fever."), Document("2", "Gout."), Document("3", "Asthma.")]
    >>> split = split_by_ids(corpus, ["2", "4"], ["1"])
    >>> [d.id for d in split.test], [d.id for d in split.training], split.missing
    (['2'], ['1'], ('4',))
    """
    of_test, of_training = frozenset(test), frozenset(training)
    both = min(of_test & of_training, default=None)
    if both is not None:
        raise ConfigError(f"the id {both} is both of a test and of a training document")
    found: dict[str, Document] = {}
    for document in documents:
        if document.id in of_test or document.id in of_training:
            if document.id in found:
                raise ConfigError(
                    f"the corpus has two documents with the id {document.id}; expected one"
                )
            found[document.id] = document
    if of_test.isdisjoint(found):
        raise ConfigError(
            "the corpus has none of the test documents; expected the ids of some of its documents"
        )
    return Split(
        tuple(d for d in found.values() if d.id in of_test),
        tuple(d for d in found.values() if d.id in of_training),
        tuple(sorted((of_test | of_training) - found.keys())),
    )


def why_not_comparable(test: Sequence[Document], concepts: int, seen: int) -> tuple[str, ...]:
    """Return the reasons why figures are not comparable with published ones.

    Parameters
    ----------
    test
        The test documents.
    concepts
        The number of concepts of the knowledge base.
    seen
        The number of test documents on which the model was trained.
    """
    reasons = []
    if digest_of_ids(document.id for document in test) != _TEST:
        reasons.append(f"these {counted(len(test), 'document')} are not the 879 test documents")
    annotations = sum(len(document.mentions) for document in test)
    if annotations != _ANNOTATIONS:
        reasons.append(
            f"they have {counted(annotations, 'annotation')}, and the release of ST21pv has "
            f"{_ANNOTATIONS:,}"
        )
    if abs(concepts - _CONCEPTS) > _DIFFERENCE * _CONCEPTS:
        reasons.append(
            f"the knowledge base has {counted(concepts, 'concept')}, and ST21pv of UMLS 2017AA has "
            f"{_CONCEPTS:,}"
        )
    if seen:
        reasons.append(f"the model was trained on {seen:,} of the test documents")
    return tuple(reasons)


def linked_untyped(
    link: Callable[[Sequence[Document]], Iterable[Document]], documents: Sequence[Document]
) -> Iterator[Document]:
    """Link annotated mentions without telling the linker their types, and yield them with types.

    The published systems were not told the annotated types either. Besides, ST21pv annotates one of
    21 types while the concept has a type below it, so a linker that compares the two is misled.

    Parameters
    ----------
    link
        Links the mentions of documents; documents and mentions stay in order.
    documents
        The annotated documents.
    """
    untyped = [d.with_mentions(replace(m, type="") for m in d.mentions) for d in documents]
    for document, linked in zip(documents, link(untyped), strict=True):
        yield linked.with_mentions(
            replace(mention, type=annotated.type)
            for annotated, mention in zip(document.mentions, linked.mentions, strict=True)
        )
