"""All values moved by one rising function: a shift, a ratio, a spread about the median, a longer or shorter tail."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from contracts.findings import CauseKind
from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.extremes import against
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.points import Floats, rounding
from stream_app.drift.cause.tables import Distribution, Tables

_SHIFTS = np.geomspace(0.05, 20.0, 22)  # in standard deviations, each way
_STEPS = np.arange(1.0, 13.0)
_FACTORS = np.concatenate((np.geomspace(0.1, 0.93, 16), np.geomspace(1.07, 10.0, 16)))
_TAIL_FACTORS = np.array([0.5, 0.7, 1.3, 1.6, 2.0, 3.0, 5.0])
_TAILS = (0.05, 0.1, 0.2, 0.4)
_REFINED = 9
_SURPRISE = 2.0
_SURPRISE_IN_PART = 6.0
_SURPRISE_OF_A_RATIO = 1.0
_WORTH_REFINING = 6.0


@dataclass(frozen=True)
class Movement:
    """One way to move, by a size. undo: where the values that end at `edges` come from, for each size; shapes
    (sizes, 1) and (edges,) to (sizes, edges). bounds: of the sizes between which it is refined."""

    kind: CauseKind
    sizes: Floats
    undo: Callable[[Floats, Floats], Floats]
    surprise: float = 0.0
    share: float = 1.0
    value: float | None = None
    upper: bool = True

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


def movements(tables: Tables) -> list[Movement]:
    """What is tried on this reference."""
    sd, median = tables.sd, float(tables.quantile(np.array([0.5]))[0])
    if sd == 0:
        return []
    shifts = np.concatenate((-sd * _SHIFTS, sd * _SHIFTS))
    if step := rounding(tables.bins):
        shifts = np.concatenate((shifts, -step * _STEPS, step * _STEPS))
    own_sign = tables.bins.lowest >= 0 or tables.bins.highest <= 0
    ratio = _SURPRISE_OF_A_RATIO if own_sign else 2 * _SURPRISE_OF_A_RATIO
    return [
        Movement("shift", np.unique(shifts), lambda by, edges: edges - by),
        Movement("spread", _FACTORS, lambda by, edges: median + (edges - median) / by, value=median),
        Movement("ratio", _FACTORS, lambda by, edges: edges / by, surprise=ratio),
        *(_tail(tables, share, upper) for share in _TAILS for upper in (True, False)),
    ]


def moved(tables: Tables, likelihood: Likelihood, window: Histogram, *, in_part: bool) -> list[Candidate]:
    """The best explanation by each movement, of all rows and, if asked, of a share of them."""
    return [
        candidate
        for movement in movements(tables)
        for view in tables.views
        for candidate in _best(movement, tables, likelihood, window, view, in_part and movement.kind != "tail")
    ]


def _best(
    movement: Movement, tables: Tables, likelihood: Likelihood, window: Histogram, view: Distribution, in_part: bool
) -> list[Candidate]:
    def images(sizes: Floats) -> Floats:
        return view.images(movement.undo(sizes[:, None], view.edges))

    def doubt(size: float, share: float) -> float:
        by = np.array([[size]])
        return against(lambda x: float(movement.undo(by, np.array([x]))[0, 0]), tables, window, share)

    sizes, free = movement.sizes, math.log(likelihood.n) + _SURPRISE + movement.surprise
    tried = images(sizes)
    size, gain = _refined(sizes, likelihood.gains(tried), lambda between: likelihood.gains(images(between)))
    found = [movement.candidate(size, 1.0, gain, free + doubt(size, 1.0))]
    if in_part:
        gains = likelihood.mixed(tried)[1]
        size, gain = _refined(sizes, gains, lambda between: likelihood.mixed(images(between))[1])
        share = float(likelihood.mixed(images(np.array([size])))[0][0])
        found.append(movement.candidate(size, share, gain, free + _SURPRISE_IN_PART + doubt(size, share)))
    return found


def _refined(sizes: Floats, gains: Floats, of: Callable[[Floats], Floats]) -> tuple[float, float]:
    """The best size and its gain, with two looks between its neighbours."""
    best = int(gains.argmax())
    size, gain = float(sizes[best]), float(gains[best])
    low, high = float(sizes[max(best - 1, 0)]), float(sizes[min(best + 1, sizes.size - 1)])
    for _ in range(2):
        if gain < _WORTH_REFINING:
            break
        between = np.linspace(low, high, _REFINED)
        tried = of(between)
        at = int(tried.argmax())
        low, high = float(between[max(at - 1, 0)]), float(between[min(at + 1, _REFINED - 1)])
        if tried[at] > gain:
            size, gain = float(between[at]), float(tried[at])
    return size, gain


def _tail(tables: Tables, share: float, upper: bool) -> Movement:
    start = float(tables.quantile(np.array([1 - share if upper else share]))[0])

    def undo(by: Floats, edges: Floats) -> Floats:
        beyond = edges > start if upper else edges < start
        return np.where(beyond, start + (edges - start) / by, edges)

    return Movement("tail", _TAIL_FACTORS, undo, share=share, value=start, upper=upper)
