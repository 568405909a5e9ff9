"""How good scores are as probabilities: log loss, Brier score and calibration error, from binned scores."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import numpy.typing as npt
from scipy import special

from stream_app.performance.bins import Floats
from stream_app.performance.intervals import Interval, Z, normal
from stream_app.performance.measured import Found, Spread
from stream_app.performance.scored import Scored

_LEAST = float(np.finfo(np.float64).eps)
"""As scikit-learn's log_loss: what a probability of 0 is taken for."""
Bins = npt.NDArray[np.intp]
GROUPS = 10
"""Of the calibration error: groups of the reference's equal mass, merged from bins."""


def log_loss(scored: Scored, means: Floats) -> Found:
    """Mean of -log of the probability given to what came true. means: the score that each bin stands for."""
    score = np.clip(means, _LEAST, 1 - _LEAST)
    return _mean("log_loss", scored, -np.log1p(-score), -np.log(score))


def brier(scored: Scored, means: Floats) -> Found:
    """Mean of (score - truth)^2 (Brier, Mon. Weather Rev. 78, 1950)."""
    return _mean("brier", scored, means**2, (1 - means) ** 2)


def calibration_error(scored: Scored, means: Floats, group: Bins) -> Found:
    """Expected calibration error: sum over groups of w_g |d_g|, d_g the share of truth 1 less the mean score and w_g
    the group's share of the rows (Naeini, Cooper and Hauskrecht, AAAI 2015), less what it would be by chance.

    A group of few rows has a large |d_g| even when scores are right. With its standard error s, d is drawn from
    N(a, s^2), and E|d| - |a| is taken off, at a = sqrt(max(0, d^2 - s^2)) (the idea of Kumar, Liang and Ma, NeurIPS
    2019, "Verified uncertainty calibration"). group: each bin's, from 0. Interval: normal around the value, cut at 0.
    """
    at = groups(scored, means, group)
    true_size = np.sqrt(np.maximum(0.0, at.difference**2 - at.error**2))
    value = float(at.share @ (np.abs(at.difference) - (_mean_size(true_size, at.error) - true_size)))
    variance = float(at.share**2 @ at.error**2)
    value, half = max(0.0, value), Z * sqrt(variance)
    interval = Interval(max(0.0, value - half), min(1.0, value + half))
    return Found("calibration_error", value, "lower", interval, Spread(any=variance * scored.rows))


class Groups:
    """share: of the rows; difference: share of truth 1 less mean score; error: its standard error; rows, rate, mean:
    of each group; all of shape (groups with a row,). ids: which groups those are.
    """

    def __init__(self, rows: Floats, positives: Floats, summed: Floats) -> None:
        self.ids = np.flatnonzero(rows > 0)
        self.rows, self.positives = rows[self.ids], positives[self.ids]
        self.share = self.rows / self.rows.sum()
        self.rate, self.mean = self.positives / self.rows, summed[self.ids] / self.rows
        self.difference = self.rate - self.mean
        # half a row of each truth added: a group without one truth is not certain of it
        smoothed = (self.positives + 0.5) / (self.rows + 1)
        self.error = np.sqrt(smoothed * (1 - smoothed) / self.rows)


def groups(scored: Scored, means: Floats, group: Bins) -> Groups:
    """Bins merged into groups. group: each bin's, from 0."""
    rows, positives, summed = (
        np.bincount(group, weights=weights).astype(np.float64)
        for weights in (scored.both, scored.positives, scored.both * means)
    )
    return Groups(rows, positives, summed)


def equal_mass(both: Floats, count: int = GROUPS) -> Bins:
    """Bins -> groups of about equal mass, from 0; bins are never cut, so fewer where one bin holds much.

    >>> equal_mass(np.array([2.0, 2, 2, 2, 8, 0]), 4).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    total = max(float(both.sum()), 1.0)
    middle = (np.cumsum(both) - both / 2) / total
    ids = np.minimum((middle * count).astype(np.int64), count - 1)
    _, dense = np.unique(ids, return_inverse=True)
    return np.asarray(dense, dtype=np.intp)


def _mean(name: str, scored: Scored, of_negative: Floats, of_positive: Floats) -> Found:
    """The mean of a loss per row, with the variance of a mean."""
    rows = scored.rows
    value = float(scored.negatives @ of_negative + scored.positives @ of_positive) / rows
    squares = float(scored.negatives @ of_negative**2 + scored.positives @ of_positive**2) / rows
    spread = Spread(any=max(0.0, squares - value**2))
    return Found(name, value, "lower", normal(value, spread.any / rows, least=0.0), spread)


def _mean_size(mean: Floats, error: Floats) -> Floats:
    """E|X| of X ~ N(mean, error^2), the folded normal distribution (Leone, Nelson and Nottingham, Technometrics 3(4),
    1961); error > 0."""
    z = mean / error
    folded: Floats = error * sqrt(2 / pi) * np.exp(-(z**2) / 2) + mean * (1 - 2 * special.ndtr(-z))
    return folded
