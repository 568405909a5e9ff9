"""Figures of a tuned model: its decisions on the test rows, what it goes by, and how it learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.outcomes import Costs
from training.evaluation.measures import Labels, Scores, mean_cost
from training.pictures.curves import Curve
from training.pictures.figures import empty

_POINTS = 200
_FEATURES = 25


def confusion(labels: Labels, decided: npt.NDArray[np.bool_]) -> Any:
    """Rows by truth and decision, and the share of the truth's rows."""
    figure, axes = empty("Decisions on the test rows", "decided", "truth")
    counts = np.array([[int(((labels == truth) & (decided == said)).sum()) for said in (0, 1)] for truth in (0, 1)])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for truth in (0, 1):
        for said in (0, 1):
            colour = "white" if shares[truth, said] > 0.5 else "black"
            text = f"{counts[truth, said]:,}\n{shares[truth, said]:.1%}"
            axes.text(said, truth, text, ha="center", va="center", color=colour)
    axes.set(xticks=[0, 1], yticks=[0, 1])
    return figure


def threshold_costs(labels: Labels, scores: Scores, threshold: float, costs: Costs) -> Any:
    """Mean cost of a row at every threshold, on the test rows; the chosen one was chosen on others."""
    figure, axes = empty("Cost of a row; dashed: the threshold", "threshold", "mean cost")
    tried = np.unique(np.quantile(scores, np.linspace(0, 1, _POINTS)))
    axes.plot(tried, [mean_cost(labels, scores >= one, costs) for one in tried])
    axes.axvline(threshold, linestyle="--", color="black")
    return figure


def bars(found: Mapping[str, float], title: str, x: str) -> Any:
    """The largest of them, from the top."""
    top = list(found.items())[:_FEATURES][::-1]
    figure, axes = empty(title, x, "", height=1.5 + 0.2 * len(top))
    axes.barh([name for name, _ in top], [value for _, value in top])
    return figure


def curve_figure(curve: Curve, title: str) -> Any:
    """Mean over the folds, and the span from the lowest to the highest."""
    figure, axes = empty(title, curve.x, "AUC")
    at = [point.at for point in curve.points]
    for name in ("training", "validation"):
        found = [getattr(point, name) for point in curve.points]
        axes.plot(at, [np.mean(one) for one in found], marker="o", label=f"{name} rows")
        axes.fill_between(at, [min(one) for one in found], [max(one) for one in found], alpha=0.2)
    if curve.log:
        axes.set_xscale("log")
    axes.set_xticks(at, [f"{one:.3g}" if isinstance(one, float) else f"{one:,}" for one in at])
    axes.minorticks_off()
    axes.legend()
    return figure
