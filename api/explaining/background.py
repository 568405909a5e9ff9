"""Background: rows to compare with, drawn from a baseline's histograms, each feature by itself.

A baseline holds no row of anybody, and every version has one, whatever its model is. What is lost is how features hang
together: a drawn row may have a mixture that no real row has.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline, Reference
from contracts.binning import Bins, Levels
from contracts.encoder import Row, Value


def known_features(baseline: Baseline) -> tuple[int, ...]:
    """Positions of the features that have a histogram. The others cannot be drawn."""
    return baseline.schema.monitored_positions


def background(baseline: Baseline, rows: int, rng: np.random.Generator) -> list[Row]:
    """So many rows; None for a feature without a histogram.

    Each feature's values are spread evenly over its reference (a Latin hypercube: McKay, Beckman and Conover 1979), so
    that even a few rows have its quantiles and its share of missing values. Within a bin they are spread evenly between
    its edges, where the reference may have them otherwise. The mean of a heavy tail is in few rows: of those a few
    rows give no more than an estimate, and an explanation's standard errors tell how good it is.
    """
    columns: list[list[Value]] = []
    for feature in baseline.schema.features:
        reference = baseline.features.get(feature.name)
        if reference is None:
            columns.append([None] * rows)
            continue
        drawn = _drawn(reference, rows, rng)
        columns.append([value == "true" if feature.kind == "boolean" and value else value for value in drawn])
    return list(zip(*columns, strict=True))


def _drawn(reference: Reference, rows: int, rng: np.random.Generator) -> list[Value]:
    weights = np.array([*reference.counts, reference.missing], dtype=np.float64)
    if not weights.sum():
        return [None] * rows
    total = weights.sum()
    # rising to exactly the total: a share of it can be found whatever rounding does
    rising = weights.cumsum()
    spread = (rng.permutation(rows) + rng.random(rows)) / rows * total
    places: npt.NDArray[np.intp] = np.searchsorted(rising, spread, side="right")
    drawn: list[Value] = []
    for at, place in zip(spread.tolist(), np.minimum(places, int(np.flatnonzero(weights)[-1])).tolist(), strict=True):
        drawn.append(_value(reference.bins, place, 1 - (rising[place] - at) / weights[place], rng))
    return drawn


def _value(bins: Bins | Levels, place: int, share: float, rng: np.random.Generator) -> Value:
    """A value of the bin; None for the place behind the last one. share: of the bin's rows that lie below it."""
    if place == bins.size:
        return None
    if isinstance(bins, Bins):
        return _number(bins, place, min(max(share, 0.0), 1.0))
    if place < bins.other:
        return bins.levels[place]
    return bins.rest[int(rng.integers(len(bins.rest)))] if bins.rest and place == bins.other else None


def _number(bins: Bins, place: int, share: float) -> float:
    """Between the bin's edges, and within what rows have had; the one value of an atom."""
    low = max(bins.edges[place - 1], bins.lowest) if place else bins.lowest
    if place and bins.atoms[place]:
        return low
    high = min(bins.edges[place], bins.highest) if place < len(bins.edges) else bins.highest
    beyond = bins.edges[place] if place < len(bins.edges) else math.inf
    return max(low, min(low + share * (high - low), math.nextafter(beyond, -math.inf)))
