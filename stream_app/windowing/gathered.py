"""Gathered: the events of one version in a batch, taken in some at a time.

What some hundred decoded events hold is in columns before the next ones come: an event of 20 features is 1.5 kB of
small objects, a batch of them more than a processor keeps beside it, and to fetch each from the machine's memory twice,
and to let go of it there, took as long as decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.events import EventDecoder, PredictionEvent, Role
from contracts.times import milliseconds
from stream_app.windowing.accepted import Share

Event = PredictionEvent[Any]


class Gathered:
    """decoder: of the version. rows, ids, times: of the events taken in; their positions, and milliseconds UTC."""

    def __init__(self, version: tuple[str, str], baseline: Baseline, decoder: EventDecoder) -> None:
        self.version, self.baseline, self.decoder = version, baseline, decoder
        kinds = [feature.kind for feature in baseline.schema.features]
        self._numeric = [i for i, kind in enumerate(kinds) if kind == "numeric"]
        self._others: dict[int, list[Any]] = {i: [] for i, kind in enumerate(kinds) if kind != "numeric"}
        self._numbers: list[npt.NDArray[np.float64]] = []
        self.waiting: list[tuple[int, Event]] = []
        """Read one by one; taken in together at the end."""
        self.rows: list[int] = []
        self.ids: list[str] = []
        self.times: list[int] = []
        self._scores: list[float] = []
        self._decisions: list[bool | None] = []
        self._roles: list[Role] = []

    def take(self, rows: Sequence[int], events: Sequence[Event]) -> None:
        """rows: the events' positions in the batch."""
        columns = list(zip(*[msgspec.structs.astuple(event.features) for event in events], strict=True))
        numbers = chain.from_iterable([columns[i] for i in self._numeric])
        size = len(self._numeric), len(events)
        self._numbers.append(np.fromiter(numbers, np.float64, size[0] * size[1]).reshape(size))
        for i, values in self._others.items():
            values += columns[i]
        self.rows += rows
        self.ids += [event.id for event in events]
        self.times += [milliseconds(event.event_time) for event in events]
        self._scores += [event.score for event in events]
        self._decisions += [event.decision for event in events]
        self._roles += [event.role for event in events]

    def share(self) -> Share:
        """All that was taken in, and what waits."""
        if self.waiting:
            rows, events = zip(*self.waiting, strict=True)
            self.waiting = []
            self.take(rows, events)
        numbers = np.concatenate(self._numbers, axis=1) if self._numbers else np.zeros((len(self._numeric), 0))
        columns = {**dict(zip(self._numeric, numbers, strict=True)), **self._others}
        scores = np.array(self._scores, dtype=np.float64)
        shadows = None
        if "shadow" in self._roles:
            shadows = np.array([role == "shadow" for role in self._roles])
        return Share(self.baseline, np.array(self.rows, dtype=np.intp), columns, scores, self._decisions, shadows)
