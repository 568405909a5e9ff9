"""A histogram as values with weights, so that it can be pushed through a transform and counted again."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.binning import Bins

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

PER_BIN, _MOST = 9, 64
_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.01)
_FEWEST_EDGES = 4
_NEARLY = 1e-6


class Points(NamedTuple):
    """x: rising, shape (points,). weight: of each."""

    x: Floats
    weight: Floats

    def counted(self, bins: Bins, x: Floats) -> Floats:
        """Share of each bin, shape (bins.size,), when the points have moved to `x`, shape (points,)."""
        counted = np.bincount(bins.edge_array.searchsorted(x, side="right"), self.weight, bins.size)
        return counted.astype(np.float64, copy=False)


def points_of(shares: Floats, bins: Bins) -> Points:
    """Shares of bins, shape (bins.size,), as points.

    One for a bin of a single value; nine for any other that holds something, evenly spread. Where the reference looks
    rounded (to wholes, tenths ...) they are its round values, up to 64 of a bin: what a transform does to them then
    falls into the same bins as what it does to the values.
    """
    at, step = np.flatnonzero(shares), rounding(bins)
    x, weight = [], []
    for low, high, share, single in zip(*extent(bins, at), shares[at], bins.atoms[at], strict=True):
        values = np.array([low]) if single else _spread(low, high, step)
        x.append(values)
        weight.append(np.full(values.size, share / values.size))
    return Points(np.concatenate(x), np.concatenate(weight)) if x else Points(np.empty(0), np.empty(0))


def _spread(low: float, high: float, step: float | None) -> Floats:
    """Values from `low` to `high` as the reference may have them."""
    if step is not None:
        first, last = math.ceil(low / step - _NEARLY), math.floor(high / step + _NEARLY)
        if last >= first:
            return np.unique(np.round(np.linspace(first, last, min(last - first + 1, _MOST)))) * step
    return low + (high - low) * ((np.arange(PER_BIN) + 0.5) / PER_BIN)


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
        if np.all(np.abs(steps - np.round(steps)) < _NEARLY):
            return step
    return None
