"""Intervals of 95 % for what is measured from counts. Each function names the source of its formula."""

from __future__ import annotations

from math import exp, isfinite, log, sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""The .975 quantile of the normal distribution."""


class Interval(NamedTuple):
    """low <= high; of 95 %."""

    low: float
    high: float


def wilson(successes: float, rows: float) -> Interval:
    """Of a share, `successes` of `rows` > 0. It stays within 0 and 1, and covers where shares are extreme or rows few.

    Source: Wilson, J. Am. Statist. Ass. 22, 1927; recommended by Brown, Cai and DasGupta, Statist. Sci. 16(2), 2001.

    >>> [round(bound, 3) for bound in wilson(8, 10)], [round(bound, 3) for bound in wilson(0, 10)]
    ([0.49, 0.943], [0.0, 0.278])
    """
    share, extra = successes / rows, Z * Z / rows
    middle = (share + extra / 2) / (1 + extra)
    half = Z / (1 + extra) * sqrt(share * (1 - share) / rows + extra / (4 * rows))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def on_logit_scale(value: float, variance: float, rows: float) -> Interval:
    """Of a measure between 0 and 1 with a variance: normal on the scale of log(x / (1 - x)), so never beyond 0 and 1.
    A measure that is 0 or 1 has no variance to be seen: then as a share of `rows`, its rarer truth's.

    Source: Pepe, "The Statistical Evaluation of Medical Tests", 2003, section 5.2.2 (AUC); Boyd, Eng and Page, ECML
    2013 (average precision): both cover better on this scale.

    >>> [round(bound, 3) for bound in on_logit_scale(0.9, 0.02**2, 100)]
    [0.853, 0.933]
    """
    if not 0 < value < 1:
        return wilson(value * rows, rows)
    middle, half = log(value / (1 - value)), Z * sqrt(variance) / (value * (1 - value))
    return Interval(_logistic(middle - half), _logistic(middle + half))


def normal(value: float, variance: float, least: float = float("-inf")) -> Interval:
    """Of a mean of many rows. least: what the measure cannot be below.

    >>> [round(bound, 2) for bound in normal(1.0, 0.25, least=0.0)]
    [0.02, 1.98]
    """
    half = Z * sqrt(variance)
    return Interval(max(least, value - half), value + half)


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 and isfinite(x) else 0.0
