"""The Kolmogorov-Smirnov distance on bins, and its null distribution with and without ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from contracts.baseline import BridgeTable
from contracts.binning import EQUAL_MASS_BINS
from contracts.reports import Finding
from stream_app.drift import two_samples
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Floats, Ints, Panel, PanelCounts, PanelKind

_FEW = 10
"""Expected rows outside the fullest bin, below which a bridge's Gaussian marginals are far too light."""
_HEAVY = 1.5 / EQUAL_MASS_BINS
"""A bin above this mass is an atom or a gap: a continuous feature's bins hold 1/240 each."""
_TIED_MASS = 0.05
_TAIL = 0.002
_TABLE_POINTS = 64
_BLOCK = 4_000


class Ks:
    """D = max over bins b of |F_window(b) - F_reference(b)|, F the share of known values in bin b and those below.

    D on bins is at most the exact D on raw values, and less by no more than the mass of the largest bin that is no
    atom. Null: with n and m values, sqrt(nm/(n+m)) D is the supremum of a Brownian bridge: the Kolmogorov
    distribution for a continuous feature, the reference's bridge table for one with ties. Where the smaller sample
    expects fewer than 10 rows outside the fullest bin (a constant feature: none), p is that of the number of rows
    outside it, by the exact test of two_samples.py.

    Source: Smirnov 1939; Billingsley, Convergence of Probability Measures (1999), section 14.

    >>> from contracts.baseline import Reference
    >>> from contracts.binning import Bins
    >>> bins = Bins(edges=(1.0, 2.0, 3.0), lowest=0.0, highest=3.5)
    >>> reference = Reference(bins, (100, 100, 100, 100))
    >>> panel = Panel("numeric", [reference])
    >>> window = PanelCounts(panel, [Reference(bins, (10, 10, 40, 40)).histogram])
    >>> measured = Ks(panel).measure(window)       # F: .1 .2 .6 1 against .25 .5 .75 1
    >>> measured.value.round(3).tolist(), measured.p.round(7).tolist()  # sqrt(100 * 400 / 500) * .3 = 2.683
    ([0.3], [1.1e-06])
    """

    name: ClassVar[str] = "ks"
    finding: ClassVar[Finding] = "values"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("numeric",)

    def __init__(self, panel: Panel) -> None:
        self._reference = panel.counted
        fullest = [int(reference.histogram.counts.argmax()) for reference in panel.references]
        self._fullest: Ints = panel.starts + np.array(fullest, dtype=np.int64)
        self._outside: Ints = self._reference.n - self._reference.at(self._fullest)
        self._outside_rate: Floats = (self._outside + 1) / (self._reference.n + 2)
        tables = [reference.bridge for reference in panel.references]
        self._tied: Ints = np.flatnonzero([table is not None for table in tables])
        self._bridges = _Bridges([table for table in tables if table is not None])

    def measure(self, window: PanelCounts) -> Measured:
        """value and size: D."""
        panel, n, m = window.panel, window.n, self._reference.n
        ahead = window.ahead
        distance = np.maximum(np.maximum.reduceat(ahead, panel.starts), -np.minimum.reduceat(ahead, panel.starts))
        x = np.sqrt(n * m / np.maximum(n + m, 1)) * distance
        p = special.kolmogorov(x)
        p[self._tied] = self._bridges.upper_tail(x[self._tied])
        few = np.minimum(n, m) * self._outside_rate < _FEW
        if few.any():
            outside = n - window.at(self._fullest)
            p[few] = two_samples.two_sided(outside[few], n[few], self._outside[few], m[few])
        return Measured(distance, distance, np.where(distance > 0, p, 1.0))


class _Bridges:
    """Bridge tables of several features, looked up at once: each lies in a stretch of its own of one long table."""

    def __init__(self, tables: Sequence[BridgeTable]) -> None:
        self._start: Floats = np.array([table.x[0] for table in tables])
        self._end: Floats = np.array([table.x[-1] for table in tables])
        self._sigma: Floats = np.array([table.sigma for table in tables])
        p_end = np.array([table.p[-1] for table in tables])
        self._scale: Floats = p_end / special.ndtr(-self._end / self._sigma)
        self._offset: Floats = np.arange(len(tables)) * (1 + self._end.max(initial=0.0))
        x = [np.array(table.x) + offset for table, offset in zip(tables, self._offset, strict=True)]
        self._x: Floats = np.concatenate([*x, np.empty(0)])
        self._log_p: Floats = np.log(np.concatenate([*(np.array(table.p) for table in tables), np.empty(0)]))

    def upper_tail(self, x: Floats) -> Floats:
        """p of one x per table, shape (tables,): log-linear between the points, beyond them c norm.sf(x/sigma)."""
        if not x.size:
            return x
        inside = np.exp(np.interp(np.clip(x, self._start, self._end) + self._offset, self._x, self._log_p))
        beyond = self._scale * special.ndtr(-x / self._sigma)
        return np.where(x > self._end, beyond, np.where(x < self._start, 1.0, inside))


def fit_bridge(counts: Sequence[int] | npt.NDArray[np.int64], seed: int, draws: int = 40_000) -> BridgeTable | None:
    """Null distribution of sqrt(nm/(n+m)) * D for a feature with ties: the supremum of a Brownian bridge at the
    reference's own cumulative masses, by simulation.

    counts: the reference's, shape (bins,). None when the Kolmogorov distribution serves: less than 5 % of the mass
    lies in bins of more than 1.5/240 (a continuous feature, or one with small atoms only), or no more than one bin is
    occupied (a constant feature, which has an exact test). The table ends at p = .002, where 40,000 draws still tell
    the quantile within 3 %; beyond it `Ks` continues with a Gaussian tail.

    Source: Billingsley, Convergence of Probability Measures (1999), section 14: the empirical process tends to a
    Brownian bridge; with ties it is seen only at the atoms' cumulative masses.
    """
    occupied = np.asarray(counts, dtype=np.float64)
    occupied = occupied[occupied > 0]
    if occupied.size < 2:
        return None
    masses = occupied / occupied.sum()
    if masses[masses > _HEAVY].sum() < _TIED_MASS:
        return None
    rng = np.random.default_rng(seed)
    blocks = [_suprema(masses, rng, min(_BLOCK, draws - done)) for done in range(0, draws, _BLOCK)]
    p = np.exp(np.linspace(-0.001, np.log(_TAIL), _TABLE_POINTS))
    x = np.quantile(np.concatenate(blocks), 1 - p)
    below = np.cumsum(masses)[:-1]
    return BridgeTable(tuple(x.tolist()), tuple(p.tolist()), float(np.sqrt((below * (1 - below)).max())))


def _suprema(masses: Floats, rng: np.random.Generator, draws: int) -> Floats:
    """Largest absolute value of each of `draws` bridges, shape (draws,)."""
    walks = np.cumsum(rng.standard_normal((draws, masses.size)) * np.sqrt(masses), axis=1)
    bridges = walks[:, :-1] - walks[:, -1:] * np.cumsum(masses)[:-1]
    return np.asarray(np.abs(bridges).max(axis=1), dtype=np.float64)
