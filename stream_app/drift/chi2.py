"""Pearson's chi-square for categorical features: window and reference are two samples, sparse levels are pooled."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import special

from contracts.reports import Finding
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Floats, Ints, Panel, PanelCounts, PanelKind

_EXPECTED = 5


class ChiSquare:
    """X2 = sum over levels b of (c_b sqrt(m/n) - r_b sqrt(n/m))^2 / (c_b + r_b), c of n in the window, r of m before.

    This is the statistic of the 2 x K table, so the reference's own sampling noise counts. Levels that expect fewer
    than 5 rows, min(n, m) r_b / m < 5, are pooled with OTHER and UNSEEN into one cell; when that cell still expects
    fewer, the rarest level left joins it. What is pooled does not depend on the window's own counts. OTHER has no cell
    of its own because which of many rare levels were named and which went there was chance in the reference: named
    ones fall back in every window, and OTHER rises (with 500 levels 45 % of the windows of 5,000 rows had p < .01).
    Null: chi-square with K - 1 degrees of freedom. With one cell left X2 = 0 and p = 1.

    Source: Press et al., Numerical Recipes (2007), 14.3.3; the rule of 5: Cochran, Biometrics 10(4), 1954.

    >>> from contracts.baseline import Reference
    >>> from contracts.binning import Levels
    >>> levels = Levels(("a", "b", "c"))
    >>> panel = Panel("categorical", [Reference(levels, (500, 300, 200, 0, 0))])
    >>> window = PanelCounts(panel, [Reference(levels, (40, 30, 28, 0, 2)).histogram])
    >>> measured = ChiSquare(panel).measure(window)   # cells a, b, c + OTHER + UNSEEN: 40, 30, 30 against 500, 300, 200
    >>> measured.value.round(4).tolist(), measured.p.round(4).tolist()
    ([6.1997], [0.0451])
    """

    name: ClassVar[str] = "chi2"
    finding: ClassVar[Finding] = "values"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("categorical",)

    def __init__(self, panel: Panel) -> None:
        counts = panel.counted.counts
        self._m = panel.counted.n
        feature = panel.spread(np.arange(panel.sizes.size))
        ends = panel.starts + panel.sizes
        named = counts.copy()
        named[np.concatenate((ends - 2, ends - 1))] = 0  # OTHER and UNSEEN
        self._order: Ints = np.lexsort((-named, feature))  # within each feature the most frequent level first
        self._named: Ints = named[self._order]
        self._reference: Ints = counts[self._order]

    def measure(self, window: PanelCounts) -> Measured:
        """value and size: X2."""
        panel, n, m = window.panel, window.n, self._m
        usable = (n > 0) & (m > 0)
        some_n, some_m = np.maximum(n, 1), np.maximum(m, 1)
        enough = _EXPECTED * some_m / np.minimum(some_n, some_m)
        kept = self._named >= panel.spread(enough)
        alone = panel.total(kept.astype(np.int64))
        pooled = m - panel.total(self._reference * kept)
        absorbs = (pooled < enough) & (alone > 0)
        kept[(panel.starts + alone - 1)[absorbs]] = False
        counts = window.counts[self._order]
        up, down = np.sqrt(some_m / some_n), np.sqrt(some_n / some_m)
        terms = _terms(counts, self._reference, panel.spread(up), panel.spread(down))
        rest = _terms(n - panel.total(counts * kept), m - panel.total(self._reference * kept), up, down)
        statistic = np.where(usable, panel.total(terms * kept) + rest, 0.0)
        freedom = alone - absorbs
        statistic = np.where(freedom > 0, statistic, 0.0)
        return Measured(statistic, statistic, special.chdtrc(np.maximum(freedom, 1), statistic), freedom=freedom)


def _terms(counts: Ints, reference: Ints, up: Floats, down: Floats) -> Floats:
    terms: Floats = (counts * up - reference * down) ** 2 / np.maximum(counts + reference, 1)
    return terms
