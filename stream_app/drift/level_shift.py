"""How far one level's share moved: the effect size of categorical features, as D is of numeric ones. Not a test."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from contracts.reports import Finding
from stream_app.drift.metric import Measured
from stream_app.drift.panel import Panel, PanelCounts, PanelKind


class LevelShift:
    """max_b |q_b - p_b|, the Chebyshev distance of the two shares of levels, OTHER and UNSEEN among them.

    Source: statistics textbooks know it as the L-infinity distance of two discrete distributions.

    >>> from contracts.baseline import Reference
    >>> from contracts.binning import Levels
    >>> levels = Levels(("a", "b"))
    >>> panel = Panel("categorical", [Reference(levels, (70, 30, 0, 0))])
    >>> window = PanelCounts(panel, [Reference(levels, (50, 40, 0, 10)).histogram])
    >>> LevelShift(panel).measure(window).value.round(3).tolist()
    [0.2]
    """

    name: ClassVar[str] = "level_shift"
    finding: ClassVar[Finding] = "values"
    kinds: ClassVar[tuple[PanelKind, ...]] = ("categorical",)

    def __init__(self, panel: Panel) -> None:
        self._shares = panel.counted.shares
        self._m = panel.counted.n

    def measure(self, window: PanelCounts) -> Measured:
        """value and size: the largest change of one level's share."""
        change = window.panel.largest(np.abs(window.shares - self._shares))
        change = np.where((window.n > 0) & (self._m > 0), change, 0.0)
        return Measured(change, change)
