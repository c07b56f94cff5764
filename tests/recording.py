"""A NIL policy that records the evidence it gets, for tests of linkers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from biolink.bench.partial_kb import evidence_in
from biolink.bench.scoring import Part
from biolink.documents import Document
from biolink.infer.decide.nil import NilEvidence, combined_features
from biolink.infer.linkers.mention_linker import Linker
from biolink.infer.linkers.piping import Piping

__all__ = ["Recorder", "check_evidence_of_benchmark"]


@dataclass(frozen=True)
class Recorder:
    """Keeps every link, and records the evidence for it."""

    asked: list[NilEvidence] = field(default_factory=list)
    whole: bool = True

    def reason(self, evidence: NilEvidence) -> str | None:
        self.asked.append(evidence)
        return None


def check_evidence_of_benchmark(linker: Piping, part: Part, documents: Sequence[Document]) -> int:
    """Check that a linker over a part and the benchmark have the same evidence for each mention.

    Returns
    -------
    How many mentions were compared.
    """
    recorder = Recorder()
    # As in the benchmark, mentions are found with the whole knowledge base.
    finding = {"recogniser": linker.recogniser} if isinstance(linker, Linker) else {}
    list(linker.with_kb(part.kb).with_settings(nil=recorder, **finding).pipe(documents))
    (of_whole,) = linker.find_under(documents, [part.kb.base])
    known = [evidence for d in of_whole for _, evidence in evidence_in(d, part)]
    assert len(known) == len(recorder.asked)
    # A linker may ask for the mentions of a document in another order.
    pairs = zip(sorted(recorder.asked, key=_key), sorted(known, key=_key), strict=True)
    for served, benchmarked in pairs:
        assert served.links[0].concept_id == benchmarked.links[0].concept_id
        assert combined_features(served) == pytest.approx(combined_features(benchmarked), abs=1e-4)
        assert served.named == benchmarked.named
    return len(known)


def _key(evidence: NilEvidence) -> tuple[str, float]:
    return evidence.links[0].concept_id, round(evidence.links[0].probability, 4)
