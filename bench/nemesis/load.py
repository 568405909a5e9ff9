"""The events, by chunks: seeded, out of order within the allowed lateness, a few late on purpose, one partition idle
now and then. Event time depends on the chunk's number alone: while the producer cannot send, event time stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from bench.nemesis.models import SCHEMAS, THRESHOLD, Columns, draw
from contracts.events import EventId, PredictionEvent, encode_event

VERSIONS = tuple(SCHEMAS)
SOURCES = ("api.00", "api.01")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """The load. rate: events a second. speed: seconds of event time in a second. start_ms: first event time, UTC.

    window_ms, lateness_ms: as the workers are told. disorder_ms: how far events are out of order; below the lateness.
    idle_from, idle_until: shares of the run in which the last partition falls idle and wakes up, again and again: of
    each idle_cycle seconds it gets nothing for the first share idle_share. repeat_every, late_every: chunks.
    """

    seed: int
    seconds: float
    start_ms: int
    partitions: int = 8
    rate: float = 2100.0
    speed: float = 4.0
    window_ms: int = 10_000
    lateness_ms: int = 20_000
    disorder_ms: int = 6_000
    chunk_seconds: float = 0.1
    idle_from: float = 0.15
    idle_until: float = 0.9
    idle_cycle: float = 22.0
    idle_share: float = 0.55
    repeat_every: int = 80
    late_every: int = 30

    @property
    def chunks(self) -> int:
        """Number of chunks of the load; a last one follows that pushes time past the last window."""
        return round(self.seconds / self.chunk_seconds)

    @property
    def idle_partition(self) -> int:
        """The one that falls idle."""
        return self.partitions - 1

    def time_of(self, chunk: int) -> int:
        """The greatest event time of a chunk, milliseconds UTC."""
        return self.start_ms + round(chunk * self.chunk_seconds * self.speed * 1000)

    def active(self, chunk: int) -> list[int]:
        """The partitions that get events."""
        first, end = self.idle_from * self.chunks, self.idle_until * self.chunks
        cycle = min(self.idle_cycle / self.chunk_seconds, end - first)
        idle = first <= chunk < end and (chunk - first) % cycle < self.idle_share * cycle
        return [number for number in range(self.partitions) if not (idle and number == self.idle_partition)]


@dataclass(frozen=True)
class Part:
    """Events of one model version in a chunk. partition, time_ms: of each; positions: in the chunk."""

    version: tuple[str, str]
    columns: Columns
    scores: npt.NDArray[np.float64]
    partition: Ints
    time_ms: Ints
    positions: Ints


@dataclass(frozen=True)
class Chunk:
    """Events that are sent together. values: records in the order of sending, keys: their ids, partition: of each.

    late: how many are late on purpose; they are in no part.
    """

    number: int
    keys: list[str]
    values: list[bytes]
    partition: list[int]
    parts: list[Part]
    late: int

    def of_source(self, source: str) -> list[int]:
        """Positions of the events of an API process."""
        return [position for position, key in enumerate(self.keys) if key.startswith(source)]


class Load:
    """Chunks of events, and what a restarted API would send twice."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._rng = np.random.default_rng([plan.seed, 2])
        self._sequence = dict.fromkeys(SOURCES, 0)
        self._started = dict.fromkeys(SOURCES, plan.start_ms)

    def chunks(self) -> Iterator[Chunk]:
        """All of them in order; the last one has an event in every partition, far behind every other's window."""
        for number in range(self.plan.chunks):
            yield self._chunk(number)
        yield self._last()

    def repeated(self, chunk: int) -> str | None:
        """The source that restarts behind this chunk, and sends its last chunks again; None mostly."""
        every = self.plan.repeat_every
        return SOURCES[chunk // every % len(SOURCES)] if chunk % every == every - 1 else None

    def restarted(self, source: str) -> None:
        """Its next events come from a new process."""
        self._started[source] += 60_000
        self._sequence[source] = 0

    def _chunk(self, number: int) -> Chunk:
        plan, rng = self.plan, self._rng
        size = round(plan.rate * plan.chunk_seconds)
        partition = rng.choice(np.array(plan.active(number)), size)
        time_ms = plan.time_of(number) - rng.integers(0, plan.disorder_ms, size)
        late = np.zeros(size, dtype=np.bool_)
        if number >= plan.late_every and number % plan.late_every == 0:
            # Late whatever the order: some time of the chunks before is ahead of its window's end by the lateness.
            late[rng.integers(0, size, 3)] = True
            late &= partition != plan.idle_partition
            behind = plan.time_of(number - 20) - plan.disorder_ms - plan.lateness_ms - 2 * plan.window_ms
            time_ms = np.where(late, behind, time_ms)
        return self._made(number, partition, time_ms, late)

    def _last(self) -> Chunk:
        plan = self.plan
        partition = np.repeat(np.arange(plan.partitions), len(VERSIONS) * 4)
        time_ms = np.full(len(partition), plan.time_of(plan.chunks) + plan.lateness_ms + 6 * plan.window_ms)
        return self._made(plan.chunks, partition, time_ms, np.zeros(len(partition), dtype=np.bool_))

    def _made(self, number: int, partition: Ints, time_ms: Ints, late: npt.NDArray[np.bool_]) -> Chunk:
        size = len(partition)
        version, source = self._rng.integers(0, len(VERSIONS), size), self._rng.integers(0, len(SOURCES), size)
        keys = [self._id(SOURCES[i]) for i in source.tolist()]
        values: list[bytes] = [b""] * size
        parts: list[Part] = []
        for i, name in enumerate(VERSIONS):
            positions = np.flatnonzero(version == i)
            if not len(positions):
                continue
            columns, scores = draw(SCHEMAS[name], len(positions), self._rng)
            encoded = _encoded(name, [keys[at] for at in positions.tolist()], time_ms[positions], columns, scores)
            for at, value in zip(positions.tolist(), encoded, strict=True):
                values[at] = value
            kept = np.flatnonzero(~late[positions])
            mine = positions[kept]
            taken = {feature: column[kept] for feature, column in columns.items()}
            parts.append(Part(name, taken, scores[kept], partition[mine], time_ms[mine], mine))
        return Chunk(number, keys, values, partition.tolist(), parts, int(late.sum()))

    def _id(self, source: str) -> str:
        sequence = self._sequence[source]
        self._sequence[source] = sequence + 1
        return str(EventId(source, self._started[source], sequence))


def _encoded(
    version: tuple[str, str], ids: list[str], time_ms: Ints, columns: Columns, scores: npt.NDArray[np.float64]
) -> list[bytes]:
    rows = zip(*[column.tolist() for column in columns.values()], strict=True)
    found = []
    for id_, time, row, score in zip(ids, time_ms.tolist(), rows, scores.tolist(), strict=True):
        features = {
            name: None if value != value else value  # nan is the one value that is not itself
            for name, value in zip(columns, row, strict=True)
        }
        event = PredictionEvent(
            id=id_,
            event_time=_EPOCH + timedelta(milliseconds=time),
            model=version[0],
            model_version=version[1],
            score=score,
            decision=score >= THRESHOLD,
            features=features,
        )
        found.append(encode_event(event))
    return found
