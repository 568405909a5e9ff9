"""Natural variation of a measure: windows differ from each other by more than sampling though all is well. Pure.

A window's measure is taken for one of a population of windows,

    y ~ N(centre, s^2 + v + tau^2)      on the measure's scale, see scales.py

s^2: sampling variance of the window; v: of the reference, or of the mean of its windows where that is larger; tau^2:
the variance between windows. centre: the reference, or the mean of its windows where that is worse: a model may rank
all rows together better than those of one day, because it also tells the days apart. As tau^2 is an estimate the law is
Student's, with 2 (s^2 + v + tau^2)^2 / error(tau^2)^2 degrees of freedom (Satterthwaite, Biometrics Bulletin 2(6),
1946).

Source: the prediction interval of a random-effects model: Higgins, Thompson and Spiegelhalter, "A re-evaluation of
random-effects meta-analysis", J. R. Statist. Soc. A 172(1), 2009, section 4.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import NamedTuple

from scipy import special

from contracts.performance import Better
from contracts.variation import BetweenWindows
from stream_app.performance.intervals import Interval
from stream_app.performance.measured import Found
from stream_app.performance.scales import scaled, slope, unscaled

_LEAST_FREEDOM = 3.0
"""A variance is not called unknown altogether: at least eight windows were there to learn it from."""
_TAIL = 0.975


class Law(NamedTuple):
    """Of windows while all is well, on the measure's scale. freedom: degrees, inf for the normal law."""

    centre: float
    variance: float
    freedom: float


def law(reference: Found, variation: BetweenWindows, of_window: float, of_reference: float) -> Law:
    """of_window, of_reference: sampling variances on the measure's scale."""
    variance = of_window + max(of_reference, variation.variance) + variation.between
    freedom = inf
    if variation.error > 0:
        freedom = max(_LEAST_FREEDOM, 2 * (variance / variation.error) ** 2)
    return Law(scaled(reference.name, reference.value) + _worse(variation.shift, reference.better), variance, freedom)


def natural_p(window: Found, of: Law) -> float:
    """Of being no worse than such windows are; two-sided where good is 0."""
    ahead = scaled(window.name, window.value) - of.centre
    if of.variance == 0:
        return 1.0 if ahead == 0 else 0.0
    t = ahead / sqrt(of.variance)
    if window.better == "zero":
        return 2 * _below(-abs(t), of.freedom)
    return _below(t if window.better == "higher" else -t, of.freedom)


def natural_range(reference: Found, of: Law) -> Interval:
    """Where 95 % of such windows lie; a measure of which less is better and that has no negative values not below 0."""
    at = special.ndtri(_TAIL) if of.freedom == inf else special.stdtrit(of.freedom, _TAIL)
    half = float(at) * sqrt(of.variance)
    low, high = (unscaled(reference.name, of.centre + side) for side in (-half, half))
    return Interval(max(0.0, low) if reference.name in _POSITIVE else low, high)


def centre_of(reference: Found, variation: BetweenWindows | None) -> float:
    """What a window is held against: the reference's value, or the mean of its windows where that is worse."""
    if variation is None or not slope(reference.name, reference.value):
        return reference.value
    shift = _worse(variation.shift, reference.better)
    return unscaled(reference.name, scaled(reference.name, reference.value) + shift)


_POSITIVE = ("log_loss", "mae", "rmse")


def _worse(shift: float, better: Better) -> float:
    if better == "zero":
        return shift
    return min(0.0, shift) if better == "higher" else max(0.0, shift)


def _below(t: float, freedom: float) -> float:
    return float(special.ndtr(t) if freedom == inf else special.stdtr(freedom, t))
