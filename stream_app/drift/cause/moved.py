"""By how much the values moved: the likeliest size of each movement, of all rows or of a share of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.extremes import against
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.movements import Movement, movements, tails
from stream_app.drift.cause.points import Floats
from stream_app.drift.cause.tables import Distribution, Tables
from stream_app.drift.cause.units import near_a_unit

_SURPRISE, _SURPRISE_IN_PART = 2.0, 8.0
_LOOKS, _BETWEEN = 2, 9
_WORTH_LOOKING = 6.0
_ALIKE, _DECIDES, _ASKED = 0.01, 12.0, 32
"""Gains that differ by less are the same, and by more are not overruled by the extremes."""
_CHOSEN, _NEAR_A_UNIT = 1.0, 2.0
"""Standard deviations of the reference's noise that the best of many sizes has to make up for; more where a unit is so
near that the noise may be all that is between them."""


def moved(tables: Tables, likelihood: Likelihood, window: Histogram) -> list[Candidate]:
    """The best explanation by each movement of all rows."""
    return [
        _Fit(movement, view, tables, likelihood, window).of_all()
        for movement in (*movements(tables, window), *tails(tables))
        for view in tables.views
    ]


def moved_in_part(tables: Tables, likelihood: Likelihood, window: Histogram) -> list[Candidate]:
    """The best explanation by each movement of a share of the rows; several times the work."""
    return [
        _Fit(movement, view, tables, likelihood, window).in_part()
        for movement in movements(tables, window)
        for view in tables.views
    ]


class _Fit:
    """One movement of the reference as one view of it has it, fitted to a window."""

    def __init__(
        self, movement: Movement, view: Distribution, tables: Tables, likelihood: Likelihood, window: Histogram
    ) -> None:
        self._movement, self._view = movement, view
        self._tables, self._likelihood, self._window = tables, likelihood, window
        self._free = math.log(likelihood.n) + movement.surprise
        self._noise = math.sqrt(likelihood.blur)
        self._median = float(tables.quantile(np.array(0.5)))

    def of_all(self) -> Candidate:
        asked = 0.0 if self._movement.kind == "tail" else 1.0
        size, gain = self._best(self._movement.sizes, lambda sizes: self._likelihood.gains(self._images(sizes)), asked)
        penalty = self._free + _SURPRISE + self._doubt(size, 1.0)
        penalty += (
            _NEAR_A_UNIT if self._movement.kind in ("ratio", "spread") and near_a_unit(size) else _CHOSEN
        ) * self._noise
        return self._movement.candidate(size, 1.0, gain, penalty)

    def in_part(self) -> Candidate:
        every_other = self._movement.sizes[::2]
        size, gain = self._best(every_other, lambda sizes: self._likelihood.mixed(self._images(sizes))[1], 0.0)
        share = float(self._likelihood.mixed(self._images(np.array([size])))[0][0])
        penalty = self._free + _SURPRISE_IN_PART + self._doubt(size, share)
        return self._movement.candidate(size, share, gain, penalty)

    def _images(self, sizes: Floats) -> Floats:
        return self._view.images(self._movement.undo(sizes[:, None], self._view.edges))

    def _doubt(self, size: float, share: float) -> float:
        return against(lambda value: self._movement.undone(size, value), self._tables, self._window, share)

    def _possible(self, sizes: Floats, gains: Floats) -> Floats:
        """The gains without those of sizes that would throw the median beyond the window's extremes: in one wide bin
        the counts do not mind. Where no size is left, all of them."""
        low, high = self._window.minimum, self._window.maximum
        if low is None or high is None:
            return gains
        origins = self._movement.undo(sizes[:, None], np.array([low, high]))
        there = (origins[:, 0] <= self._median) & (self._median <= origins[:, 1])
        return np.where(there, gains, -np.inf) if there.any() else gains

    def _best(self, sizes: Floats, gains_of: Callable[[Floats], Floats], share: float) -> tuple[float, float]:
        """The best size and its gain; where it is worth it, with looks between its neighbours."""
        gains = gains_of(sizes)
        best = self._choice(sizes, gains, share)
        for _ in range(_LOOKS if gains[best] > _WORTH_LOOKING else 0):
            between = np.linspace(sizes[max(best - 1, 0)], sizes[min(best + 1, sizes.size - 1)], _BETWEEN)
            sizes = np.unique(np.append(between, sizes[best]))
            gains = gains_of(sizes)
            best = self._choice(sizes, gains, share)
        gain = float(gains[best])
        return float(sizes[best]), gain if math.isfinite(gain) else 0.0

    def _choice(self, sizes: Floats, gains: Floats, share: float) -> int:
        """The index of the size with the greatest gain less doubt (of a share of 0 there is none); of those alike, the
        nearest to the likely one. Doubts are only asked where they can decide."""
        gains = np.where(np.isnan(gains), -np.inf, gains)  # sizes that throw values out of all numbers
        if share:
            gains = self._possible(sizes, gains)
        top = float(gains.max())
        if top == -np.inf:
            return 0
        slack = max(_ALIKE, self._movement.slack * top)
        near = np.flatnonzero(gains > top - max(_DECIDES, slack))
        likely = self._movement.likely
        distance = np.zeros(near.size) if likely is None else np.abs(sizes[near] - likely)
        near = near[np.lexsort((distance, -np.round(gains[near], 1)))][:_ASKED]
        if near.size == 1 or (likely is None and not share):
            return int(near[0])
        doubts = [min(_DECIDES, self._doubt(float(sizes[i]), share)) if share else 0.0 for i in near]
        merits = gains[near] - doubts
        alike = near[merits > merits.max() - slack]
        return int(alike[0] if likely is None else alike[np.abs(sizes[alike] - likely).argmin()])
