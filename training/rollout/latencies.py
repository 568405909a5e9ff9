"""Latencies: what was measured of both versions at the same moments, for nothing else can be compared. Pure.

A machine's load swings within seconds by more than two versions differ, and an entity that a canary answers may come at
busy times only. So single requests are compared within the same ten seconds. In a batch, rows that are scored together
share one latency, and large batches take longer than small ones: all rows of a batch that one version scored together
count once, beside those that the other scored with them. Where the champion answers nobody there is no moment at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from contracts.events import EventId, parse_id

MOMENT_MS = 10_000
_MOMENTS = 1000
"""Of each kind, the newest; almost three hours."""
_ROWS = 50_000
"""Of batches, whose neighbours have not been read: partitions are read in turns."""
_FIRST_MS, _PER_DOUBLING = 0.01, 4


class Moment(NamedTuple):
    """challenger, champion: answers of each in the same ten seconds; their median latencies, to within 10 %."""

    challenger: int
    champion: int
    challenger_ms: float
    champion_ms: float


class Pace(NamedTuple):
    """kind: of requests, for people. moments: those in which both versions answered such."""

    kind: str
    moments: Sequence[Moment]


class Latencies:
    """During one step of a rollout. Records may come in any order, as they do from several partitions."""

    def __init__(self) -> None:
        self._singles, self._batches = _Moments(), _Moments()
        self._rows: dict[bool, dict[EventId, tuple[float, int]]] = {True: {}, False: {}}

    def add(self, id_: str, challenger: bool, latency_ms: float, at: int) -> None:
        """One answer, the challenger's or the champion's, that the broker took at `at`, milliseconds UTC."""
        name = parse_id(id_)
        if name is None or not name.of_batch:
            self._singles.add(at, challenger, latency_ms)
            return
        # Of rows scored together the champion's have the lower ids: one pair of neighbours has both versions.
        neighbour = name._replace(sequence=name.sequence + (-1 if challenger else 1))
        other = self._rows[not challenger].pop(neighbour, None)
        if other is not None and abs(at - other[1]) < MOMENT_MS:
            self._batches.add(at, challenger, latency_ms)
            self._batches.add(at, not challenger, other[0])
            return
        waiting = self._rows[challenger]
        waiting[name] = latency_ms, at
        if len(waiting) > _ROWS:
            del waiting[next(iter(waiting))]

    @property
    def paces(self) -> tuple[Pace, ...]:
        """Single requests apart from batches."""
        return Pace("single requests", self._singles.common), Pace("batches", self._batches.common)


class _Moments:
    """Counts by logarithmic bins of latency, of both versions, for each ten seconds."""

    def __init__(self) -> None:
        self._counts: dict[int, dict[bool, Counter[int]]] = {}
        self._known: dict[int, Moment] = {}  # asked for after each batch of records, and few moments are new

    def add(self, at: int, challenger: bool, latency_ms: float) -> None:
        moment = at // MOMENT_MS
        if moment not in self._counts:
            self._counts[moment] = {True: Counter(), False: Counter()}
            if len(self._counts) > _MOMENTS:
                oldest = min(self._counts)
                del self._counts[oldest]
                self._known.pop(oldest, None)
                if oldest == moment:
                    return
        place = math.floor(_PER_DOUBLING * math.log2(max(latency_ms, _FIRST_MS) / _FIRST_MS))
        self._counts[moment][challenger][place] += 1
        self._known.pop(moment, None)

    @property
    def common(self) -> list[Moment]:
        for moment, counts in self._counts.items():
            ours, theirs = counts[True], counts[False]
            if ours and theirs and moment not in self._known:
                self._known[moment] = Moment(ours.total(), theirs.total(), _median(ours), _median(theirs))
        return list(self._known.values())


def _median(counts: Counter[int]) -> float:
    """The middle of the bin that holds it, milliseconds."""
    half, below = counts.total() / 2, 0
    for place, count in sorted(counts.items()):
        below += count
        if below >= half:
            return float(_FIRST_MS * 2 ** ((place + 0.5) / _PER_DOUBLING))
    raise AssertionError("half of a sum is reached within it")
