"""Stage 2 with many source partitions and many models, driven by made-up parts and heartbeats: pure, no server.

Time is processor time. A window of one model has one part from each source partition, as 20 features make it.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator

import msgspec
import numpy as np

from bench.benchmark import Say
from bench.growth.baselines import a_baseline_of
from contracts.baseline import Baseline
from contracts.partials import Heartbeat, PartialAggregate, PartialMessage, decode_partial, encode_partial
from contracts.window import WindowCounts
from stream_app.windowing.merger import Merger, MergerConfig, Records

WINDOW_MS, ROWS, BATCH = 60_000, 50, 4096
_MINIMUM_ROWS = 200


class Size(msgspec.Struct, frozen=True):
    """How much there is of everything."""

    partitions: int = 1_000
    models: int = 100
    features: int = 20
    windows: int = 3


class MergingFigures(msgspec.Struct, frozen=True, kw_only=True):
    """close_ms: merging and closing one window of one model, without its comparison. part_us: taking one part in,
    decoding included; heartbeat_us: likewise, and what is then due. part_bytes: of one part on the topic. held_bytes:
    what stage 2 allocates for one part that waits, its stored record included. version_bytes, memory_bytes: what one
    close writes for good: the version's record, and the rows of the closed window.
    """

    partitions: int
    models: int
    features: int
    windows: int
    close_ms: float
    part_us: float
    heartbeat_us: float
    part_bytes: int
    held_bytes: int
    close_bytes: int


class _Clock:
    """Processor seconds by what they were spent on."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.times: dict[str, int] = {}

    def add(self, name: str, seconds: float, times: int) -> None:
        self.spent[name] = self.spent.get(name, 0.0) + seconds
        self.times[name] = self.times.get(name, 0) + times

    def each(self, name: str) -> float:
        return self.spent[name] / self.times[name]


def run(size: Size, seed: int, say: Say) -> MergingFigures:
    """Measure it."""
    baselines = [a_baseline_of(size.features, model=f"model-{i:03}", seed=seed) for i in range(size.models)]
    merger = Merger(0, MergerConfig(minimum_rows=_MINIMUM_ROWS), {baseline.digest: baseline for baseline in baselines})
    store: dict[bytes, bytes] = {}
    clock, offset, closed_bytes, held = _Clock(), 0, [], 0
    for window in range(size.windows):
        last = window == size.windows - 1
        messages = _messages(baselines, size, window, seed)
        if last:
            gc.collect()
            tracemalloc.start()
        for batch in messages:
            began = time.process_time()
            for value in batch:
                message = decode_partial(value)
                assert isinstance(message, PartialAggregate)
                _keep(store, merger.on_partial(message, offset, value))
                offset += 1
            _nothing_due(merger)
            clock.add("part", 0 if last else time.process_time() - began, 0 if last else len(batch))
        if last:
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
        beats = [encode_partial(beat) for beat in _heartbeats(size, window)]
        began = time.process_time()
        for value in beats[:-1]:
            beat = decode_partial(value)
            assert isinstance(beat, Heartbeat)
            merger.on_heartbeat(beat)
            _nothing_due(merger)
        clock.add("heartbeat", time.process_time() - began, len(beats) - 1)
        last_beat = decode_partial(beats[-1])
        assert isinstance(last_beat, Heartbeat)
        merger.on_heartbeat(last_beat)
        began, closed = time.process_time(), 0
        for closing in merger.due():
            records = merger.close(closing, b"p" * 500)
            closed_bytes.append(sum(len(key) + len(value or b"") for key, value in records if value is not None))
            _keep(store, records)
            closed += 1
        clock.add("close", time.process_time() - began, closed)
        assert closed == size.models
    figures = MergingFigures(
        partitions=size.partitions,
        models=size.models,
        features=size.features,
        windows=size.windows,
        close_ms=round(clock.each("close") * 1e3, 3),
        part_us=round(clock.each("part") * 1e6, 2),
        heartbeat_us=round(clock.each("heartbeat") * 1e6, 2),
        part_bytes=len(next(_parts(baselines[0], size, 0, seed))),
        held_bytes=held // (size.partitions * size.models),
        close_bytes=round(sum(closed_bytes) / len(closed_bytes)),
    )
    say(f"stage 2: {figures}")
    return figures


def _keep(store: dict[bytes, bytes], records: Records) -> None:
    for key, value in records:
        if value is None:
            store.pop(key, None)
        else:
            store[key] = value


def _nothing_due(merger: Merger) -> None:
    """What the shell asks after every batch."""
    assert not merger.unknown
    assert not list(merger.due())


def _messages(baselines: list[Baseline], size: Size, window: int, seed: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for baseline in baselines:
        for value in _parts(baseline, size, window, seed):
            batch.append(value)
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _parts(baseline: Baseline, size: Size, window: int, seed: int) -> Iterator[bytes]:
    counts = WindowCounts(baseline)
    rng = np.random.default_rng([seed, window])
    counts.add_columns(rng.normal(100, 10, (size.features, ROWS)), rng.random(ROWS), [False] * ROWS)
    start = window * WINDOW_MS
    for partition in range(size.partitions):
        part = counts.partial(
            window_start=start, window_end=start + WINDOW_MS, partition=partition, offset=(window + 1) * ROWS - 1
        )
        yield encode_partial(part)


def _heartbeats(size: Size, window: int) -> Iterator[PartialMessage]:
    for partition in range(size.partitions):
        mark = (window + 1) * WINDOW_MS
        yield Heartbeat(partition=partition, partitions=size.partitions, generation=1, watermark=mark)
