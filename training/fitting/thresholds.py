"""Thresholds: at which score to decide positively, by the rule of training.yaml. Chosen on validation rows only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contracts.outcomes import Costs
from training.configuration.config import Threshold
from training.errors import DataError
from training.evaluation.measures import Labels, Scores, best_f1_threshold


def choose_threshold(rule: Threshold, labels: Labels, scores: Scores, costs: Costs) -> float:
    """The score at and above which rows are decided positively. Raises DataError where no score reaches the target."""
    if rule.rule == "fixed" and rule.value is not None:
        return rule.value
    if rule.rule == "cost":
        return cheapest(labels, scores, costs)
    if rule.rule == "precision" and rule.target is not None:
        return at_precision(labels, scores, rule.target)
    return best_f1_threshold(labels, scores)


def said(rule: Threshold) -> str:
    """The rule, for people."""
    if rule.rule == "fixed":
        return f"fixed at {rule.value:g}"
    if rule.rule == "precision":
        return f"most positives found at precision {rule.target:g} on the validation rows"
    return {"cost": "least cost on the validation rows", "best_f1": "best F1 on the validation rows"}[rule.rule]


def cheapest(labels: Labels, scores: Scores, costs: Costs) -> float:
    """Where the sum of the costs is least; the highest of several; just above all scores where deciding nothing is.

    >>> cheapest(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]), Costs(false_negative=5.0))
    0.2
    """
    counts = _counts(labels, scores)
    total = (
        counts.true_positives * costs.true_positive
        + counts.false_positives * costs.false_positive
        + (labels.sum() - counts.true_positives) * costs.false_negative
        + (len(labels) - labels.sum() - counts.false_positives) * costs.true_negative
    )
    nothing = labels.sum() * costs.false_negative + (len(labels) - labels.sum()) * costs.true_negative
    if nothing < total.min():
        return float(np.nextafter(scores.max(), np.inf))
    return float(counts.thresholds[int(total.argmin())])


def at_precision(labels: Labels, scores: Scores, target: float) -> float:
    """The lowest score at which precision reaches the target, so that recall is largest. Raises DataError.

    >>> at_precision(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]), 0.6)
    0.2
    """
    counts = _counts(labels, scores)
    precision = counts.true_positives / (counts.true_positives + counts.false_positives)
    reached = np.flatnonzero(precision >= target)
    if not reached.size:
        raise DataError(
            f"threshold.target {target:g}: the model reaches a precision of at most {precision.max():.3f} on the "
            "validation rows: lower the target, or choose the threshold by another rule"
        )
    return float(counts.thresholds[reached[-1]])


class _Counts:
    """thresholds: distinct scores, falling. true_positives, false_positives: rows at or above each."""

    def __init__(self, thresholds: Scores, true: npt.NDArray[np.int64], false: npt.NDArray[np.int64]) -> None:
        self.thresholds, self.true_positives, self.false_positives = thresholds, true, false


def _counts(labels: Labels, scores: Scores) -> _Counts:
    order = np.argsort(-scores, kind="stable")
    falling, positives = scores[order], np.cumsum(labels[order])
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    return _Counts(falling[last], positives[last], last + 1 - positives[last])
