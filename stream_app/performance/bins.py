"""The bins that outcomes are counted in, and the value that each stands for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.binning import Bins
from contracts.errors import InvalidBaseline

Floats = npt.NDArray[np.float64]
INNER, OUTER = 64, 10
"""Bins of equal width over the middle of a regression's values, and on each side bins that double in width."""
_MIDDLE = (0.001, 0.999)


def classifies(baseline: Baseline) -> bool:
    """Whether the model is a classifier; a regression has residuals, or scores that are no probabilities and that
    nobody decides by."""
    if baseline.residuals is not None:
        return False
    return baseline.outcomes is not None or baseline.threshold is not None or scores_are_probabilities(baseline)


def scores_are_probabilities(baseline: Baseline) -> bool:
    """Whether every score of the reference lies from 0 to 1. A baseline without scores is taken at its model's word."""
    bins = _score_bins(baseline)
    return not baseline.score.histogram.known or (bins.lowest >= 0 and bins.highest <= 1)


def score_edges_of(baseline: Baseline) -> Floats:
    """Edges of the score's bins, shape (bins - 1,)."""
    return _score_bins(baseline).edge_array


def residual_edges_of(baseline: Baseline) -> Floats:
    """Edges of a regression's joint histogram: those of its residuals, or else fitted to the bins of its score."""
    if baseline.residuals is not None:
        return np.array(baseline.residuals.edges, dtype=np.float64)
    bins = _score_bins(baseline)
    return residual_edges(np.repeat(np.array([bins.lowest, bins.highest]), 2))


def residual_edges(values: Floats) -> Floats:
    """Edges for predictions and truths together. values: both, at least one, finite.

    Equal widths where nearly all values are, and beyond on each side widths that double: a model whose errors explode
    is still told apart from one that is a little off.

    >>> residual_edges(np.linspace(0.0, 64.0, 100_001)).round(1)[[9, 10, 11, 74, 75]].tolist()
    [-0.9, 0.1, 1.1, 63.9, 64.9]
    """
    low, high = np.quantile(values, _MIDDLE)
    if low == high:
        low, high = low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2
    width = (high - low) / INNER
    beyond = width * (2.0 ** np.arange(1, OUTER + 1) - 1)
    inner = low + width * np.arange(INNER + 1)
    inner[-1] = high
    return np.concatenate([low - beyond[::-1], inner, high + beyond])


def _score_bins(baseline: Baseline) -> Bins:
    if not isinstance(baseline.score.bins, Bins):
        raise InvalidBaseline(f"{baseline.key}: the score's bins are levels; fit the baseline anew")
    return baseline.score.bins
