"""Memory of one worker over millions of events in order of their times, and whether its state topics stay small.

Every window has the same number of rows, so more events are more windows, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec
import numpy as np

from bench.benchmark import BenchError, Say
from bench.growth.installation import WINDOW_MS, Installation, TimeOf
from bench.growth.watched import Watched
from bench.stream.processor import cpu_seconds
from demo.stack.kafka import KafkaServer

_CHUNK, _AHEAD = 8_000, 16_000
"""Events sent at a time, and at most ahead of the worker: what it has taken in and not counted yet is memory, too."""
_JITTER_MS = 2_000
_SAMPLE_SECONDS, _STALL_SECONDS, _COMPACTION_SECONDS = 0.5, 120.0, 60.0
_TAIL_KEYS = 3
"""A log is compacted when it has at most so many records a live key; the newest segment never is."""
MOST_RATIO = 1.05
"""Memory that stays may still be this much more at the end: an allocator's pages and the moment of a sample vary."""


class Extent(msgspec.Struct, frozen=True):
    """events: in all; early: memory at the end is compared with that at so many. windows: of each version."""

    events: int
    early: int
    windows: int
    versions: int = 20


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """Resident memory (VmRSS). megabytes: by events counted. early, late: medians around `Extent.early` events and over
    the last tenth; ratio: late / early.
    """

    megabytes: dict[str, float]
    early: float
    late: float
    ratio: float


class MemoryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """state_keys, state_records: live keys and records of both state topics after compaction; state_written: records
    ever written. events_per_cpu_second: of the worker, its start included.
    """

    events: int
    early_events: int
    windows: int
    versions: int
    resident: Resident
    state_keys: int
    state_records: int
    state_written: int
    events_per_cpu_second: int

    @property
    def held(self) -> bool:
        """Whether memory did not grow with the events, and the state topics were compacted."""
        return self.resident.ratio <= MOST_RATIO and self.state_records <= _TAIL_KEYS * self.state_keys


async def measure(kafka: KafkaServer, extent: Extent, seed: int, say: Say) -> MemoryFigures:
    """Measure it. Raises BenchError."""
    step = extent.windows * WINDOW_MS / extent.events
    begin = time.time_ns() // 1_000_000 - extent.windows * WINDOW_MS - 600_000
    begin -= begin % WINDOW_MS
    jitter = np.random.default_rng(seed).integers(_JITTER_MS, size=4096).tolist()

    def time_ms(i: int) -> int:
        return begin + round(i * step) + int(jitter[i % len(jitter)])

    async with Installation(
        kafka, "memory", extent.versions, seed, compact_soon=True, idle_seconds=600
    ) as installation:
        worker = installation.worker("w0")
        await worker.start()
        try:
            feeding = asyncio.create_task(_feed(installation, worker, extent.events, time_ms))
            samples = await _sampled(worker, extent, feeding)
            cpu = cpu_seconds(worker.process.pid)
            # A few more, windows later: what is written now lets the segments before it be compacted.
            await installation.feed(_CHUNK // 10, lambda i: time_ms(i) + 3 * WINDOW_MS)
            keys, records, written = await _compacted(installation)
        finally:
            await worker.stop()
    resident = figures_of(extent, samples)
    for point, size in resident.megabytes.items():
        say(f"  {point:>12} events counted   {size:7.1f} MB")
    say(f"  memory at the end / at {extent.early:,} events: {resident.ratio:.3f}")
    say(f"  state topics: {written:,} records written, {records:,} left after compaction, {keys:,} live keys")
    return MemoryFigures(
        events=extent.events,
        early_events=extent.early,
        windows=extent.windows,
        versions=extent.versions,
        resident=resident,
        state_keys=keys,
        state_records=records,
        state_written=written,
        events_per_cpu_second=round(extent.events / cpu),
    )


async def _feed(installation: Installation, worker: Watched, events: int, time_ms: TimeOf) -> None:
    while installation.sent < events:
        counted = (await worker.metrics()).get("counted", 0.0)
        if installation.sent - counted > _AHEAD:
            await asyncio.sleep(0.05)
            continue
        await installation.feed(min(_CHUNK, events - installation.sent), time_ms)


async def _sampled(worker: Watched, extent: Extent, feeding: asyncio.Task[None]) -> list[tuple[int, int]]:
    """(events counted, resident bytes) until all are counted."""
    samples: list[tuple[int, int]] = []
    moved = time.monotonic()
    while not samples or samples[-1][0] < extent.events:
        await asyncio.sleep(_SAMPLE_SECONDS)
        if feeding.done():
            feeding.result()
        found = await worker.metrics()
        wrong = {what: n for what, n in found.items() if n and what in ("late", "repeat", "refused")}
        if wrong:
            raise BenchError(f"events that were not counted: {wrong}")
        counted = int(found.get("counted", 0))
        if not samples or counted > samples[-1][0]:
            moved = time.monotonic()
            samples.append((counted, worker.resident_bytes()))
        if time.monotonic() - moved > _STALL_SECONDS:
            raise BenchError(f"the worker stands still at {counted:,} events: {' / '.join(worker.process.tail(3))}")
    await feeding
    return samples


async def _compacted(installation: Installation) -> tuple[int, int, int]:
    """Live keys, records and records ever written, of both state topics, once they are compacted."""
    deadline = time.monotonic() + _COMPACTION_SECONDS
    while True:
        found = [await installation.log_of(topic) for topic in installation.state_topics]
        records, keys, written = (sum(column) for column in zip(*found, strict=True))
        if records <= _TAIL_KEYS * keys or time.monotonic() > deadline:
            return keys, records, written
        await asyncio.sleep(2)


def figures_of(extent: Extent, samples: Sequence[tuple[int, int]]) -> Resident:
    """What (events counted, resident bytes) over time say."""
    counted, resident = (np.array(column, dtype=float) for column in zip(*samples, strict=True))
    megabytes = resident / 1e6
    points = [extent.events * tenth // 10 for tenth in range(1, 11)]
    distance = np.abs(counted - extent.early)
    early = float(np.median(megabytes[distance <= max(extent.early * 0.2, distance.min())]))
    late = float(np.median(megabytes[counted >= 0.9 * extent.events]))
    return Resident(
        megabytes={f"{point:,}": round(float(np.interp(point, counted, megabytes)), 1) for point in points},
        early=round(early, 1),
        late=round(late, 1),
        ratio=round(late / early, 4),
    )
