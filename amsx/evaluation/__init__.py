"""Scoring detections under named protocols (NumPy only)."""

from amsx.evaluation.comparison import compare
from amsx.evaluation.scoring import evaluate, evaluate_all

__all__ = ["compare", "evaluate", "evaluate_all"]
