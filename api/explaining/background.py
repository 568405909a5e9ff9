"""Background: rows to compare with, drawn from a baseline's histograms, each feature by itself.

A baseline holds no row of anybody, and every version has one, whatever its model is. What is lost is how features hang
together: a drawn row may have a mixture that no real row has.
"""

from __future__ import annotations

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
    that even a few rows have its mean and its share of missing values.
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
    spread = (rng.permutation(rows) + rng.random(rows)) / rows
    places: npt.NDArray[np.intp] = np.searchsorted(weights.cumsum() / weights.sum(), spread, side="right")
    return [_value(reference.bins, min(int(place), len(weights) - 1), rng) for place in places]


def _value(bins: Bins | Levels, place: int, rng: np.random.Generator) -> Value:
    """A value of the bin; None for the place behind the last one. A numeric bin begins at a value that rows have."""
    if place == bins.size:
        return None
    if isinstance(bins, Bins):
        return max(bins.edges[place - 1], bins.lowest) if place else bins.lowest
    if place < bins.other:
        return bins.levels[place]
    return bins.rest[int(rng.integers(len(bins.rest)))] if bins.rest and place == bins.other else None
