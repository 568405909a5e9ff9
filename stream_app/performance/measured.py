"""Found: one measure with what its uncertainty is made of."""

from __future__ import annotations

from typing import NamedTuple

from contracts.performance import Better
from stream_app.performance.intervals import Interval


class Spread(NamedTuple):
    """Variances of one row's contribution: of a row of truth 1, of truth 0, of any row.

    A measure's variance is their sum, each divided by how many such rows there are: so the reference's spread tells the
    variance that a window of another size has while all is well.
    """

    positive: float = 0.0
    negative: float = 0.0
    any: float = 0.0

    def variance(self, positives: float, negatives: float) -> float:
        """Of the measure over so many rows."""
        each = 0.0 if positives == 0 else self.positive / positives
        each += 0.0 if negatives == 0 else self.negative / negatives
        return each + self.any / max(positives + negatives, 1.0)


class Found(NamedTuple):
    """spread: None for a measure that is told and not tested. better: where good is."""

    name: str
    value: float
    better: Better
    interval: Interval
    spread: Spread | None = None
