"""A share of the rows in another unit: which of UNITS, and of how many rows."""

from __future__ import annotations

import math

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.extremes import against
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.tables import Tables
from stream_app.drift.cause.units import UNITS

_LEAST = 0.005
_MOST, _MOST_SURPRISE = 0.67, 2.0
"""A bug hits some rows or all of them; most of them seldom."""


def units(tables: Tables, likelihood: Likelihood, window: Histogram) -> list[Candidate]:
    """Every unit with the share of rows that fits it best."""
    shares, gains = likelihood.mixed(tables.images)
    free = 0.5 * math.log(likelihood.n)  # for a share, and once more for the choice of one among many
    found = []
    for unit, share, gain in zip(UNITS, shares.tolist(), gains.tolist(), strict=True):
        if share <= _LEAST or gain <= free:
            continue
        penalty = free + unit.surprise + (free if share < 1 else 0.0) + (_MOST_SURPRISE if _MOST < share < 1 else 0.0)
        penalty += against(unit.undo, tables, window, share, rising=unit.factor > 0)
        found.append(
            Candidate(
                kind="unit",
                gain=gain,
                penalty=penalty,
                share=share,
                factor=unit.factor,
                unit=unit.words,
                in_part=share < 1,
            )
        )
    return found
