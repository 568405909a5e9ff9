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
_RATIO, _RATIO_ACROSS_ZERO = 1.0, 2.0


@dataclass(frozen=True)
class Movement:
    """One way to move, by a size.

    sizes: those that are tried, rising. undo: where the values that end at `edges` come from, for each size; shapes
    (sizes, 1) and (edges,) to (sizes, edges). surprise: the log-likelihood that it has to bring more than others.
    share: of the values that can move. value: what does not move, if anything. upper: of a tail.
    """

    kind: CauseKind
    sizes: Floats
    undo: Callable[[Floats, Floats], Floats]
    surprise: float = 0.0
    share: float = 1.0
    value: float | None = None
    upper: bool = True

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
    """What is tried on this reference; nothing where its values do not vary.

    Sizes that move its extremes to the window's are among it: where its values are few and those of the window fall
    between them, the counts alone do not tell the size.
    """
    sd, median = tables.sd, float(tables.quantile(np.array([0.5]))[0])
    if sd == 0:
        return []
    shifts = np.concatenate((-sd * _SHIFTS, sd * _SHIFTS))
    if step := rounding(tables.bins):
        shifts = np.concatenate((shifts, -step * _STEPS, step * _STEPS))
    low, high = tables.bins.lowest, tables.bins.highest
    pairs = [(low, window.minimum), (high, window.maximum)]
    ends = [(before, now) for before, now in pairs if now is not None and math.isfinite(now)]
    shifts = np.concatenate((shifts, [now - before for before, now in ends]))
    ratios = [now / before for before, now in ends if before * now > 0]
    factors = np.unique(np.concatenate((_FACTORS, [by for by in ratios if _FACTORS[0] < by < _FACTORS[-1]])))
    across_zero = low < 0 < high
    return [
        Movement("shift", np.unique(shifts), lambda by, edges: edges - by),
        Movement("spread", _FACTORS, lambda by, edges: median + (edges - median) / by, value=median),
        Movement("ratio", factors, lambda by, edges: edges / by, _RATIO_ACROSS_ZERO if across_zero else _RATIO),
    ]


def tails(tables: Tables) -> list[Movement]:
    """Longer and shorter tails on both sides, from several quantiles on; nothing where values do not vary."""
    if tables.sd == 0:
        return []
    return [_tail(tables, share, upper) for share in _TAILS for upper in (True, False)]


def _tail(tables: Tables, share: float, upper: bool) -> Movement:
    start = float(tables.quantile(np.array([1 - share if upper else share]))[0])

    def undo(by: Floats, edges: Floats) -> Floats:
        beyond = edges > start if upper else edges < start
        return np.where(beyond, start + (edges - start) / by, edges)

    return Movement("tail", _TAIL_FACTORS, undo, share=share, value=start, upper=upper)
