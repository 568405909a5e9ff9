"""Events: those of a batch that can be counted, by column.

By column, because what is done to a whole column at once costs a fiftieth of a loop over events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.events import PredictionEvent
from contracts.window import WindowCounts

Event = PredictionEvent[Any]
Whole = npt.NDArray[np.int64]


class Accepted(NamedTuple):
    """One that can be counted. time_ms: its event time. baseline: of its version; its features fit that schema."""

    offset: int
    time_ms: int
    event: Event
    baseline: Baseline


class Events:
    """Events in the order of their offsets; iterating gives them one by one.

    events, offsets, times_ms, which: equally long, the last three int64 of shape (n,). which: the position of each
    event's baseline in `baselines`, where each is once. times_ms: event times in milliseconds UTC.
    """

    __slots__ = ("baselines", "events", "offsets", "times_ms", "which")

    def __init__(
        self, events: Sequence[Event], offsets: Whole, times_ms: Whole, baselines: Sequence[Baseline], which: Whole
    ) -> None:
        self.events, self.offsets, self.times_ms = events, offsets, times_ms
        self.baselines, self.which = baselines, which

    @classmethod
    def none(cls) -> Events:
        """No event at all."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls([], nothing, nothing, [], nothing)

    def __len__(self) -> int:
        return len(self.times_ms)

    @property
    def ids(self) -> Sequence[str]:
        """One an event."""
        return [event.id for event in self.events]

    def count_into(self, counts: WindowCounts) -> None:
        """Add all of them to counts whose baseline has the schema that they were decoded with."""
        counts.add_events(self.events)

    def __getitem__(self, position: int) -> Accepted:
        baseline = self.baselines[self.which[position]]
        return Accepted(int(self.offsets[position]), int(self.times_ms[position]), self.events[position], baseline)

    def __iter__(self) -> Iterator[Accepted]:
        return (self[position] for position in range(len(self)))

    def take(self, positions: npt.NDArray[np.intp]) -> Events:
        """Those at these positions, which rise."""
        if len(positions) == len(self):
            return self
        events = [self.events[position] for position in positions.tolist()]
        return Events(events, self.offsets[positions], self.times_ms[positions], self.baselines, self.which[positions])

    def without(self, positions: Sequence[int] | npt.NDArray[np.intp]) -> Events:
        """All but those at these positions."""
        left = np.ones(len(self), dtype=np.bool_)
        left[positions] = False
        return self.take(np.flatnonzero(left))

    def behind(self, offset: int) -> Events:
        """Those with a greater offset."""
        if not len(self) or self.offsets[0] > offset:
            return self
        return self.take(np.flatnonzero(self.offsets > offset))

    def by_baseline(self) -> list[tuple[Baseline, int]]:
        """How many events each baseline has, those with none left out."""
        if len(self.baselines) == 1:
            return [(self.baselines[0], len(self))] if len(self) else []
        amounts = np.bincount(self.which, minlength=len(self.baselines)).tolist()
        return [found for found in zip(self.baselines, amounts, strict=True) if found[1]]
