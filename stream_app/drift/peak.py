"""The fullest bin: finds what piles up on one value (a default fill, a stuck sensor) and hardly moves PSI or KS."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import special

from contracts.reports import Finding
from stream_app.drift import binomial
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Floats, Panel, PanelCounts, PanelKind


class Peak:
    """p = min(1, B min_b P(X_b >= c_b)), X_b binomial(n, (r_b + 1) / (m + 1)), B bins (Bonferroni).

    c_b of n values in bin b of the window, r_b of m in the reference. value and size: the largest excess of a bin,
    max_b (c_b / n - r_b / m).

    Few bins are looked at: with z_b = (c_b - n p) / sqrt(n p (1 - p)) and p <= 1/4, P(X_b >= c_b) >= P(Z >= z_b)
    for standard normal Z (Slud, Annals of Probability 5(3), 1977, theorem 2.1), so a bin with P(Z >= z_b) >= 1/B
    cannot bring p below 1. The result is exact all the same.

    >>> from contracts.baseline import Reference
    >>> from contracts.binning import Bins
    >>> bins = Bins(edges=(1.0, 2.0, 3.0), lowest=0.0, highest=3.5)
    >>> panel = Panel("numeric", [Reference(bins, (249, 249, 249, 252))])
    >>> window = PanelCounts(panel, [Reference(bins, (20, 20, 40, 20)).histogram])
    >>> measured = Peak(panel).measure(window)   # 4 P(X >= 40), X binomial(100, .25)
    >>> measured.value.round(4).tolist(), measured.p.round(5).tolist()
    ([0.1508], [0.00275])
    """

    name: ClassVar[str] = "peak"
    finding: ClassVar[Finding] = "values"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("numeric",)

    def __init__(self, panel: Panel) -> None:
        self._p: Floats = (panel.counted.counts + 1) / panel.spread(panel.counted.n + 1)
        self._bins = panel.sizes.astype(np.float64)
        self._feature = panel.spread(np.arange(panel.sizes.size))
        # Just below Slud's limit, so that rounding cannot lose a bin
        z = panel.spread(-special.ndtri(1 / self._bins) - 1e-6)
        self._limit: Floats = np.where(self._p > 0.25, 0.0, z * np.sqrt(self._p * (1 - self._p)))

    def measure(self, window: PanelCounts) -> Measured:
        """value and size: the largest excess of a bin over its share in the reference."""
        n, excess = window.n, window.excess
        # Slud's z as shares: excess >= c_b / n - p > limit / sqrt(n), lowest where the rows are most
        tested = np.flatnonzero(excess > self._limit / math.sqrt(max(n.max(), 1)))
        feature = self._feature[tested]
        p = np.ones(n.size)
        tails = binomial.at_least(window.at(tested), n[feature], self._p[tested])
        np.minimum.at(p, feature, tails * self._bins[feature])
        largest = np.maximum(window.panel.largest(excess), 0.0)
        return Measured(largest, largest, np.where(largest > 0, p, 1.0))
