"""Pearson's chi-square for categorical features: window and reference are two samples, sparse levels are pooled."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import special

from contracts.baseline import Reference
from contracts.binning import Levels
from contracts.reports import Finding
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Flags, Floats, Ints, Panel, PanelCounts, PanelKind

_EXPECTED = 5


class ChiSquare:
    """X2 = sum over levels b of (c_b sqrt(m/n) - r_b sqrt(n/m))^2 / (c_b + r_b), c of n in the window, r of m before.

    This is the statistic of the 2 x K table, so the reference's own sampling noise counts. Levels that expect fewer
    than 5 rows in the window or the reference, (c_b + r_b) min(n, m) / (n + m) < 5, are pooled with OTHER and UNSEEN
    into one cell; when that cell still expects fewer, the rarest level left joins it. Only sums of both samples decide
    what is pooled: how they are split between the two is what is tested. (Pooled by r_b alone, levels are kept that
    were frequent by luck in the reference: with a reference of 1,000 rows large windows alarmed.)

    OTHER has no cell of its own because which of many rare levels were named and which went there was luck, too: named
    ones fall back in every window, and OTHER rises. For the same reason, where OTHER has levels, named ones are pooled
    with them that expect fewer rows in the reference than t + 3 sqrt(t), t those of the rarest named one.
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
        self._reference = panel.counted
        self._named: Flags = np.ones(int(panel.ends[-1]), dtype=np.bool_)
        self._named[np.concatenate((panel.ends - 2, panel.ends - 1))] = False  # OTHER and UNSEEN
        self._border: Floats = np.array([_border(reference) for reference in panel.references])

    def measure(self, window: PanelCounts) -> Measured:
        """value and size: X2."""
        panel, n, m = window.panel, window.n, self._reference.n
        usable = (n > 0) & (m > 0)
        some_n, some_m = np.maximum(n, 1), np.maximum(m, 1)
        both, most = window.counts + self._reference.counts, some_n + some_m
        # Rows of both samples that a cell of its own needs
        enough = np.maximum(_EXPECTED * most / np.minimum(some_n, some_m), self._border * most / some_m)
        kept = self._named & (both >= panel.spread(enough))
        alone = panel.total(kept.astype(np.int64))
        absorbs = (n + m - panel.total(both * kept) < _EXPECTED * most / np.minimum(some_n, some_m)) & (alone > 0)
        if absorbs.any():
            kept[_rarest(panel, np.where(kept, both, np.iinfo(np.int64).max))[absorbs]] = False
        up, down = np.sqrt(some_m / some_n), np.sqrt(some_n / some_m)
        terms = _terms(window.counts, self._reference.counts, panel.spread(up), panel.spread(down))
        own, before = n - panel.total(window.counts * kept), m - panel.total(self._reference.counts * kept)
        freedom = alone - absorbs
        statistic = panel.total(terms * kept) + _terms(own, before, up, down)
        statistic = np.where(usable & (freedom > 0), statistic, 0.0)
        return Measured(statistic, statistic, special.chdtrc(np.maximum(freedom, 1), statistic), freedom=freedom)


def _border(reference: Reference) -> float:
    """Rows in the reference below which it may be luck that a level was named; 0 where all were."""
    levels = reference.bins
    assert isinstance(levels, Levels)
    rarest = min(reference.counts[: levels.other], default=0)
    return rarest + 3 * math.sqrt(rarest) if levels.rest else 0.0


def _rarest(panel: Panel, rows: Ints) -> Ints:
    """Where each feature's smallest number is, flat."""
    order = np.lexsort((rows, panel.spread(np.arange(panel.sizes.size))))
    return order[panel.starts]


def _terms(counts: Ints, reference: Ints, up: Floats, down: Floats) -> Floats:
    terms: Floats = (counts * up - reference * down) ** 2 / np.maximum(counts + reference, 1)
    return terms
