"""Found: one measure with what its uncertainty is made of."""

from __future__ import annotations

from typing import NamedTuple

from contracts.outcomes import Outcomes, Residuals
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


def rows_of(outcomes: Outcomes | Residuals | None) -> tuple[float, float]:
    """Rows of truth 1 and of truth 0; of a regression all of them as the first.

    >>> rows_of(Outcomes(negatives=(3, 1), positives=(0, 2))), rows_of(None)
    ((2.0, 4.0), (0.0, 0.0))
    """
    if isinstance(outcomes, Outcomes):
        return float(sum(outcomes.positives)), float(sum(outcomes.negatives))
    return (0.0 if outcomes is None else float(sum(outcomes.counts))), 0.0
