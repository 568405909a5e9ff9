"""Learn how measures of performance vary by nature: from windows of the reference's own rows, measure by measure.

    d_w   = measure of window w less that of the reference, on the measure's scale (scales.py)
    s_w^2 = sampling variance of a window with as many rows of each truth, from the reference's spread; a_w = 1 / s_w^2
    Q     = sum a_w (d_w - mean)^2,    C = sum a_w - sum a_w^2 / sum a_w,    mean = sum a_w d_w / sum a_w
    tau^2 = max(0, (Q - (W - 1)) / C)
    shift = sum b_w d_w / sum b_w,    b_w = 1 / (s_w^2 + tau^2),    its variance 1 / sum b_w
    error = sqrt(2 / (W - 1)) (s^2 + tau^2),    s^2 = (W - 1) / C, that of a typical window; as a variance's error

Of calibration_error, whose test is a chi-square X_w over f_w groups, each window is held against the rest of the
reference: between = sum (X_w - f_w) / sum n_w, not below 0; error as that of a ratio of sums.

Sources: tau^2: DerSimonian and Laird, Controlled Clinical Trials 7, 1986; s^2: Higgins and Thompson, Statist. Med. 21,
2002, formula 9. Sums are exact (fsum): the same windows in any order teach the same, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum, sqrt
from typing import NamedTuple

import numpy as np

from contracts.baseline import Baseline
from contracts.outcomes import Outcomes, Residuals
from contracts.variation import BetweenWindows
from stream_app.performance.calibrated import surplus
from stream_app.performance.comparison import TESTED
from stream_app.performance.measured import Found, rows_of
from stream_app.performance.measures import calibration_groups, measures, reference_measures
from stream_app.performance.rule import RULE, PerformanceRule
from stream_app.performance.scales import scaled, slope

CALIBRATION = "calibration_error"
FEWEST_WINDOWS = 8
RECOMMENDED_WINDOWS = 60
FEWEST_ROWS = 100
"""Of a window to learn from: its sampling is taken off, so it may have fewer than one that is judged."""


class _One(NamedTuple):
    """Of a window: how far it is from the reference, and its sampling variance; of calibration: what chi-square has
    beyond its degrees of freedom, and the rows."""

    distance: float
    size: float


def enough(window: Outcomes | Residuals, rule: PerformanceRule = RULE) -> bool:
    """Whether a window can be learnt from: 100 rows, and of a classifier as many of each truth as it takes to judge."""
    positives, negatives = rows_of(window)
    if positives + negatives < FEWEST_ROWS:
        return False
    return isinstance(window, Residuals) or min(positives, negatives) >= rule.truths


def learn(baseline: Baseline, windows: Iterable[Outcomes | Residuals]) -> dict[str, BetweenWindows]:
    """By the name of a measure; one is left out of which fewer than 8 windows are known, or that has no variance.

    windows: counts of the reference's own rows over the baseline's bins, no row twice; each is asked for once, and
    passed over where it has not `enough`.
    """
    reference = reference_measures(baseline)
    ones: dict[str, list[_One]] = {name: [] for name in TESTED if name in reference}
    for window in windows:
        if not enough(window):
            continue
        found = measures(baseline, window)
        for name in ones.keys() & found.keys():
            one = _calibration(baseline, window) if name == CALIBRATION else _one(window, found[name], reference[name])
            if one is not None:
                ones[name].append(one)
    known = {name: found for name, found in ones.items() if len(found) >= FEWEST_WINDOWS}
    return {name: _of_calibration(found) if name == CALIBRATION else _of(found) for name, found in known.items()}


def _one(window: Outcomes | Residuals, found: Found, reference: Found) -> _One | None:
    rows, at = rows_of(window), slope(reference.name, reference.value)
    variance = 0.0 if reference.spread is None else reference.spread.variance(*rows) * at**2
    if variance == 0:
        return None
    value = found.value
    if slope(found.name, value) == 0:  # all are ranked rightly, or none: half a row of the rarer truth is not
        value = min(max(value, 0.5 / min(rows)), 1 - 0.5 / min(rows))
    return _One(scaled(found.name, value) - scaled(reference.name, reference.value), variance)


def _calibration(baseline: Baseline, window: Outcomes | Residuals) -> _One | None:
    if not isinstance(window, Outcomes) or baseline.outcomes is None:
        return None
    ours, theirs = calibration_groups(baseline, window), calibration_groups(baseline, _rest(baseline.outcomes, window))
    found = None if ours is None or theirs is None else surplus(ours, theirs)
    return None if found is None else _One(found.chi_square - found.freedom, found.rows)


def _rest(reference: Outcomes, window: Outcomes) -> Outcomes:
    """The reference's rows that are not in the window."""
    rest = (
        np.maximum(np.subtract(every, some), 0)
        for every, some in ((reference.negatives, window.negatives), (reference.positives, window.positives))
    )
    negatives, positives = (tuple(counts.tolist()) for counts in rest)
    return Outcomes(negatives, positives)


def _of(ones: Sequence[_One]) -> BetweenWindows:
    count = len(ones)
    weights = [1 / one.size for one in ones]
    total = fsum(weights)
    mean = fsum(weight * one.distance for weight, one in zip(weights, ones, strict=True)) / total
    q = fsum(weight * (one.distance - mean) ** 2 for weight, one in zip(weights, ones, strict=True))
    c = total - fsum(weight**2 for weight in weights) / total
    between, typical = max(0.0, (q - (count - 1)) / c), (count - 1) / c
    weights = [1 / (one.size + between) for one in ones]
    total = fsum(weights)
    return BetweenWindows(
        between=between,
        error=sqrt(2 / (count - 1)) * (typical + between),
        shift=fsum(weight * one.distance for weight, one in zip(weights, ones, strict=True)) / total,
        variance=1 / total,
        windows=count,
    )


def _of_calibration(ones: Sequence[_One]) -> BetweenWindows:
    rows = fsum(one.size for one in ones)
    between = max(0.0, fsum(one.distance for one in ones) / rows)
    squares = fsum((one.distance - between * one.size) ** 2 for one in ones)
    count = len(ones)
    return BetweenWindows(between=between, error=sqrt(squares * count / (count - 1)) / rows, windows=count)
