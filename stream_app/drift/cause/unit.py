"""A share of the rows in another unit: which of UNITS, and of how many rows."""

from __future__ import annotations

import math

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.extremes import against
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.tables import Tables
from stream_app.drift.cause.units import UNITS, Unit

_LEAST, _NEARLY_ALL = 0.005, 0.999
_EVIDENCE = 10.0
"""Whatever else is said: to accuse a unit takes more than a chance of one in 10,000."""
_MOST, _MOST_SURPRISE = 0.67, 3.0
"""A bug hits some rows or all of them; most of them seldom."""


def units(tables: Tables, likelihood: Likelihood, window: Histogram) -> list[Candidate]:
    """Every unit, of all rows and with the share of rows that fits it best."""
    evidence = _EVIDENCE + likelihood.blur  # a symmetric reference and its mirror image differ by its noise
    bit = 0.5 * math.log(likelihood.n)  # for the choice of one unit among many, and again for a share
    found = []
    for unit, gain in zip(UNITS, likelihood.gains(tables.images).tolist(), strict=True):
        if gain > evidence:
            found.append(_candidate(unit, 1.0, gain, bit, tables, window))
    shares, gains = likelihood.mixed(tables.images)
    for unit, share, gain in zip(UNITS, shares.tolist(), gains.tolist(), strict=True):
        if gain > evidence and _LEAST < share < _NEARLY_ALL:
            found.append(_candidate(unit, share, gain, 2 * bit, tables, window))
    return found


def _candidate(unit: Unit, share: float, gain: float, free: float, tables: Tables, window: Histogram) -> Candidate:
    penalty = free + unit.surprise_at(tables.bins.lowest, tables.bins.highest)
    penalty += _MOST_SURPRISE if _MOST < share < 1 else 0.0
    penalty += against(unit.undo, tables, window, share, rising=unit.factor > 0)
    return Candidate(
        kind="unit",
        gain=gain,
        penalty=penalty,
        share=share,
        factor=unit.factor,
        unit=unit.words,
        in_part=share < 1,
    )
