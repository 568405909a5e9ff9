"""How good scores are against labels, and which threshold to decide at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
)

from contracts.outcomes import Costs

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def best_f1_threshold(labels: Labels, scores: Scores) -> float:
    """The score at which deciding `score >= threshold` gives the largest F1 on these rows (the highest such score).

    F1 = 2 PR / (P + R), with precision P and recall R of class 1.

    >>> best_f1_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.35
    """
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = f1[:-1].max()  # the last point of the curve has no threshold
    return float(thresholds[np.flatnonzero(f1[:-1] >= best)[-1]])


def evaluate(labels: Labels, scores: Scores, threshold: float) -> dict[str, float]:
    """Metrics of scores (probability of class 1) against labels 0 and 1; per class at `threshold`.

    auc, average_precision, log_loss (natural logarithm), brier; precision_0, recall_0, f1_0 and the same for class 1;
    positive_rate: share of rows decided positively; base_rate: share of rows that are positive.
    """
    decided = (scores >= threshold).astype(np.int64)
    precision, recall, f1, _ = precision_recall_fscore_support(labels, decided, labels=[0, 1], zero_division=0.0)
    per_class = {
        f"{name}_{value}": float(numbers[value])
        for name, numbers in (("precision", precision), ("recall", recall), ("f1", f1))
        for value in (0, 1)
    }
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "average_precision": float(average_precision_score(labels, scores)),
        "log_loss": float(log_loss(labels, scores)),
        "brier": float(brier_score_loss(labels, scores)),
        **per_class,
        "positive_rate": float(decided.mean()),
        "base_rate": float(labels.mean()),
    }


def measure(labels: Labels, scores: Scores, threshold: float, costs: Costs) -> dict[str, float]:
    """The metrics of evaluate(), with calibration_error and cost."""
    return {
        **evaluate(labels, scores, threshold),
        "calibration_error": calibration_error(labels, scores),
        "cost": mean_cost(labels, scores >= threshold, costs),
    }


def calibration_error(labels: Labels, scores: Scores, groups: int = 10) -> float:
    """Expected calibration error over groups of about equally many rows; rows of one score are never in two groups, so
    the order of the rows tells nothing:

    ECE = sum over groups of (rows of the group / rows) * |share of positives - mean score|

    Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015. Equal
    rows, not equal widths: of a rare class nearly all scores lie in the lowest tenth (Nixon et al. 2019).

    >>> round(calibration_error(np.array([0, 0, 1, 1]), np.array([0.1, 0.1, 0.8, 0.8]), groups=2), 9)
    0.15
    """
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, groups + 1)[1:-1]))
    apart = np.bincount(np.searchsorted(edges, scores, side="right"), weights=scores - labels)
    return float(np.abs(apart).sum() / labels.size)


def mean_cost(labels: Labels, decided: npt.NDArray[np.bool_], costs: Costs) -> float:
    """Mean cost of a row's decision."""
    each = np.where(
        labels == 1,
        np.where(decided, costs.true_positive, costs.false_negative),
        np.where(decided, costs.false_positive, costs.true_negative),
    )
    return float(each.mean())
