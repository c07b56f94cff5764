"""Published results, in percent.

Sources: for partial-KB inference on the test documents of BC5CDR, Partial KB inference (Yuan, Lu,
Yuan; BioNLP 2023), results on MEDIC and on MeSH without MEDIC. For MedMentions ST21pv, BioBART
(Yuan et al.; BioNLP 2022) with the note on its second version, ANGEL (Kim et al.; ACL Findings
2025), and, by the strict measure, BELB's protocol with the figures that were published for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["MEDMENTIONS", "PUBLISHED", "Row", "digest_of_ids"]


class Row(NamedTuple):
    """A system in a setting: EL precision, recall and F1, NER F1 and NED accuracy, in percent."""

    paradigm: str
    system: str
    setting: str
    precision: float
    recall: float
    f1: float
    ner_f1: float
    ned_accuracy: float


_ENTQA = ("NED-NER", "EntQA")
_GENRE = ("generation", "GENRE")
_TWO = ("NER-NED", "KeBioLM + CODER")

#: "part" (the concepts of a list) or "complement" (the others) -> published rows.
PUBLISHED: dict[str, tuple[Row, ...]] = {
    "part": (
        Row(*_ENTQA, "in-KB training", 81.27, 71.34, 75.98, 88.16, 92.14),
        Row(*_ENTQA, "direct", 81.92, 70.45, 75.75, 87.99, 90.95),
        Row(*_ENTQA, "post-pruning", 62.97, 64.99, 63.96, 84.10, 80.76),
        Row(*_GENRE, "in-KB training", 65.65, 68.38, 66.99, 78.56, 85.26),
        Row(*_GENRE, "direct", 31.53, 68.19, 43.12, 51.76, 83.30),
        Row(*_GENRE, "thresholding", 76.32, 59.25, 66.71, 72.43, 92.11),
        Row(*_GENRE, "post-pruning", 69.31, 68.59, 68.95, 79.92, 86.27),
        Row(*_TWO, "in-KB training", 63.98, 68.47, 66.15, 82.94, 80.48),
        Row(*_TWO, "direct", 29.24, 68.38, 40.96, 51.29, 80.20),
        Row(*_TWO, "thresholding", 79.20, 65.08, 71.45, 78.46, 91.07),
        Row(*_TWO, "post-pruning", 69.03, 65.27, 67.10, 78.48, 85.49),
    ),
    "complement": (
        Row(*_ENTQA, "in-KB training", 86.87, 69.30, 77.10, 90.08, 94.44),
        Row(*_ENTQA, "direct", 87.10, 66.92, 75.69, 89.14, 93.23),
        Row(*_ENTQA, "post-pruning", 80.02, 63.11, 70.57, 86.42, 77.84),
        Row(*_GENRE, "in-KB training", 69.96, 62.02, 65.75, 85.52, 76.89),
        Row(*_GENRE, "direct", 37.55, 65.33, 47.69, 62.32, 76.52),
        Row(*_GENRE, "thresholding", 69.05, 56.99, 62.45, 74.86, 83.41),
        Row(*_GENRE, "post-pruning", 69.46, 66.29, 67.83, 86.47, 78.45),
        Row(*_TWO, "in-KB training", 77.52, 80.65, 79.05, 92.82, 85.18),
        Row(*_TWO, "direct", 42.57, 80.67, 55.73, 65.63, 84.92),
        Row(*_TWO, "thresholding", 86.32, 77.04, 81.41, 83.35, 97.68),
        Row(*_TWO, "post-pruning", 69.17, 80.67, 74.48, 87.27, 85.34),
    ),
}

#: Measure -> system -> Recall@1 on the test documents of MedMentions ST21pv, in percent. By the
#: lenient measure, every concept that has the returned name counts; by the strict one, a single
#: concept does, and a name that several concepts share is wrong.
MEDMENTIONS: dict[str, dict[str, float]] = {
    "lenient": {
        "BART-base": 69.77,
        "BioBART-base": 71.15,
        "BART-large": 71.49,
        "BioBART-large": 71.78,
        "BioBART-v2-large": 70.80,
        "GenBioEL, as reproduced by ANGEL's authors": 70.7,
        "ANGEL": 73.3,
    },
    "strict": {
        "GenBioEL": 41.16,
        "GenBioEL, names disambiguated (BELHD's rewriting)": 64.59,
        "ANGEL": 58.22,
        "BELHD": 70.58,
        "BELXTR": 69.47,
    },
}


def digest_of_ids(ids: Iterable[str]) -> str:
    """Return a digest of ids in any order, by which the documents of a test set are recognised.

    >>> digest_of_ids(["2", "1"]) == digest_of_ids(["1", "2"])
    True
    """
    return hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()
