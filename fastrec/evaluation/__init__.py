"""How good the answers are: metrics of ranked lists, the loop that asks a model, word tasks."""

from fastrec.evaluation.loop import Evaluation, evaluate
from fastrec.evaluation.metrics import METRIC_NAMES, Metric, parse_metrics
from fastrec.evaluation.word_tasks import (
    AnalogyEvaluation,
    SectionAccuracy,
    SimilarityEvaluation,
    evaluate_analogies,
    evaluate_similarity,
)

__all__ = [
    "METRIC_NAMES",
    "AnalogyEvaluation",
    "Evaluation",
    "Metric",
    "SectionAccuracy",
    "SimilarityEvaluation",
    "evaluate",
    "evaluate_analogies",
    "evaluate_similarity",
    "parse_metrics",
]
