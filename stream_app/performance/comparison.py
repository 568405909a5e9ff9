"""A window's measures against the reference's: worse beyond chance and natural variation, and by enough to matter.

Few measures are tested, those that answer different questions; the others follow from them and are told with their
intervals only. Of a classifier:

    auc                does it still rank?          average_precision   does it still find the few that count?
    log_loss           are its scores still right?  calibration_error   do they still mean what they say?
    cost               do its decisions still pay? (where costs are known)

of a regression mae, rmse and bias. Natural variation never adds a finding: p is the larger of that of sampling alone
and that of the learnt law (natural.py, calibrated.py), and where nothing was learnt the former. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy import special

from contracts.baseline import Baseline
from contracts.outcomes import Outcomes, Residuals
from contracts.performance import Measured
from contracts.variation import BetweenWindows
from stream_app.false_discovery import discoveries
from stream_app.performance.calibrated import calibration_p, surplus
from stream_app.performance.measured import Found, rows_of
from stream_app.performance.measures import Measures, calibration_groups, reference_measures
from stream_app.performance.natural import Law, centre_of, law, natural_p, natural_range
from stream_app.performance.rule import PerformanceRule
from stream_app.performance.scales import scaled, slope

TESTED = ("auc", "average_precision", "log_loss", "calibration_error", "cost", "mae", "rmse", "bias")


class _Verdict(NamedTuple):
    """natural: the law of such windows while all is well, None where none was learnt."""

    p: float
    natural: Law | None = None


def compared(
    baseline: Baseline,
    found: Measures,
    outcomes: Outcomes | Residuals,
    rule: PerformanceRule,
    tested: Collection[str],
) -> tuple[Measured, ...]:
    """Each measure found beside the reference's. tested: the names to be tested, of TESTED; others are only told."""
    reference = reference_measures(baseline)
    verdicts = {
        name: _verdict(found[name], reference[name], baseline, outcomes)
        for name in TESTED
        if name in tested and name in found and name in reference
    }
    flags = discoveries(np.array([verdict.p for verdict in verdicts.values()], dtype=np.float64), rule.q)
    beyond_chance = dict(zip(verdicts, flags.tolist(), strict=True))
    measured = []
    for name, each in found.items():
        known, verdict = reference.get(name), verdicts.get(name)
        worse = known is not None and beyond_chance.get(name, False)
        natural = None
        if known is not None and verdict is not None and verdict.natural is not None:
            natural = natural_range(known, verdict.natural)
        measured.append(
            Measured(
                name=name,
                value=each.value,
                better=each.better,
                low=each.interval.low,
                high=each.interval.high,
                reference=None if known is None else known.value,
                reference_low=None if known is None else known.interval.low,
                reference_high=None if known is None else known.interval.high,
                p_value=None if verdict is None else verdict.p,
                degraded=worse and known is not None and _matters(each, known, baseline, rule),
                natural_low=None if natural is None else natural.low,
                natural_high=None if natural is None else natural.high,
            )
        )
    return tuple(measured)


def _verdict(window: Found, reference: Found, baseline: Baseline, outcomes: Outcomes | Residuals) -> _Verdict:
    """Of the window being no worse than the reference: both are samples, each with its own variance."""
    variation = baseline.natural_performance.get(window.name)
    if window.name == "calibration_error" and isinstance(outcomes, Outcomes) and baseline.outcomes is not None:
        ours, theirs = calibration_groups(baseline, outcomes), calibration_groups(baseline, baseline.outcomes)
        return _Verdict(1.0 if ours is None or theirs is None else calibration_p(surplus(ours, theirs), variation))
    return _difference(
        window, reference, rows_of(outcomes), rows_of(baseline.outcomes or baseline.residuals), variation
    )


def _difference(
    window: Found,
    reference: Found,
    ours: tuple[float, float],
    theirs: tuple[float, float],
    variation: BetweenWindows | None,
) -> _Verdict:
    """One-sided z test of the difference of two independent estimates; two-sided where good is 0. With a variation also
    the law of natural.py.

    The window's variance is the larger of its own and the one that the reference's rows give a window of this size: a
    sample that is poor by chance often has too small a variance of its own. On the measure's scale, see scales.py, or
    as it is where that has no value. ours, theirs: rows of truth 1 and of truth 0.
    """
    if window.spread is None or reference.spread is None:
        return _Verdict(1.0)
    own, expected = window.spread.variance(*ours), reference.spread.variance(*ours)
    ahead, variance = window.value - reference.value, reference.spread.variance(*theirs)
    steep, steep_there = slope(window.name, window.value), slope(reference.name, reference.value)
    on_scale = bool(steep and steep_there)
    if on_scale:
        ahead = scaled(window.name, window.value) - scaled(reference.name, reference.value)
        own, expected, variance = own * steep**2, expected * steep_there**2, variance * steep_there**2
    sampling = _sampling_p(window, ahead, sqrt(max(own, expected) + variance))
    if variation is None or not on_scale:
        return _Verdict(sampling)
    # Told is where windows of this size are expected; tested with the window's own variance where that is larger.
    tested = law(reference, variation, max(own, expected), variance)
    return _Verdict(max(sampling, natural_p(window, tested)), law(reference, variation, expected, variance))


def _sampling_p(window: Found, ahead: float, error: float) -> float:
    if error == 0:
        return 1.0 if _no_worse(window, ahead) else 0.0
    z = ahead / error
    if window.better == "zero":
        return float(2 * special.ndtr(-abs(z)))
    return float(special.ndtr(z if window.better == "higher" else -z))


def _matters(window: Found, reference: Found, baseline: Baseline, rule: PerformanceRule) -> bool:
    """Whether it is worse by at least the least change that matters, than the reference or what its windows have."""
    name = window.name
    if name == "bias":
        rmse = reference_measures(baseline)["rmse"].value
        return abs(window.value) - abs(reference.value) >= rule.bias * rmse
    centre = centre_of(reference, baseline.natural_performance.get(name))
    worse = centre - window.value if window.better == "higher" else window.value - centre
    least: float = getattr(rule, name)
    if name == "calibration_error" and baseline.outcomes is not None:
        positives, negatives = rows_of(baseline.outcomes)
        least = min(least, rule.calibration_share * min(positives, negatives) / max(positives + negatives, 1.0))
    elif name != "auc":
        least *= abs(reference.value)
    return worse >= least


def _no_worse(found: Found, ahead: float) -> bool:
    return ahead >= 0 if found.better == "higher" else ahead <= 0 if found.better == "lower" else ahead == 0
