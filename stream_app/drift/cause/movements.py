"""Ways in which all values, or some, can move by one rising function: shift, ratio, spread about the median, tail."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from contracts.findings import CauseKind
from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.points import Floats, rounding
from stream_app.drift.cause.tables import Tables

_SHIFTS = np.geomspace(0.05, 20.0, 22)
"""In standard deviations, each way."""
_STEPS = np.arange(1.0, 13.0)
"""Of a reference that is rounded."""
_FACTORS = np.concatenate((np.geomspace(0.1, 0.93, 16), np.geomspace(1.07, 10.0, 16)))
_TAIL_FACTORS = np.array([0.5, 0.7, 1.3, 1.6, 2.0, 3.0, 5.0])
_TAILS = (0.05, 0.1, 0.2, 0.4)
_SLACK, _MANY_OUTSIDE = 0.005, 0.3
"""Where many values are out of range, in bins as wide as the reference, counts do not tell how far they moved."""
_RATIO, _RATIO_ACROSS_ZERO, _RATIO_FAR_OFF, _NARROW = 1.0, 2.0, 5.0, 0.1
"""Surprises. Where all values lie far from 0 a ratio looks like a shift, and a shift is the simpler word."""


@dataclass(frozen=True)
class Movement:
    """One way to move, by a size.

    sizes: those that are tried, rising. undo: where the values that end at `edges` come from, for each size; shapes
    (sizes, 1) and (edges,) to (sizes, edges). surprise: the log-likelihood that it has to bring more than others.
    share: of the values that can move. value: what does not move, if anything. upper: of a tail. likely: the size that
    the extremes speak for; it chooses where the counts cannot: between gains that differ by a share of `slack`.
    """

    kind: CauseKind
    sizes: Floats
    undo: Callable[[Floats, Floats], Floats]
    surprise: float = 0.0
    share: float = 1.0
    value: float | None = None
    upper: bool = True
    likely: float | None = None
    slack: float = 0.0

    def undone(self, size: float, value: float) -> float:
        """Where one value comes from."""
        return float(self.undo(np.array([[size]]), np.array([value]))[0, 0])

    def candidate(self, size: float, share: float, gain: float, penalty: float) -> Candidate:
        """The explanation by this size."""
        shift = self.kind == "shift"
        return Candidate(
            kind=self.kind,
            gain=gain,
            penalty=penalty,
            share=share * self.share,
            value=size if shift else self.value,
            factor=None if shift else size,
            upper=self.upper,
            in_part=share < 1,
        )


def movements(tables: Tables, window: Histogram) -> list[Movement]:
    """What is tried on this reference; nothing where its values do not vary, or beyond all measure.

    Sizes that move its extremes to the window's are among it: where its values are few and those of the window fall
    between them, the counts alone do not tell the size.
    """
    sd, median = tables.sd, float(tables.quantile(np.array([0.5]))[0])
    if not 0 < sd < math.inf:
        return []
    shifts = np.concatenate((-sd * _SHIFTS, sd * _SHIFTS))
    if step := rounding(tables.bins):
        shifts = np.concatenate((shifts, -step * _STEPS, step * _STEPS))
    low, high = tables.bins.lowest, tables.bins.highest
    pairs = [(low, window.minimum), (high, window.maximum)]
    ends = [(before, now) for before, now in pairs if now is not None and math.isfinite(now)]
    by = [now - before for before, now in ends if math.isfinite(now - before)]
    ratios = [now / before for before, now in ends if before * now > 0]
    ratios = [ratio for ratio in ratios if _FACTORS[0] < ratio < _FACTORS[-1]]
    slack = _SLACK if window.out_of_range > _MANY_OUTSIDE * window.known else 0.0
    surprise = _RATIO_ACROSS_ZERO if low < 0 < high else _RATIO_FAR_OFF if sd < _NARROW * abs(median) else _RATIO
    return [
        Movement("shift", _with(shifts, by), lambda by, edges: edges - by, likely=_middle(by), slack=slack),
        Movement("spread", _FACTORS, lambda by, edges: median + (edges - median) / by, value=median),
        Movement("ratio", _with(_FACTORS, ratios), lambda by, edges: edges / by, surprise, likely=_middle(ratios)),
    ]


def _with(sizes: Floats, more: list[float]) -> Floats:
    return np.unique(np.concatenate((sizes, more, [np.mean(more)] if more else [])))


def _middle(sizes: list[float]) -> float | None:
    return float(np.mean(sizes)) if sizes else None


def tails(tables: Tables) -> list[Movement]:
    """Longer and shorter tails on both sides, from several quantiles on; nothing where values do not vary."""
    if not 0 < tables.sd < math.inf:
        return []
    return [_tail(tables, share, upper) for share in _TAILS for upper in (True, False)]


def _tail(tables: Tables, share: float, upper: bool) -> Movement:
    start = float(tables.quantile(np.array([1 - share if upper else share]))[0])

    def undo(by: Floats, edges: Floats) -> Floats:
        beyond = edges > start if upper else edges < start
        return np.where(beyond, start + (edges - start) / by, edges)

    return Movement("tail", _TAIL_FACTORS, undo, share=share, value=start, upper=upper)
