"""How far a regression's predictions are off: mean absolute error, root mean squared error and bias, from a joint
histogram of prediction and truth.

Each row counts as the difference of the middles of its two bins. A row's own error is within one width of the bins h
of that; over rows the differences cancel, and what they add to the mean of squares, h^2/12 for each of the two bins, is
taken off (Sheppard's correction; Kendall and Stuart, "The Advanced Theory of Statistics", vol. 1, section 3.18). With
64 bins over the middle of the values the three are right to a hundredth of the errors' own size as long as that is no
less than half a width, on values without a heavy tail; below, they are right to a fraction of a width.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from contracts.outcomes import Residuals
from stream_app.performance.bins import Floats
from stream_app.performance.intervals import normal
from stream_app.performance.measured import Found, Spread


def residual_measures(residuals: Residuals) -> list[Found]:
    """mae, rmse and bias (mean of prediction less truth), or nothing without a row. Intervals: of means of many rows,
    and for the root by the delta method."""
    middles, widths = _middles(np.array(residuals.edges, dtype=np.float64))
    size = middles.size
    counts = np.array(residuals.counts, dtype=np.float64).reshape(size, size)
    n = float(counts.sum())
    if n == 0:
        return []
    error = middles[:, np.newaxis] - middles[np.newaxis, :]
    narrow = min(widths) ** 2  # the wide bins far out hold too few rows to be spread evenly

    def mean(values: Floats) -> float:
        return float((counts * values).sum()) / n

    size_of, bias = np.abs(error), mean(error)
    mae = mean(size_of)
    square = max(mean(error**2) - narrow / 6, mae**2)  # a root mean square is no less than the mean size
    rmse = sqrt(square)
    of_mae = Spread(any=max(0.0, mean(size_of**2) - mae**2))
    of_bias = Spread(any=max(0.0, square - bias**2))
    fourth = max(0.0, mean(error**4) - mean(error**2) ** 2)
    of_rmse = Spread(any=fourth / (4 * square) if square > 0 else 0.0)
    return [
        Found("mae", mae, "lower", normal(mae, of_mae.any / n, least=0.0), of_mae),
        Found("rmse", rmse, "lower", normal(rmse, of_rmse.any / n, least=0.0), of_rmse),
        Found("bias", bias, "zero", normal(bias, of_bias.any / n), of_bias),
    ]


def _middles(edges: Floats) -> tuple[Floats, Floats]:
    """The value that each bin stands for, and its width; the open ones are as wide as their neighbours."""
    width = np.diff(edges)
    bounds = np.concatenate([[edges[0] - width[0]], edges, [edges[-1] + width[-1]]])
    return (bounds[:-1] + bounds[1:]) / 2, np.diff(bounds)
