"""Natural variation at a window's close: p-values held against how the reference's own windows differ from each other.

    x = statistic / (1/n + 1/m + tau^2)
    p = max(p_sampling, P(F >= x / M)),   F distributed F(2a, 2aW)

tau^2, M, a, W: see `contracts.variation.LearntNull`; learning.py learns them. The statistic is quadratic in how far the
window is away: PSI, D^2, chi-square (1/n + 1/m) / freedom, a rate's (r - r0)^2. The peak's excess is taken as it is.
With one direction in which windows differ x / M has one degree of freedom, whose tail is far fatter than that of
the sampling law with its B - 1: so a is learnt too, and multiplying by an inflation factor would not do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from contracts.variation import LearntNull
from stream_app.drift.decision import Measurement
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Floats, Ints, Panel, PanelCounts

QUADRATIC = ("ks", "psi", "chi2", "missing", "out_of_range", "unseen", "positives")
"""Metrics whose statistic has sampling variance in proportion to 1/n + 1/m."""
LEARNABLE = (*QUADRATIC, "peak")
"""The metrics that a null can be learnt for: all that have a p-value."""


class NaturalNulls:
    """The learnt nulls of a panel's features; built once per baseline, free of cost where nothing was learnt."""

    def __init__(self, panel: Panel) -> None:
        self._reference = panel.counted
        self._nulls = {metric: nulls for metric in LEARNABLE if (nulls := _Nulls.of(panel, metric)) is not None}

    def apply(self, measurements: Sequence[Measurement], window: PanelCounts) -> list[Measurement]:
        """The same measurements with p = max(p of sampling, p of natural variation) where that was learnt.

        `learnt` is set there: for each feature whether p is the learnt one. window: the counts that were measured.
        """
        return [self._held(measurement, window) for measurement in measurements]

    def _held(self, measurement: Measurement, window: PanelCounts) -> Measurement:
        nulls, sampling = self._nulls.get(measurement.metric), measurement.measured.p
        if nulls is None or sampling is None:
            return measurement
        variance = sampling_variance(measurement.metric, window, self._reference)
        natural = nulls.upper_tail(scaled(measurement.metric, measurement.measured, variance, nulls.between)[nulls.at])
        p, learnt = sampling.copy(), np.zeros(sampling.size, dtype=np.bool_)
        p[nulls.at] = np.maximum(sampling[nulls.at], natural)
        learnt[nulls.at] = natural >= sampling[nulls.at]
        return measurement._replace(measured=measurement.measured._replace(p=p), learnt=learnt)


class _Nulls:
    """The nulls of one metric for those features of a panel that vary. at: their positions; the rest has shape (F,) or
    that of `at`."""

    def __init__(self, at: Ints, size: int, nulls: Sequence[LearntNull]) -> None:
        self.at = at
        self.between: Floats = np.zeros(size)
        self.between[at] = [null.between for null in nulls]
        self._mean: Floats = np.array([null.mean for null in nulls])
        self._shape: Floats = np.array([null.shape for null in nulls])
        self._windows: Floats = np.array([null.windows for null in nulls], dtype=np.float64)

    @classmethod
    def of(cls, panel: Panel, metric: str) -> _Nulls | None:
        """None where no feature's windows vary."""
        found = [reference.natural.get(metric) for reference in panel.references]
        varying = [null for null in found if null is not None and null.varies]
        at = np.array([i for i, null in enumerate(found) if null is not None and null.varies], dtype=np.int64)
        return cls(at, len(found), varying) if varying else None

    def upper_tail(self, x: Floats) -> Floats:
        """P(F >= x / M), shape of `at`."""
        return f_upper_tail(x / self._mean, self._shape, self._windows)


def f_upper_tail(x: Floats, shape: Floats | float, windows: Floats | float) -> Floats:
    """P(F >= x) for F with 2a and 2aW degrees of freedom, x >= 0, by elements.

    Source: Abramowitz and Stegun 26.6.2: the incomplete beta function I_{W / (W + x)}(aW, a).

    >>> f_upper_tail(np.array([0.0, 1.0, 10.0]), 0.5, 60).round(6).tolist()   # F(1, 60): t^2 with 60 degrees of freedom
    [1.0, 0.321327, 0.002456]
    """
    return np.asarray(special.betainc(shape * windows, shape, windows / (windows + x)), dtype=np.float64)


def scaled(metric: str, measured: Measured, variance: Floats, between: Floats | float) -> Floats:
    """x of the module's head before it is divided by M: shape (F,). variance: 1/n + 1/m."""
    return statistic(metric, measured, variance) / (variance + between) if metric in QUADRATIC else measured.size


def sampling_variance(metric: str, window: PanelCounts, reference: PanelCounts) -> Floats:
    """1/n + 1/m, shape (F,): of all rows for the rate of missing ones, else of known values."""
    n, m = (window.rows, reference.rows) if metric == "missing" else (window.n, reference.n)
    variance: Floats = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    return variance


def statistic(metric: str, measured: Measured, variance: Floats) -> Floats:
    """The quadratic statistic of one of QUADRATIC, shape (F,)."""
    if metric == "psi":
        return measured.value
    if metric == "chi2":
        assert measured.freedom is not None
        return measured.value * variance / np.maximum(measured.freedom, 1)
    return measured.size**2
