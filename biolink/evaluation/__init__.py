"""Evaluation: measures, comparisons, baselines, thresholds and calibration."""

from biolink.evaluation.cases import Case, known_id
from biolink.evaluation.comparing import Comparison, compare
from biolink.evaluation.measures import Report, Scores, Slice, evaluate

__all__ = ["Case", "Comparison", "Report", "Scores", "Slice", "compare", "evaluate", "known_id"]
