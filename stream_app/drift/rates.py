"""Rates: how often a value is missing, out of the reference's range, of an unseen level, or a decision positive."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import special

from contracts.baseline import Reference
from contracts.binning import Levels
from contracts.reports import Finding
from stream_app.drift import two_samples
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Floats, Ints, Panel, PanelCounts, PanelKind

_FEW = 10


def two_sample_p(k: Ints, n: Ints, k_reference: Ints, m: Ints) -> Floats:
    """p that two samples have one rate, two-sided, by elements: k of n now, k_reference of m before.

    z = (k/n - k_r/m) / sqrt(p (1 - p)(1/n + 1/m)), p = (k + k_r)/(n + m). Where the smaller sample expects fewer than
    10 (or all but fewer than 10): the exact test of two_samples.py. Of equal rates p is 1.

    Source: Armitage, Berry and Matthews, Statistical Methods in Medical Research (2002), 4.5.

    >>> two_sample_p(*(np.array([x]) for x in (60, 1000, 4000, 100000))).round(5).tolist()
    [0.00136]
    >>> two_sample_p(*(np.array([x]) for x in (3, 1000, 50, 100000))).round(4).tolist()   # .5 expected
    [0.0315]
    """
    n_, m_ = np.maximum(n, 1), np.maximum(m, 1)
    pooled = (k + k_reference) / (n_ + m_)
    sd = np.sqrt(pooled * (1 - pooled) * (1 / n_ + 1 / m_))
    z = (k / n_ - k_reference / m_) / np.where(sd > 0, sd, 1.0)
    p = 2 * special.ndtr(-np.abs(z))
    few = (np.minimum(n, m) * np.minimum(pooled, 1 - pooled) < _FEW) & (z != 0)
    if few.any():
        k, n, k_reference, m = k[few], n[few], k_reference[few], m[few]
        most = pooled[few] > 0.5
        p[few] = two_samples.two_sided(np.where(most, n - k, k), n, np.where(most, m - k_reference, k_reference), m)
    return p


def _measured(k: Ints, n: Ints, k_reference: Ints, m: Ints, p: Floats) -> Measured:
    value, reference = k / np.maximum(n, 1), k_reference / np.maximum(m, 1)
    size = np.where((n > 0) & (m > 0), np.abs(value - reference), 0.0)
    return Measured(value, size, np.where(size > 0, p, 1.0), reference)


class Missing:
    """Share of rows without a value: NaN, null or absent.

    >>> from contracts.binning import Bins
    >>> bins = Bins(edges=(1.0,), lowest=0.0, highest=2.0)
    >>> panel = Panel("numeric", [Reference(bins, (500, 490), missing=10)])
    >>> window = PanelCounts(panel, [Reference(bins, (50, 40), missing=10).histogram])
    >>> measured = Missing(panel).measure(window)     # P(X >= 10), X binomial(20, 100/1100), twice
    >>> measured.value.tolist(), measured.reference.tolist(), f"{measured.p[0]:.1e}"
    ([0.1], [0.01], '6.0e-06')
    """

    name: ClassVar[str] = "missing"
    finding: ClassVar[Finding] = "missing"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("numeric", "categorical")

    def __init__(self, panel: Panel) -> None:
        self._reference = panel.counted

    def measure(self, window: PanelCounts) -> Measured:
        """value: the rate in the window; size: its distance from the reference's."""
        counts = (window.missing, window.rows, self._reference.missing, self._reference.rows)
        return _measured(*counts, two_sample_p(*counts))


class OutOfRange:
    """Share of the known values below the reference's smallest or above its largest.

    The reference has none of them by construction. One-sided: P(X >= k), X binomial(k + 1, n/(n + m)), k of n values
    out of the range of m. With one distribution the n new values fall into the m + 1 gaps between the reference's in
    any way with the same chance; out of range are those in the two outer gaps.

    Source: Gumbel and von Schelling, The distribution of the number of exceedances, Annals of Mathematical Statistics
    21(2), 1950.

    >>> from contracts.binning import Bins
    >>> bins = Bins(edges=(0.0, 1.0), lowest=0.0, highest=0.5)
    >>> panel = Panel("numeric", [Reference(bins, (0, 999, 0))])
    >>> window = PanelCounts(panel, [Reference(bins, (0, 97, 3)).histogram])
    >>> measured = OutOfRange(panel).measure(window)      # f = 100/1099: f^3 (1 + 3 (1 - f))
    >>> measured.value.tolist(), measured.p.round(6).tolist()
    ([0.03], [0.002808])
    """

    name: ClassVar[str] = "out_of_range"
    finding: ClassVar[Finding] = "out_of_range"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("numeric",)

    def __init__(self, panel: Panel) -> None:
        self._reference = panel.counted
        self._ends: Ints = panel.counted.strange + 1

    def measure(self, window: PanelCounts) -> Measured:
        """value: the rate in the window; size: its distance from the reference's."""
        counts = (window.strange, window.n, self._reference.strange, self._reference.n)
        return _measured(*counts, two_samples.at_least(window.strange, window.n, self._ends, self._reference.n))


class Unseen:
    """Share of the known values of a level that the reference never had.

    One-sided: P(X >= k), X binomial(k + N1, n/(n + m)), k of n values unseen. N1, the number of levels seen just once
    among m values, over m is the Good-Turing estimate of the share of levels not seen yet: the same number of rows in
    both samples is expected of them. Where a reference was made without counting N1: of the levels in OTHER only the
    number L and the sum T are known, and that none is more frequent than the rarest named one, c: at most
    L - (T - L)/(c - 1) occur once.

    Source: Good, Biometrika 40(3/4), 1953.

    >>> levels = Levels(("a", "b"))
    >>> panel = Panel("categorical", [Reference(levels, (700, 299, 0, 0))])
    >>> Unseen(panel).measure(PanelCounts(panel, [Reference(levels, (60, 37, 0, 3)).histogram])).p.round(6).tolist()
    [0.000753]
    >>> panel = Panel("categorical", [Reference(Levels(("a",), rest=("b", "c", "d")), (992, 7, 0))])
    >>> Unseen(panel).expected_rate.tolist()  # b, c, d could have 5, 1, 1
    [0.003]
    """

    name: ClassVar[str] = "unseen"
    finding: ClassVar[Finding] = "unseen"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("categorical",)

    def __init__(self, panel: Panel) -> None:
        self._reference = panel.counted
        self._singles: Ints = np.array([_seen_once(reference) for reference in panel.references], dtype=np.int64)
        self.expected_rate: Floats = np.minimum((self._singles + 1) / (panel.counted.n + 1), 1.0)
        """For who learns natural variation: what is expected without drift."""

    def measure(self, window: PanelCounts) -> Measured:
        """value: the rate in the window; size: its distance from the reference's."""
        counts = (window.strange, window.n, self._reference.strange, self._reference.n)
        return _measured(*counts, two_samples.at_least(window.strange, window.n, self._singles, self._reference.n))


def _seen_once(reference: Reference) -> int:
    """How many levels of one categorical feature the reference has just once, at most."""
    if reference.singles is not None:
        return reference.singles
    levels = reference.bins
    assert isinstance(levels, Levels)
    named, rest = reference.counts[: levels.other], len(levels.rest)
    rarest = min((count for count in named if count), default=1)
    others = rest if rarest < 2 else rest - math.ceil((reference.counts[levels.other] - rest) / (rarest - 1))
    return sum(count == 1 for count in named) + max(others, 0)


class Positives:
    """Share of the decisions that are positive.

    >>> levels = Levels(("false", "true"))
    >>> panel = Panel("decision", [Reference(levels, (900, 100, 0, 0))])
    >>> window = PanelCounts(panel, [Reference(levels, (800, 200, 0, 0)).histogram])
    >>> measured = Positives(panel).measure(window)        # z = .1 / sqrt(.15 * .85 * (1/1000 + 1/1000)) = 6.26
    >>> measured.value.tolist(), measured.reference.tolist(), f"{measured.p[0]:.1e}"
    ([0.2], [0.1], '3.8e-10')
    """

    name: ClassVar[str] = "positives"
    finding: ClassVar[Finding] = "positives"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("decision",)

    def __init__(self, panel: Panel) -> None:
        self._reference = panel.counted
        self._true: Ints = panel.starts + 1

    def measure(self, window: PanelCounts) -> Measured:
        """value: the rate in the window; size: its distance from the reference's."""
        reference = self._reference
        counts = (window.at(self._true), window.n, reference.at(self._true), reference.n)
        return _measured(*counts, two_sample_p(*counts))
