"""Scoring detections under named protocols (NumPy only)."""

from amsx.evaluation.columns import Columns
from amsx.evaluation.comparison import Comparison, compare
from amsx.evaluation.scoring import Evaluation, evaluate, evaluate_all
from amsx.evaluation.selection import Selection

__all__ = ["Columns", "Comparison", "Evaluation", "Selection", "compare", "evaluate", "evaluate_all"]
