"""A share of the rows in another unit: which of UNITS, and of how many rows.

A whole feature can fall into one overflow bin. The window's smallest and largest value then tell the units apart: the
largest of k values that a unit has moved lies near the image of the reference's largest.
"""

from __future__ import annotations

import math

import numpy as np

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.tables import Tables
from stream_app.drift.cause.units import UNITS, Unit

_LEAST = 0.005
_AT_MOST = 8.0
"""What an extreme can speak against a unit: it may be a stray of its own."""


def units(tables: Tables, likelihood: Likelihood, window: Histogram) -> list[Candidate]:
    """Every unit with the share of rows that fits it best."""
    shares, gains = likelihood.mixed(tables.images)
    penalty = math.log(likelihood.n)
    return [
        Candidate(
            kind="unit",
            gain=float(gain),
            penalty=penalty + unit.surprise + against(unit, tables, window, float(share) * likelihood.n),
            share=float(share),
            factor=unit.factor,
            unit=unit.words,
        )
        for unit, share, gain in zip(UNITS, shares, gains, strict=True)
        if share > _LEAST and gain > 0
    ]


def against(unit: Unit, tables: Tables, window: Histogram, rows: float) -> float:
    """How much the window's extremes speak against `rows` of its values being in this unit, in log-likelihood."""
    if window.minimum is None or window.maximum is None:
        return 0.0
    low, high = sorted((unit.apply(tables.bins.lowest), unit.apply(tables.bins.highest)))
    doubt = 0.0
    if high > tables.bins.highest:
        doubt += _doubt(unit, tables, window.maximum, rows, high=unit.factor > 0)
    if low < tables.bins.lowest:
        doubt += _doubt(unit, tables, window.minimum, rows, high=unit.factor < 0)
    return doubt


def _doubt(unit: Unit, tables: Tables, extreme: float, rows: float, *, high: bool) -> float:
    """extreme: of the window. high: whether the reference's highest values lie at this end of the image."""
    origin = unit.undo(extreme)
    if (high and origin > tables.bins.highest) or (not high and origin < tables.bins.lowest):
        near, far = tables.quantile(np.array([0.9, 1.0] if high else [0.1, 0.0]))
        beyond = float(abs(origin - far) / max(abs(far - near), 1e-9 * abs(far), 1e-300))
        return min(_AT_MOST, 4.0 * max(0.0, beyond - 1.0))
    beyond_it = 1 - tables.below(np.nextafter(origin, np.inf)) if high else tables.below(origin)
    return min(_AT_MOST, float(rows * beyond_it))
