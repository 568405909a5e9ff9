"""Gathered: the events of one version in a batch, taken in some at a time.

What some hundred decoded events hold is in columns before the next ones come: an event of 20 features is 1.5 kB of
small objects, a batch of them more than a processor keeps beside it, and to fetch each from the machine's memory twice,
and to let go of it there, took as long as decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.events import EventDecoder, PredictionEvent, Role, event_decoder
from contracts.schema import FeatureSchema
from contracts.times import all_milliseconds
from stream_app.windowing.accepted import Rows, Share
from stream_app.windowing.records import Whole

Event = PredictionEvent[Any]


class Gathered:
    """at_once: so many of the events that come one by one wait, and are taken in together. ids: of those taken in."""

    def __init__(self, baseline: Baseline, at_once: int) -> None:
        self.baseline, self._at_once = baseline, at_once
        kinds = [feature.kind for feature in baseline.schema.features]
        self._numeric = [i for i, kind in enumerate(kinds) if kind == "numeric"]
        self._others: dict[int, list[Any]] = {i: [] for i, kind in enumerate(kinds) if kind != "numeric"}
        self._numbers: list[npt.NDArray[np.float64]] = []
        self._waiting: list[tuple[int, Event]] = []
        self.ids: list[str] = []
        self._rows: list[Rows] = []
        self._times: list[Whole] = []
        self._scores: list[float] = []
        self._decisions: list[bool | None] = []
        self._roles: list[Role] = []

    @cached_property
    def decoder(self) -> EventDecoder:
        """Of all versions with this schema."""
        return _decoder(self.baseline.schema)

    @property
    def rows(self) -> Rows:
        """The positions of the events taken in."""
        return _together(self._rows)

    @property
    def times(self) -> Whole:
        """When they happened, milliseconds UTC."""
        return _together(self._times)

    def take(self, rows: Rows, events: Sequence[Event]) -> None:
        """rows: the events' positions in the batch."""
        columns = list(zip(*[msgspec.structs.astuple(event.features) for event in events], strict=True))
        numbers = chain.from_iterable([columns[i] for i in self._numeric])
        size = len(self._numeric), len(events)
        self._numbers.append(np.fromiter(numbers, np.float64, size[0] * size[1]).reshape(size))
        for i, values in self._others.items():
            values += columns[i]
        self._rows.append(rows)
        self.ids += [event.id for event in events]
        self._times.append(all_milliseconds([event.event_time for event in events]))
        self._scores += [event.score for event in events]
        self._decisions += [event.decision for event in events]
        self._roles += [event.role for event in events]

    def add(self, row: int, event: Event) -> None:
        """One by itself."""
        self._waiting.append((row, event))
        if len(self._waiting) >= self._at_once:
            self._take_waiting()

    def share(self) -> Share:
        """All that was taken in, and what waits."""
        self._take_waiting()
        numbers = np.concatenate(self._numbers, axis=1) if self._numbers else np.zeros((len(self._numeric), 0))
        columns = {**dict(zip(self._numeric, numbers, strict=True)), **self._others}
        scores = np.array(self._scores, dtype=np.float64)
        shadows = None
        if "shadow" in self._roles:
            shadows = np.array([role == "shadow" for role in self._roles])
        return Share(self.baseline, self.rows, columns, scores, self._decisions, shadows)

    def _take_waiting(self) -> None:
        if self._waiting:
            rows, events = zip(*self._waiting, strict=True)
            self._waiting = []
            self.take(np.array(rows, dtype=np.intp), events)


@lru_cache(maxsize=256)
def _decoder(schema: FeatureSchema) -> EventDecoder:
    return event_decoder(schema)


def _together(parts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.zeros(0, dtype=np.int64)])
