"""By how much the values moved: the likeliest size of each movement, of all rows or of a share of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from contracts.histogram import Histogram
from stream_app.drift.cause.candidate import Candidate
from stream_app.drift.cause.extremes import MOST_DOUBT, against
from stream_app.drift.cause.likelihood import Likelihood
from stream_app.drift.cause.movements import Movement, movements, tails
from stream_app.drift.cause.points import Floats
from stream_app.drift.cause.tables import Distribution, Tables

_SURPRISE, _SURPRISE_IN_PART = 2.0, 8.0
_LOOKS, _BETWEEN = 2, 9
_WORTH_LOOKING = 6.0


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

    def of_all(self) -> Candidate:
        size, gain = _best(
            self._movement.sizes,
            lambda sizes: self._likelihood.gains(self._images(sizes)),
            lambda size: self._doubt(size, 1.0),
        )
        penalty = self._free + _SURPRISE + self._doubt(size, 1.0)
        return self._movement.candidate(size, 1.0, gain, penalty)

    def in_part(self) -> Candidate:
        size, gain = _best(
            self._movement.sizes, lambda sizes: self._likelihood.mixed(self._images(sizes))[1], lambda size: 0.0
        )
        share = float(self._likelihood.mixed(self._images(np.array([size])))[0][0])
        penalty = self._free + _SURPRISE_IN_PART + self._doubt(size, share)
        return self._movement.candidate(size, share, gain, penalty)

    def _images(self, sizes: Floats) -> Floats:
        return self._view.images(self._movement.undo(sizes[:, None], self._view.edges))

    def _doubt(self, size: float, share: float) -> float:
        return against(lambda value: self._movement.undone(size, value), self._tables, self._window, share)


def _best(sizes: Floats, gains_of: Callable[[Floats], Floats], doubt: Callable[[float], float]) -> tuple[float, float]:
    """The best size and its gain; where it is worth it, with looks between its neighbours."""
    tried = gains_of(sizes)
    best = _choice(sizes, tried, doubt)
    size, gain = float(sizes[best]), float(tried[best])
    for _ in range(_LOOKS if gain > _WORTH_LOOKING else 0):
        sizes = np.append(np.linspace(sizes[max(best - 1, 0)], sizes[min(best + 1, sizes.size - 1)], _BETWEEN), size)
        sizes.sort()
        tried = gains_of(sizes)
        best = _choice(sizes, tried, doubt)
        size, gain = float(sizes[best]), float(tried[best])
    return size, gain


def _choice(sizes: Floats, gains: Floats, doubt: Callable[[float], float]) -> int:
    """The index of the size with the greatest gain less doubt. Doubts are only asked where they can decide."""
    near = np.flatnonzero(gains > gains.max() - MOST_DOUBT)
    if near.size == 1:
        return int(near[0])
    return int(max(near, key=lambda i: float(gains[i]) - doubt(float(sizes[i]))))
