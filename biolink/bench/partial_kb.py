"""The partial-KB benchmark: all settings and paradigms on one corpus.

Source: Partial KB inference (Yuan, Lu, Yuan; BioNLP 2023). A system that was trained for a whole
knowledge base links to a part of it without further training. Only annotations with concepts of
the part count as gold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from biolink.bench.predictions import Progress, digest, predictions
from biolink.bench.scoring import Guess, Part, PartialScores, gold_of, guesses_of, score
from biolink.documents import Document, Mention
from biolink.evaluation.calibrating import fit_combination
from biolink.evaluation.statistics import sweep
from biolink.infer.decide.nil import COMBINED, Combination, Margin, NilEvidence, NilPolicy
from biolink.infer.decide.outcome import evidence
from biolink.infer.linkers.piping import Piping
from biolink.kb.model_folder import digest_of, sealed_names
from biolink.kb.types import type_name

__all__ = ["Corpus", "Result", "Setup", "run_benchmark"]

#: The paradigms, by the names of the paper.
PARADIGMS = ("NER-NED", "NED-NER", "generation")
#: The number of links that are stored for a mention, from which those into a part are chosen.
_LINKS_STORED = 20
#: The version of stored predictions; those of another version are computed again.
_VERSION = "with the probability of NIL"
_MARGINS = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True)
class Corpus:
    """Documents with gold concepts.

    Attributes
    ----------
    development
        Documents on which thresholds are tuned.
    test
        Documents for which scores are reported.
    """

    development: Sequence[Document]
    test: Sequence[Document]


@dataclass(frozen=True)
class Setup:
    """A trained system.

    Attributes
    ----------
    paradigm
        One of :data:`PARADIGMS`.
    name
        The system's name in tables.
    linker
        The linker over the whole knowledge base.
    in_part
        Name of a part -> the system that was trained only on annotations of that part.
    for_development
        The linker for the development documents, if the linker itself was trained on them.
    """

    paradigm: str
    name: str
    linker: Piping
    in_part: Mapping[str, Piping] = field(default_factory=dict)
    for_development: Piping | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the table.

    Attributes
    ----------
    paradigm, system
        The paradigm and the name of the :class:`Setup`.
    setting
        How the system was applied to the part: ``full``, ``direct``, ``thresholding``, ...
    part
        The name of the part.
    scores
        Its scores on the test documents.
    tuned
        The value that was chosen on the development documents, in words; empty without one.
    """

    paradigm: str
    system: str
    setting: str
    part: str
    scores: PartialScores
    tuned: str = ""


def run_benchmark(
    setups: Sequence[Setup],
    corpus: Corpus,
    whole: Part,
    parts: Sequence[Part],
    folder: Path,
    progress: Progress = lambda what, done, size: None,
    seed: int = 0,
) -> list[Result]:
    """Run all settings of all systems.

    Parameters
    ----------
    setups
        The trained systems.
    corpus
        The documents.
    whole, parts
        The knowledge base of the training, and its parts to which the systems link.
    folder
        The folder of the stored predictions; predictions that are there are not computed again.
    progress
        Called while documents are predicted.
    seed
        Seed of the bootstrap.
    """
    results: list[Result] = []
    for setup in setups:
        runs = _Runs(setup, corpus, whole, parts, folder, progress, seed)
        results += runs.results()
    return results


@dataclass
class _Runs:
    """The predictions of one system, and their scores."""

    setup: Setup
    corpus: Corpus
    whole: Part
    parts: Sequence[Part]
    folder: Path
    progress: Progress
    seed: int

    def results(self) -> list[Result]:
        test = self._predicted("test")
        results = [self._result("full", self.whole, _guesses(test[self.whole.name]))]
        development = self._predicted("development")
        for part in self.parts:
            inside = self.setup.in_part.get(part.name)
            if inside is not None:
                trained = self._own(inside, part)
                results.append(self._result("in-KB training", part, _guesses(trained)))
            direct = _guesses(test[part.name])
            results.append(self._result("direct", part, direct))
            threshold = self._threshold(part, _guesses(development[part.name]))
            results.append(
                self._result(
                    "thresholding", part, _above(direct, threshold), f"threshold {threshold:.3f}"
                )
            )
            of_whole = test[self.whole.name]
            pruned = self._chosen(of_whole, part, Margin(0.0), by_type=False)
            results.append(self._result("post-pruning", part, pruned))
            results += self._ours(part, of_whole, development[self.whole.name])
        return results

    def _result(
        self, setting: str, part: Part, guesses: Sequence[Sequence[Guess]], tuned: str = ""
    ) -> Result:
        scores = score(self.corpus.test, guesses, part, self.seed)
        return Result(self.setup.paradigm, self.setup.name, setting, part.name, scores, tuned)

    # ------------------------------------------------------------------ predicting

    def _predicted(self, split: str) -> dict[str, list[Document]]:
        """Name -> predicted documents, for the whole knowledge base and for each part."""
        linker = self.setup.linker
        documents = self.corpus.test
        if split == "development":
            linker = self.setup.for_development or linker
            documents = self.corpus.development
        targets = [self.whole, *self.parts]
        names = [self._file(linker, target, split, documents) for target in targets]
        predict = _predict_under(linker, targets)
        predicted = predictions(self.folder, names, documents, predict, self.progress)
        return {target.name: docs for target, docs in zip(targets, predicted, strict=True)}

    def _own(self, linker: Piping, part: Part) -> list[Document]:
        """The test documents as predicted by a system that was trained only on the part."""
        name = self._file(linker, part, "test", self.corpus.test)
        predict = _predict_under(linker, [part])
        return predictions(self.folder, [name], self.corpus.test, predict, self.progress)[0]

    def _file(self, linker: Piping, target: Part, split: str, documents: Sequence[Document]) -> str:
        key = digest(
            _fingerprint(linker), target.kb.fingerprint, [[d.id, d.text] for d in documents]
        )
        words = (self.setup.paradigm, target.name, split, key)
        return "-".join("".join(c if c.isalnum() else "_" for c in word) for word in words)

    # ------------------------------------------------------------------ tuning

    def _threshold(self, part: Part, guesses: Sequence[Sequence[Guess]]) -> float:
        """The threshold of the probability with the best F1 on the development documents."""
        right: list[bool] = []
        values: list[float] = []
        wanted = 0
        for document, of_document in zip(self.corpus.development, guesses, strict=True):
            gold = gold_of(document, part)
            wanted += len(gold)
            values += [guess.probability for guess in of_document]
            right += [guess.concept_id in gold.get(guess.span, ()) for guess in of_document]
        return best_threshold(values, right, wanted)

    def _chosen(
        self, documents: Sequence[Document], part: Part, policy: NilPolicy, by_type: bool
    ) -> list[list[Guess]]:
        """Links into a part, chosen by a NIL policy from predictions for the whole."""
        missing = self._missing_types(part) if by_type else set()
        chosen: list[list[Guess]] = []
        for document in documents:
            of_document = []
            for mention, known in evidence_in(document, part):
                if type_name(mention.type) not in missing and policy.reason(known) is None:
                    best = known.links[0]
                    span = (mention.start, mention.end)
                    of_document.append(Guess(span, best.concept_id, best.probability))
            chosen.append(of_document)
        return chosen

    def _missing_types(self, part: Part) -> set[str]:
        """Types of the whole that the part lacks; the trained recogniser leaves them out, too."""
        whole = {type_name(kind) for kind in self.whole.kb.types}
        return whole - {type_name(kind) for kind in part.kb.types}

    def _ours(
        self, part: Part, test: Sequence[Document], development: Sequence[Document]
    ) -> list[Result]:
        """Results of our own two policies, which choose from predictions for the whole."""
        margin = max(
            _MARGINS,
            key=lambda value: self._development_f1(
                part, self._chosen(development, part, Margin(value), by_type=True)
            ),
        )
        results = [
            self._result(
                "ours: margin",
                part,
                self._chosen(test, part, Margin(margin), by_type=True),
                f"margin {margin:g}",
            )
        ]
        combination = self._combination(part, development)
        results.append(
            self._result(
                "ours: calibrated combination",
                part,
                self._chosen(test, part, combination, by_type=True),
                f"threshold {combination.value:.3f}",
            )
        )
        return results

    def _development_f1(self, part: Part, guesses: Sequence[Sequence[Guess]]) -> float:
        right = sum(
            guess.concept_id in gold_of(document, part).get(guess.span, ())
            for document, of_document in zip(self.corpus.development, guesses, strict=True)
            for guess in of_document
        )
        wanted = sum(len(gold_of(document, part)) for document in self.corpus.development)
        return 2 * right / max(1, wanted + sum(map(len, guesses)))

    def _combination(self, part: Part, development: Sequence[Document]) -> Combination:
        missing = self._missing_types(part)
        every: list[NilEvidence] = []
        right: list[bool] = []
        wanted = 0
        for document, annotated in zip(development, self.corpus.development, strict=True):
            gold = gold_of(annotated, part)
            wanted += len(gold)
            for mention, known in evidence_in(document, part):
                if type_name(mention.type) not in missing:
                    every.append(known)
                    ids = gold.get((mention.start, mention.end), ())
                    right.append(known.links[0].concept_id in ids)
        if len(set(right)) < 2:
            # All links are right or all are wrong, so nothing can be fitted: keep every link.
            return Combination((0.0,) * len(COMBINED), 0.0)
        fitted = fit_combination(every, right)
        values = [fitted.probability(known) for known in every]
        return replace(fitted, value=best_threshold(values, right, wanted))


def best_threshold(values: Sequence[float], right: Sequence[bool], wanted: int) -> float:
    """Return the threshold with the best F1; links at or above it are kept, and 0 keeps all."""
    if not values:
        return 0.0
    swept = sweep(values, right, wanted)
    best = int(np.argmax(swept.f1))
    if best + 1 == len(swept.values):
        return 0.0
    # The threshold lies halfway between the lowest value kept and the highest value dropped.
    return float((swept.values[best] + swept.values[best + 1]) / 2)


def evidence_in(document: Document, part: Part) -> list[tuple[Mention, NilEvidence]]:
    """Return the mentions that have a link into a part, each with its evidence for NIL.

    The document was linked to the whole knowledge base. The evidence is the same as that of a
    linker over the part under a policy that compares with the whole
    (:func:`biolink.infer.decide.outcome.evidence`). Mentions without a link into the part are left
    out.
    """
    known = []
    for mention in document.mentions:
        inside = [link for link in mention.links if link.concept_id in part.kb]
        outside = next((link for link in mention.links if link.concept_id not in part.kb), None)
        if inside:
            known.append((mention, evidence(mention, inside, outside, part.kb)))
    return known


def _guesses(documents: Sequence[Document]) -> list[list[Guess]]:
    return [guesses_of(document) for document in documents]


def _above(guesses: Sequence[Sequence[Guess]], threshold: float) -> list[list[Guess]]:
    return [
        [guess for guess in of_document if guess.probability >= threshold]
        for of_document in guesses
    ]


def _predict_under(
    linker: Piping, targets: Sequence[Part]
) -> Callable[[Sequence[Document]], Sequence[Sequence[Document]]]:
    """A function that finds mentions and links them under every target, with enough links each."""
    several = {"top_k": _LINKS_STORED} if hasattr(linker.options, "top_k") else {}
    with_several = linker.with_settings(**several)

    def predict(documents: Sequence[Document]) -> Sequence[Sequence[Document]]:
        return with_several.find_under(documents, [target.kb for target in targets])

    return predict


def _fingerprint(linker: Piping) -> list[Any]:
    """The values on which predictions depend besides the documents and the target."""
    folder: Path | None = linker.model.folder
    digests = [] if folder is None else [digest_of(folder, name) for name in sealed_names(folder)]
    return [_VERSION, linker.model.weights_fingerprint, sorted(digests), repr(linker.options)]
