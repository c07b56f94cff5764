"""Calibration on development data, and the calibration error of probabilities.

Sources: isotonic regression of Zadrozny and Elkan (KDD 2002) and the logistic form of Platt (1999),
both as scikit-learn computes them; expected calibration error of Guo et al. (ICML 2017), section 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from biolink.documents import Document, each_document
from biolink.errors import ConfigError
from biolink.evaluation.cases import gold_of, known_id
from biolink.evaluation.statistics import BINS, bin_of
from biolink.infer.decide.calibration import Calibration, log_odds
from biolink.infer.decide.nil import Combination, NilEvidence, combined_features
from biolink.kb.bases import KnowledgeBases, base_of, need_base
from biolink.kb.knowledge_base import KnowledgeBase

__all__ = ["Calibrated", "calibrate", "expected_error", "fit_calibration", "fit_combination"]

Kind = Literal["isotonic", "platt"]
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, with its effect on documents on which it was not fitted.

    Attributes
    ----------
    calibration
        The calibration that was fitted on all documents.
    before, after
        Probabilities of the best links before and after calibration. For ``after`` the documents
        are split into five folds, and each fold is calibrated with a fit on the others.
    right
        Whether each link is right.
    """

    calibration: Calibration
    before: tuple[float, ...]
    after: tuple[float, ...]
    right: tuple[bool, ...]

    @property
    def error_before(self) -> float:
        """Expected calibration error before calibration."""
        return expected_error(self.before, self.right)

    @property
    def error_after(self) -> float:
        """Expected calibration error after calibration."""
        return expected_error(self.after, self.right)


def expected_error(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error over ten bins of equal width, weighted by their size.

    >>> round(expected_error([0.9, 0.9, 0.4], [True, False, False]), 3)
    0.4
    """
    values, truth = np.array(probabilities), np.array(right, dtype=float)
    if not len(values):
        return 0.0
    bins = bin_of(values)
    sums = np.bincount(bins, values, BINS) - np.bincount(bins, truth, BINS)
    return float(np.abs(sums).sum() / len(values))


def fit_calibration(
    probabilities: Sequence[float], right: Sequence[bool], kind: Kind = "isotonic"
) -> Calibration:
    """Fit a calibration to the probabilities of links and to whether each link is right.

    Raises
    ------
    ConfigError
        When all links are right, or none is.
    """
    if len(set(right)) < 2:
        raise ConfigError("a calibration needs links that are right and links that are wrong")
    truth = np.array(right, dtype=int)
    if kind == "platt":
        from sklearn.linear_model import LogisticRegression

        odds = np.array([[log_odds(p)] for p in probabilities])
        fitted = LogisticRegression(C=1e6, max_iter=1000).fit(odds, truth)
        return Calibration("platt", (float(fitted.coef_[0, 0]),), (float(fitted.intercept_[0]),))
    from sklearn.isotonic import IsotonicRegression

    isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    isotonic.fit(np.array(probabilities), truth)
    return Calibration(
        "isotonic",
        tuple(map(float, isotonic.X_thresholds_)),
        tuple(map(float, isotonic.y_thresholds_)),
    )


def calibrate(
    documents: Iterable[Document],
    kb: KnowledgeBase | KnowledgeBases,
    kind: Kind = "isotonic",
) -> Calibrated:
    """Calibrate the probabilities of linked development documents.

    Parameters
    ----------
    documents
        Documents with gold concepts that were linked without a NIL policy and without a
        calibration. A link is right if it is so by the strict measure of :func:`biolink.evaluate`,
        and wrong if the mention has no gold concept.
    kb
        The linker's knowledge base, ``linker.kb``, or its knowledge bases, ``linker.bases``. It
        resolves ids.
    kind
        The form of the calibration.

    Raises
    ------
    ConfigError
        When the documents are too few to fit a calibration.
    """
    probabilities: list[float] = []
    right: list[bool] = []
    folds: list[int] = []
    need_base(kb)
    for number, document in enumerate(each_document(documents, "calibrate")):
        for mention in document.mentions:
            if mention.best is not None:
                probabilities.append(mention.best.probability)
                base = base_of(kb, mention.type)
                best = known_id(mention.best.concept_id, base)
                right.append(best in gold_of(mention, base).right)
                folds.append(number % _FOLDS)
    calibration = fit_calibration(probabilities, right, kind)
    after = np.array(probabilities)
    for fold in set(folds):
        rest = [i for i, other in enumerate(folds) if other != fold]
        of_rest = [right[i] for i in rest]
        if len(set(of_rest)) < 2:
            raise ConfigError("too few documents to judge a calibration: some folds have no errors")
        fitted = fit_calibration([probabilities[i] for i in rest], of_rest, kind)
        for i, other in enumerate(folds):
            if other == fold:
                after[i] = fitted(probabilities[i])
    return Calibrated(calibration, tuple(probabilities), tuple(map(float, after)), tuple(right))


def fit_combination(
    evidence: Sequence[NilEvidence], right: Sequence[bool], value: float = 0.5
) -> Combination:
    """Fit a :class:`biolink.infer.decide.nil.Combination` to development data.

    Parameters
    ----------
    evidence, right
        The evidence for each mention, and whether its best link is right.
    value
        The threshold of the combination.

    Raises
    ------
    ConfigError
        When all links are right, or none is.
    """
    from sklearn.linear_model import LogisticRegression

    if len(set(right)) < 2:
        raise ConfigError("a combination needs links that are right and links that are wrong")
    features = np.array([combined_features(of_mention) for of_mention in evidence])
    # The first feature is one: its weight is the intercept.
    fitted = LogisticRegression(C=1.0, fit_intercept=False, max_iter=1000)
    fitted.fit(features, np.array(right, dtype=int))
    return Combination(tuple(map(float, fitted.coef_[0])), value)
