"""The fullest bin: finds what piles up on one value (a default fill, a stuck sensor) and hardly moves PSI or KS."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import special

from contracts.reports import Finding
from stream_app.drift import two_samples
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Floats, Panel, PanelCounts, PanelKind


class Peak:
    """p = min(1, B min_b P(X_b >= c_b)), X_b binomial(c_b + r_b, n / (n + m)), B bins (Bonferroni).

    c_b of n values in bin b of the window, r_b of m in the reference: the test of two_samples.py, because the reference
    is a sample, too (held against r_b / m as if it were certain, windows of 10,000 rows always found a bin too full
    for a reference of 5,000). value and size: the largest excess of a bin, max_b (c_b / n - r_b / m).

    Few bins are looked at: with z_b = (c_b - s f) / sqrt(s f (1 - f)), s = c_b + r_b, f = n / (n + m) <= 1/4,
    P(X_b >= c_b) >= P(Z >= z_b) for standard normal Z (Slud, Annals of Probability 5(3), 1977, theorem 2.1), so a bin
    with P(Z >= z_b) >= 1/B cannot bring p below 1. With f > 1/4, a window of more than a third of the reference's rows,
    p may be said to be 1 where it is a little less. What is looked at is exact.

    >>> from contracts.baseline import Reference
    >>> from contracts.binning import Bins
    >>> bins = Bins(edges=(1.0, 2.0, 3.0), lowest=0.0, highest=3.5)
    >>> panel = Panel("numeric", [Reference(bins, (249, 249, 249, 252))])
    >>> window = PanelCounts(panel, [Reference(bins, (20, 20, 40, 20)).histogram])
    >>> measured = Peak(panel).measure(window)   # 4 P(X >= 40), X binomial(289, 100/1099)
    >>> measured.value.round(4).tolist(), measured.p.round(5).tolist()
    ([0.1508], [0.02109])
    """

    name: ClassVar[str] = "peak"
    finding: ClassVar[Finding] = "values"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("numeric",)

    def __init__(self, panel: Panel) -> None:
        self._reference = panel.counted
        self._bins = panel.sizes.astype(np.float64)
        self._feature = panel.spread(np.arange(panel.sizes.size))
        # Just below Slud's limit, so that rounding cannot lose a bin
        z = panel.spread(-special.ndtri(1 / self._bins) - 1e-6)
        self._limit: Floats = z * np.sqrt(panel.counted.shares)

    def measure(self, window: PanelCounts) -> Measured:
        """value and size: the largest excess of a bin over its share in the reference."""
        n, m, excess = window.n, self._reference.n, window.excess
        # z_b = excess sqrt(nm / (c_b + r_b)) is below excess sqrt(m / r_b) / sqrt(1/n + 1/m): lowest with the most rows
        noise = math.sqrt(1 / max(n.max(), 1) + 1 / max(m.max(), 1))
        tested = np.flatnonzero(excess > noise * self._limit)
        feature = self._feature[tested]
        p = np.ones(n.size)
        tails = two_samples.at_least(window.at(tested), n[feature], self._reference.at(tested), m[feature])
        np.minimum.at(p, feature, tails * self._bins[feature])
        largest = np.maximum(window.panel.largest(excess), 0.0)
        return Measured(largest, largest, np.where(largest > 0, p, 1.0))
