"""Four figures of a classifier on rows it has not seen: ROC, precision and recall, calibration, scores by class."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

from training.evaluation.measures import Labels, Scores

_POINTS = 500


def figures(labels: Labels, scores: Scores, threshold: float) -> dict[str, Any]:
    """File name -> matplotlib figure (made without pyplot: no display, no global state)."""
    return {
        "roc.png": _roc(labels, scores),
        "precision_recall.png": _precision_recall(labels, scores),
        "calibration.png": _calibration(labels, scores),
        "scores.png": _scores(labels, scores, threshold),
    }


def _roc(labels: Labels, scores: Scores) -> Any:
    false_positives, true_positives, _ = roc_curve(labels, scores)
    figure, axes = empty("ROC", "false positive rate", "true positive rate")
    axes.plot(*_thin(false_positives, true_positives))
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    return figure


def _precision_recall(labels: Labels, scores: Scores) -> Any:
    precision, recall, _ = precision_recall_curve(labels, scores)
    figure, axes = empty("Precision and recall", "recall", "precision")
    axes.plot(*_thin(recall, precision))
    axes.axhline(labels.mean(), linestyle=":", color="grey")
    return figure


def _calibration(labels: Labels, scores: Scores) -> Any:
    share, mean = calibration_curve(labels, scores, n_bins=15, strategy="quantile")
    figure, axes = empty("Calibration", "mean score", "share of positives")
    axes.plot(mean, share, marker="o")
    axes.plot([0, mean.max()], [0, mean.max()], linestyle=":", color="grey")
    return figure


def _scores(labels: Labels, scores: Scores, threshold: float) -> Any:
    figure, axes = empty("Scores by class; dashed: threshold", "score", "density")
    edges = np.linspace(0, 1, 61)
    for value in (0, 1):
        axes.hist(scores[labels == value], bins=edges, density=True, alpha=0.5, label=f"label {value}")
    axes.axvline(threshold, linestyle="--", color="black")
    axes.legend()
    return figure


def empty(title: str, x: str, y: str, height: float = 4.0) -> tuple[Any, Any]:
    """A figure and its axes; height in inches."""
    figure = Figure(figsize=(5, height), dpi=90, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _thin(x: Scores, y: Scores) -> tuple[Scores, Scores]:
    keep = np.unique(np.linspace(0, x.size - 1, min(_POINTS, x.size)).astype(int))
    return x[keep], y[keep]
