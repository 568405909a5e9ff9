"""Whether scores still mean what they meant: chi-square over groups of scores, window against reference. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from contracts.variation import BetweenWindows
from stream_app.performance.bins import Floats
from stream_app.performance.probabilities import Groups

_EXPECTED = 5.0
"""Rows of each truth that a group must be expected to have: else chi-square does not fit (Cochran)."""


class Surplus(NamedTuple):
    """chi_square: of truths above or below what is expected, over the groups; freedom: its degrees; rows: of all."""

    chi_square: float
    freedom: int
    rows: float


def surplus(window: Groups, reference: Groups) -> Surplus | None:
    """In each group the share of truth 1 less the mean score, of the window and of the reference, differ by chance: sum
    of z^2 ~ chi-square with as many degrees of freedom as groups. None where there is nothing to compare.

    Neighbours are merged until the reference's rate lets expect 5 rows of each truth in the window.
    """
    both = np.intersect1d(window.ids, reference.ids)
    ours, theirs = np.searchsorted(window.ids, both), np.searchsorted(reference.ids, both)
    # Rate that the reference lets expect here: the window's mean score, corrected as the reference's scores need it.
    expected = np.clip(window.mean[ours] + reference.difference[theirs], 0.0, 1.0)
    rows = window.rows[ours]
    positives = window.positives[ours] - rows * expected
    variance = rows * expected * (1 - expected) + (rows * reference.error[theirs]) ** 2
    merged = _merged(rows * expected, rows * (1 - expected))
    if merged.size == 0:
        return None
    total, spread = np.bincount(merged, weights=positives), np.bincount(merged, weights=variance)
    known = spread > 0
    chi_square = float((total[known] ** 2 / spread[known]).sum())
    return Surplus(chi_square, max(int(known.sum()), 1), float(rows.sum()))


def calibration_p(found: Surplus | None, variation: BetweenWindows | None = None) -> float:
    """Upper tail of the chi-square; with a variation the larger of that and of the law below.

    Where the rate of truth 1 itself varies from window to window, all groups move in one direction: the sum becomes
    chi2(f - 1) + L chi2(1), L = 1 + rows * between. Its tail is that of g chi2(h) with the same mean and variance
    (Satterthwaite, Biometrics Bulletin 2(6), 1946), h = (f - 1 + L)^2 / (f - 1 + L^2), and as its mean M = f - 1 + L is
    an estimate with standard error rows * error, that of M F(h, d), d = 2 (M / (rows * error))^2.
    """
    if found is None:
        return 1.0
    sampling = float(special.chdtrc(found.freedom, found.chi_square))
    if variation is None:
        return sampling
    large = 1 + found.rows * variation.between
    mean = found.freedom - 1 + large
    h = mean**2 / (found.freedom - 1 + large**2)
    if variation.error == 0:
        return max(sampling, float(special.chdtrc(h, h * found.chi_square / mean)))
    d = 2 * (mean / (found.rows * variation.error)) ** 2
    return max(sampling, float(special.fdtrc(h, d, found.chi_square / mean)))


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
