"""Metric: one way to compare a window with the reference. metrics.py lists the members."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol

from contracts.reports import Finding
from stream_app.drift.panel import Floats, Ints, Panel, PanelCounts, PanelKind


class Measured(NamedTuple):
    """A metric of F features; every array has shape (F,), none holds NaN.

    value: as people read it. size: how far the window is from the reference, 0 for none: what a floor is held
    against. p: probability of so much without drift, None where the metric is no test. reference: the same quantity
    in the reference, for rates. freedom: degrees of freedom, where the statistic's null law is a chi-square.
    """

    value: Floats
    size: Floats
    p: Floats | None = None
    reference: Floats | None = None
    freedom: Ints | None = None


class Metric(Protocol):
    """Built once per baseline (whatever depends on the reference alone is computed then), measured at every close.

    finding: what an alarm of it says: "values" for the spread of the known values, or one of the rates.

    Laws, tested for every member: size 0 and p 1 on identical counts; the same for counts in any order and cut into
    any partials; size does not fall while a growing share of rows moves; a feature without values, in the window or
    in the reference, has size 0 and p 1.
    """

    name: ClassVar[str]
    finding: ClassVar[Finding]
    kinds: ClassVar[tuple[PanelKind, ...]]

    def __init__(self, panel: Panel) -> None: ...

    def measure(self, window: PanelCounts) -> Measured:
        """Compare a window's counts, over the same panel, with the reference."""
        ...
