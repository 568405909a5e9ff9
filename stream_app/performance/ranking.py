"""How well scores rank: area under the ROC curve, and average precision, from binned scores."""

from __future__ import annotations

import numpy as np
from scipy import special

from stream_app.performance.bins import Floats
from stream_app.performance.intervals import on_logit_scale
from stream_app.performance.measured import Found, Spread
from stream_app.performance.scored import Scored


def auc(scored: Scored) -> Found:
    """The chance that a row of truth 1 scores above one of truth 0; ties, and rows of one bin, count half.

    Exact for scores rounded to their bins. Of unrounded ones the error is at most half the share of pairs that fall
    into one bin, and about none where a bin's rows of both truths are spread alike. Variance: DeLong, DeLong and
    Clarke-Pearson, Biometrics 44(3), 1988, whose placements are sums over bins here. Needs a row of each truth.
    """
    value, below = auc_of(scored), _below(scored)
    above = (scored.p - np.cumsum(scored.positives) + scored.positives / 2) / scored.p
    spread = Spread(_variance(below, scored.positives, value), _variance(above, scored.negatives, value))
    interval = on_logit_scale(value, spread.variance(scored.p, scored.n), min(scored.p, scored.n))
    return Found("auc", value, "higher", interval, spread)


def average_precision(scored: Scored) -> Found:
    """Mean, over rows of truth 1, of the precision at their score: sum over thresholds of (R_i - R_{i-1}) P_i, as
    scikit-learn's average_precision_score has it.

    Rows of a bin of one value are ties. In any other bin their order is lost, and each order is as likely: with N rows
    above it of which T have truth 1, and a of its own m rows, the expectation of the sum over those a rows is
        a/m * sum over r = 1..m of (T + 1 + (r - 1)(a - 1)/(m - 1)) / (N + r),
    whose harmonic sums are differences of the digamma function. Interval: see `_spread`. Needs a row of truth 1.
    """
    value = average_precision_of(scored)
    spread = _spread(scored.positives[::-1], scored.both[::-1], value, scored.p)
    interval = on_logit_scale(value, spread.variance(scored.p, scored.n), min(scored.p, scored.n))
    return Found("average_precision", value, "higher", interval, spread)


def auc_of(scored: Scored) -> float:
    """See `auc`; rows need not be whole."""
    return float(scored.positives @ _below(scored)) / scored.p


def average_precision_of(scored: Scored) -> float:
    """See `average_precision`; rows need not be whole."""
    positives, both = scored.positives[::-1], scored.both[::-1]  # best first
    found, rows = np.cumsum(positives) - positives, np.cumsum(both) - both
    step = np.divide(positives - 1, both - 1, out=np.zeros_like(both), where=both > 1)
    harmonic = special.digamma(rows + both + 1) - special.digamma(rows + 1)
    shuffled = step * both + (found + 1 - step - step * rows) * harmonic
    shuffled *= np.divide(positives, both, out=np.zeros_like(both), where=both > 0)
    tied = positives * np.divide(found + positives, rows + both, out=np.zeros_like(both), where=both > 0)
    value = float(np.where(scored.bins.single[::-1], tied, shuffled).sum()) / scored.p
    return min(1.0, max(0.0, value))


def _below(scored: Scored) -> Floats:
    """Share of the rows of truth 0 below each bin, and half of its own."""
    below: Floats = (np.cumsum(scored.negatives) - scored.negatives / 2) / scored.n
    return below


def _spread(positives: Floats, both: Floats, value: float, p: float) -> Spread:
    """Of average precision by the delta method: its derivative by the count of each kind of row, over a multinomial
    sample (Agresti, "Categorical Data Analysis", 3rd ed., section 16.1). Arrays are best first.

    With T and S the rows of truth 1 and all rows up to the middle of a bin, AP = sum a_b T_b / S_b / p:
        d/da_j = (T_j/S_j - AP + sum over b from j on of a_b (S_b - T_b)/S_b^2) / p
        d/dn_j = -(sum over b from j on of a_b T_b / S_b^2) / p                   (the bin j itself counts half)
    """
    found = np.cumsum(positives) - positives / 2
    rows = np.cumsum(both) - both / 2
    known = rows > 0
    precision = np.divide(found, rows, out=np.zeros_like(rows), where=known)
    weight = np.divide(positives, rows, out=np.zeros_like(rows), where=known)
    by_positive = (precision - value + _from_here_on(weight * (1 - precision))) / p
    by_negative = -_from_here_on(weight * precision) / p
    negatives, n = both - positives, float(both.sum())
    mean = float(positives @ by_positive + negatives @ by_negative) / n
    second = float(positives @ by_positive**2 + negatives @ by_negative**2) / n
    return Spread(any=max(0.0, second - mean**2) * n * n)


def _from_here_on(terms: Floats) -> Floats:
    return np.cumsum(terms[::-1])[::-1] - terms / 2


def _variance(values: Floats, weights: Floats, mean: float) -> float:
    """Sample variance of values that occur `weights` times; 0 for one."""
    return float(weights @ (values - mean) ** 2) / max(float(weights.sum()) - 1, 1.0)
