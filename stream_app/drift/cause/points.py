"""A histogram as values with weights, so that it can be pushed through a transform and counted again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.binning import Bins

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

PER_BIN = 9
_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.01)
_FEWEST_EDGES = 4


class Points(NamedTuple):
    """x: rising values, shape (points,). weight: of each."""

    x: Floats
    weight: Floats

    def counted(self, bins: Bins, x: Floats) -> Floats:
        """Share of each bin, shape (bins.size,), when the points have moved to `x`, shape (points,)."""
        counted = np.bincount(bins.edge_array.searchsorted(x, side="right"), self.weight, bins.size)
        return counted.astype(np.float64, copy=False)


def points_of(shares: Floats, bins: Bins) -> Points:
    """Shares of bins, shape (bins.size,), as points.

    Nine for each bin that holds something, evenly spread; one for a bin of a single value.

    Where the reference looks rounded (to wholes, tenths ...) its points are round, too: what a transform does to them
    then falls into the same bins as what it does to the values.
    """
    at = np.flatnonzero(shares)
    low, high = extent(bins, at)
    spread = low[:, None] + (high - low)[:, None] * ((np.arange(PER_BIN) + 0.5) / PER_BIN)
    step = rounding(bins)
    if step:
        spread = np.clip(np.round(spread / step) * step, low[:, None], high[:, None])
    spread[bins.atoms[at]] = low[bins.atoms[at], None]
    weights = np.repeat(shares[at] / PER_BIN, PER_BIN)
    x, back = np.unique(spread.ravel(), return_inverse=True)
    return Points(x, np.bincount(back, weights).astype(np.float64, copy=False))


def extent(bins: Bins, at: Ints) -> tuple[Floats, Floats]:
    """Smallest and largest value that the reference can have in each of the bins `at`."""
    edges = np.concatenate(([-np.inf], bins.edge_array, [np.inf]))
    return np.maximum(edges[at], bins.lowest), np.minimum(np.nextafter(edges[at + 1], -np.inf), bins.highest)


def rounding(bins: Bins) -> float | None:
    """The step that all of the reference's values seem to be multiples of; None where there is none."""
    edges = bins.edge_array[(bins.edge_array >= bins.lowest) & (bins.edge_array <= bins.highest)]
    values = edges[np.diff(edges, prepend=-np.inf) > np.spacing(edges)]  # without the ends of single values
    if values.size < _FEWEST_EDGES:
        return None
    for step in _STEPS:
        steps = values / step
        if np.all(np.abs(steps - np.round(steps)) < 1e-6):
            return step
    return None
