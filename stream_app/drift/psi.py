"""The population stability index, with the null distribution that turns it into a test."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import special

from contracts.reports import Finding
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Floats, Ints, Panel, PanelCounts, PanelKind

GROUPS = 10
_SMOOTHING = 0.5


class Psi:
    """PSI = sum over groups g of (q_g - p_g) ln(q_g / p_g), q the window's share of values in g, p the reference's.

    Numeric: ten groups of whole bins with about a tenth of the reference each; overflow bins and gaps join their
    neighbours, a large atom leaves fewer groups. Categorical: every level is a group, OTHER and UNSEEN too; levels
    empty on both sides are left out. Each of G groups is smoothed by half a value: q_g = (c_g + .5) / (n + .5 G).

    Null: PSI / (1/n + 1/m) ~ chi-square with G - 1 degrees of freedom; this gives p for numeric features. Categorical
    ones have too many sparse groups for it (chi2.py tests them); their size is what PSI exceeds its null mean by,
    (G - 1)(1/n + 1/m), at least 0.

    Source: Yurdakul and Naranjo, Statistical properties of the population stability index, J. Risk Model Validation
    14(4), 2020. The smoothing is the Jeffreys prior's.

    >>> from contracts.baseline import Reference
    >>> from contracts.binning import Bins
    >>> bins = Bins(edges=(1.0,), lowest=0.0, highest=2.0)
    >>> panel = Panel("numeric", [Reference(bins, (500, 500))])
    >>> window = PanelCounts(panel, [Reference(bins, (60, 40)).histogram])
    >>> measured = Psi(panel).measure(window)   # q = 60.5/101, 40.5/101; p = .5, .5
    >>> measured.value.round(4).tolist(), measured.p.round(4).tolist()
    ([0.0397], [0.0573])
    """

    name: ClassVar[str] = "psi"
    finding: ClassVar[Finding] = "values"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("numeric", "categorical")

    def __init__(self, panel: Panel) -> None:
        self._numeric = panel.kind == "numeric"
        self._m = panel.counted.n
        groups = [self._groups(reference.histogram.counts) for reference in panel.references]
        self._starts: Ints = np.concatenate([start + first for start, first in zip(panel.starts, groups, strict=True)])
        self._sizes: Ints = np.array([first.size for first in groups], dtype=np.int64)
        self._features: Ints = np.concatenate(([0], np.cumsum(self._sizes)[:-1]))
        self._reference = self._grouped(panel.counted)

    def measure(self, window: PanelCounts) -> Measured:
        """value: PSI; 0 without values in the window or the reference."""
        n, m = window.n, self._m
        counts, reference = self._grouped(window), self._reference
        used = counts + reference > 0
        groups = np.maximum(np.add.reduceat(used, self._features, dtype=np.int64), 1)
        q = (counts + _SMOOTHING) / np.repeat(n + _SMOOTHING * groups, self._sizes)
        p = (reference + _SMOOTHING) / np.repeat(m + _SMOOTHING * groups, self._sizes)
        psi: Floats = np.add.reduceat(np.where(used, (q - p) * np.log(q / p), 0.0), self._features)
        psi = np.where((n > 0) & (m > 0), psi, 0.0)
        variance = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
        if not self._numeric:
            return Measured(psi, np.maximum(psi - (groups - 1) * variance, 0.0))
        p_value = special.chdtrc(np.maximum(groups - 1, 1), psi / variance)
        return Measured(psi, psi, np.where((groups > 1) & (psi > 0), p_value, 1.0), freedom=groups - 1)

    def _grouped(self, counts: PanelCounts) -> Ints:
        return np.add.reduceat(counts.counts, self._starts)

    def _groups(self, reference: Ints) -> Ints:
        """First bin of each group of one feature. A bin belongs to the tenth in which the middle of its mass lies."""
        if not self._numeric:
            return np.arange(reference.size)
        occupied = np.flatnonzero(reference)
        if not occupied.size:
            return np.zeros(1, dtype=np.int64)
        below = np.cumsum(reference) - reference
        tenth = (GROUPS * (2 * below + reference))[occupied] // (
            2 * int(reference.sum())
        )  # integers: no ties by rounding
        next_occupied = np.minimum(np.searchsorted(occupied, np.arange(reference.size)), occupied.size - 1)
        return np.flatnonzero(np.diff(tenth[next_occupied], prepend=-1))
