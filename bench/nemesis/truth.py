"""The truth: what must have been counted, from what the producer was told is acknowledged. Pure.

Counted from what the load meant, not from the bytes on the topic, and by naive.py, not by what stage 1 counts with.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.nemesis.load import Chunk, Part, Plan
from bench.nemesis.models import THRESHOLD
from bench.nemesis.naive import Counted, Named, Numeric
from contracts.baseline import Baseline
from contracts.binning import Binning, Bins

SCORE = "score"


class Window(NamedTuple):
    """One window of one model version."""

    model: str
    version: str
    start: int


class Offsets(NamedTuple):
    """The least and the greatest offset of acknowledged records of a window in one partition."""

    first: int
    last: int


class Truth:
    """Acknowledged events, by window. passed: since when every event sent is behind a time."""

    def __init__(self, plan: Plan, baselines: Sequence[Baseline]) -> None:
        self._plan = plan
        self._baselines = {(baseline.model, baseline.version): baseline for baseline in baselines}
        self._bins = {version: bins_of(baseline) for version, baseline in self._baselines.items()}
        self.windows: dict[Window, Counted] = {}
        self.rows: dict[Window, Counter[int]] = defaultdict(Counter)
        self.offsets: dict[Window, dict[int, Offsets]] = defaultdict(dict)
        self.produced = 0
        self.late = 0
        self._times: list[int] = []
        self._walls: list[float] = []

    @property
    def baselines(self) -> Mapping[tuple[str, str], Baseline]:
        """By model version."""
        return self._baselines

    def acknowledged(self, chunk: Chunk, offsets: Sequence[int], wall: float) -> None:
        """A chunk is on the topic, for the first time. offsets: of its records. wall: seconds since the epoch."""
        self.produced += len(chunk.keys)
        self.late += chunk.late
        placed = np.array(offsets, dtype=np.int64)
        for part in chunk.parts:
            self._add(part, placed[part.positions])
        # Every partition that is not idle has passed the least time that it can have reached.
        least = min(
            (
                int(part_max)
                for part_max in _greatest_by_partition(chunk, self._plan.active(min(chunk.number, self._plan.chunks)))
            ),
            default=None,
        )
        if least is not None and (not self._times or least > self._times[-1]):
            self._times.append(least)
            self._walls.append(wall)

    def passed(self, window_end: int) -> float | None:
        """When all partitions but an idle one were sent an event by which the window is over; None: not yet."""
        at = bisect_left(self._times, window_end + self._plan.lateness_ms)
        return self._walls[at] if at < len(self._walls) else None

    def _add(self, part: Part, offsets: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        size = self._plan.window_ms
        starts = part.time_ms // size * size
        for start in np.unique(starts).tolist():
            mine = np.flatnonzero(starts == start)
            window = Window(*part.version, start)
            counts = self.windows.get(window)
            if counts is None:
                counts = self.windows[window] = Counted(self._bins[part.version])
            scores = part.scores[mine].tolist()
            columns = {name: column[mine].tolist() for name, column in part.columns.items()}
            counts.add({SCORE: scores, **columns}, [score >= THRESHOLD for score in scores])
            for number in np.unique(part.partition[mine]).tolist():
                here = offsets[mine[part.partition[mine] == number]]
                self.rows[window][number] += len(here)
                known = self.offsets[window].get(number)
                first, last = int(here.min()), int(here.max())
                self.offsets[window][number] = (
                    Offsets(first, last) if known is None else Offsets(min(first, known.first), max(last, known.last))
                )


def bins_of(baseline: Baseline) -> dict[str, Numeric | Named]:
    """A baseline's bins as plain numbers and names: the score's first, then the monitored features' in their order."""
    features = {feature.name: _plain(baseline.features[feature.name].bins) for feature in baseline.schema.monitored}
    return {SCORE: _plain(baseline.score.bins), **features}


def _plain(bins: Binning) -> Numeric | Named:
    return Numeric(bins.edges) if isinstance(bins, Bins) else Named(bins.levels, bins.rest)


def _greatest_by_partition(chunk: Chunk, active: Sequence[int]) -> list[int]:
    greatest: dict[int, int] = {}
    for part in chunk.parts:
        for number, time in zip(part.partition.tolist(), part.time_ms.tolist(), strict=True):
            greatest[number] = max(time, greatest.get(number, time))
    return list(greatest.values()) if greatest.keys() >= set(active) else []
