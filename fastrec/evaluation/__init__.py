"""How good the ranked lists are: the metrics and the loop that asks a model every query."""

from fastrec.evaluation.loop import Evaluation, evaluate
from fastrec.evaluation.metrics import METRIC_NAMES, Metric, parse_metrics

__all__ = ["METRIC_NAMES", "Evaluation", "Metric", "evaluate", "parse_metrics"]
