"""A window's measures against the reference's: worse beyond chance, and by enough to matter. Pure.

Few measures are tested, those that answer different questions; the others follow from them and are told with their
intervals only. Of a classifier:

    auc                does it still rank?          average_precision   does it still find the few that count?
    log_loss           are its scores still right?  calibration_error   do they still mean what they say?
    cost               do its decisions still pay? (where costs are known)

of a regression mae, rmse and bias.
"""

from __future__ import annotations

from collections.abc import Collection
from math import log, sqrt

import numpy as np
from scipy import special

from contracts.baseline import Baseline
from contracts.outcomes import Outcomes
from contracts.performance import Measured
from stream_app.false_discovery import discoveries
from stream_app.performance.bins import Floats
from stream_app.performance.measured import Found
from stream_app.performance.measures import Measures, calibration_groups, reference_measures
from stream_app.performance.probabilities import Groups
from stream_app.performance.rule import PerformanceRule

TESTED = ("auc", "average_precision", "log_loss", "calibration_error", "cost", "mae", "rmse", "bias")
_ON_LOGIT_SCALE = ("auc", "average_precision")
_EXPECTED = 5.0
"""Rows of each truth that a calibration group must be expected to have: else chi-square does not fit (Cochran)."""


def compared(
    baseline: Baseline, found: Measures, outcomes: object, rule: PerformanceRule, tested: Collection[str]
) -> tuple[Measured, ...]:
    """Each measure found beside the reference's. tested: the names to be tested, of TESTED; others are only told."""
    reference = reference_measures(baseline)
    p_values = {
        name: _p_value(name, found[name], reference[name], baseline, outcomes)
        for name in TESTED
        if name in tested and name in found and name in reference
    }
    flags = discoveries(np.array(list(p_values.values()), dtype=np.float64), rule.q)
    beyond_chance = dict(zip(p_values, flags.tolist(), strict=True))
    measured = []
    for name, each in found.items():
        known = reference.get(name)
        worse = known is not None and beyond_chance.get(name, False)
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
                p_value=p_values.get(name),
                degraded=worse and known is not None and _matters(each, known, baseline, rule),
            )
        )
    return tuple(measured)


def _p_value(name: str, window: Found, reference: Found, baseline: Baseline, outcomes: object) -> float:
    """Of the window being no worse than the reference: both are samples, each with its own variance."""
    if name == "calibration_error" and isinstance(outcomes, Outcomes) and baseline.outcomes is not None:
        ours, theirs = calibration_groups(baseline, outcomes), calibration_groups(baseline, baseline.outcomes)
        return 1.0 if ours is None or theirs is None else _calibration_p(ours, theirs)
    return _difference_p(window, reference, _rows(outcomes), _rows(baseline.outcomes or baseline.residuals))


def _difference_p(window: Found, reference: Found, ours: tuple[float, float], theirs: tuple[float, float]) -> float:
    """One-sided z test of the difference of two independent estimates; two-sided where good is 0.

    The window's variance is the larger of its own and the one that the reference's rows give a window of this size: a
    sample that is poor by chance often has too small a variance of its own. auc and average_precision on the scale of
    log(x / (1 - x)), see intervals.on_logit_scale. ours, theirs: rows of truth 1 and of truth 0.
    """
    if window.spread is None or reference.spread is None:
        return 1.0
    own, expected = window.spread.variance(*ours), reference.spread.variance(*ours)
    ahead, variance = window.value - reference.value, reference.spread.variance(*theirs)
    slope, slope_there = _slope(window), _slope(reference)
    if window.name in _ON_LOGIT_SCALE and slope and slope_there:
        ahead = _logit(window.value) - _logit(reference.value)
        own, expected, variance = own * slope**2, expected * slope_there**2, variance * slope_there**2
    error = sqrt(max(own, expected) + variance)
    if error == 0:
        return 1.0 if _no_worse(window, ahead) else 0.0
    z = ahead / error
    if window.better == "zero":
        return float(2 * special.ndtr(-abs(z)))
    return float(special.ndtr(z if window.better == "higher" else -z))


def _calibration_p(window: Groups, reference: Groups) -> float:
    """Whether scores mean what they meant: in each group the share of truth 1 less the mean score, of the window and of
    the reference, differ by chance: sum of z^2 ~ chi-square with as many degrees of freedom as groups.

    Neighbours are merged until the reference's rate lets expect 5 rows of each truth in the window.
    """
    both = np.intersect1d(window.ids, reference.ids)
    ours, theirs = np.searchsorted(window.ids, both), np.searchsorted(reference.ids, both)
    # Rate that the reference lets expect here: the window's mean score, corrected as the reference's scores need it.
    expected = np.clip(window.mean[ours] + reference.difference[theirs], 0.0, 1.0)
    rows, rows_there = window.rows[ours], reference.rows[theirs]
    surplus = window.positives[ours] - rows * expected
    variance = rows * expected * (1 - expected) + (rows * reference.error[theirs]) ** 2
    merged = _merged(rows * expected, rows * (1 - expected))
    if merged.size == 0 or rows_there.size == 0:
        return 1.0
    total, spread = np.bincount(merged, weights=surplus), np.bincount(merged, weights=variance)
    known = spread > 0
    return float(special.chdtrc(max(int(known.sum()), 1), float((total[known] ** 2 / spread[known]).sum())))


def _merged(positives: Floats, negatives: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Neighbours put together until each group expects rows enough; what is left over joins the last.

    >>> _merged(np.array([1.0, 2.0, 2.0, 9.0, 1.0]), np.array([50.0, 50.0, 50.0, 50.0, 50.0])).tolist()
    [0, 0, 0, 1, 1]
    """
    ids = np.zeros(positives.size, dtype=np.intp)
    group, sums = 0, [0.0, 0.0]
    for i, (positive, negative) in enumerate(zip(positives, negatives, strict=True)):
        ids[i] = group
        sums = [sums[0] + positive, sums[1] + negative]
        if min(sums) >= _EXPECTED:
            group, sums = group + 1, [0.0, 0.0]
    if group:
        ids[ids == group] = group - 1
    return ids


def _matters(window: Found, reference: Found, baseline: Baseline, rule: PerformanceRule) -> bool:
    """Whether it is worse by at least the least change that matters."""
    name = window.name
    if name == "bias":
        rmse = reference_measures(baseline)["rmse"].value
        return abs(window.value) - abs(reference.value) >= rule.bias * rmse
    worse = reference.value - window.value if window.better == "higher" else window.value - reference.value
    least: float = getattr(rule, name)
    if name == "calibration_error" and baseline.outcomes is not None:
        positives, negatives = _rows(baseline.outcomes)
        least = min(least, rule.calibration_share * min(positives, negatives) / max(positives + negatives, 1.0))
    elif name != "auc":
        least *= abs(reference.value)
    return worse >= least


def _rows(outcomes: object) -> tuple[float, float]:
    """Rows of truth 1 and of truth 0; of a regression all of them as the first."""
    if isinstance(outcomes, Outcomes):
        return float(sum(outcomes.positives)), float(sum(outcomes.negatives))
    counts: tuple[int, ...] = getattr(outcomes, "counts", ())
    return float(sum(counts)), 0.0


def _slope(found: Found) -> float:
    """Of log(x / (1 - x)); 0 where it has none."""
    return 1 / (found.value * (1 - found.value)) if 0 < found.value < 1 else 0.0


def _logit(value: float) -> float:
    return log(value / (1 - value))


def _no_worse(found: Found, ahead: float) -> bool:
    return ahead >= 0 if found.better == "higher" else ahead <= 0 if found.better == "lower" else ahead == 0
