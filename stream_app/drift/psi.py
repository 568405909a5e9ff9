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
        self._starts: Ints = _tenths(panel) if self._numeric else np.arange(panel.ends[-1])
        self._ends: Ints = np.append(self._starts[1:], panel.ends[-1])
        self._sizes: Ints = np.diff(np.append(np.searchsorted(self._starts, panel.starts), self._starts.size))
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
        return counts.between(self._starts, self._ends)


def _tenths(panel: Panel) -> Ints:
    """First bin, flat, of each group of numeric features. A bin belongs to the tenth in which the middle of its mass
    lies, one without mass to that of the next bin with some, or of the last."""
    reference = panel.counted
    occupied = np.flatnonzero(reference.counts)
    before = panel.spread(panel.starts)[occupied]
    twice_middle = 2 * reference.between(before, occupied) + reference.at(occupied)
    tenth = np.zeros(occupied.size + 1, dtype=np.int64)
    tenth[:-1] = GROUPS * twice_middle // (2 * panel.spread(reference.n)[occupied])  # integers: no ties by rounding
    last = np.searchsorted(occupied, panel.ends) - 1
    following = np.searchsorted(occupied, np.arange(panel.ends[-1]))
    of_bin = tenth[np.minimum(following, panel.spread(last))]  # a feature without values takes any: one group
    first = np.diff(of_bin, prepend=-1) != 0
    first[panel.starts] = True
    return np.flatnonzero(first)
