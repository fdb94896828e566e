"""Scoring detections under named protocols (NumPy only)."""

from amsx.evaluation.scoring import evaluate

__all__ = ["evaluate"]
