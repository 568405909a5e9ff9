"""Stage 2 with many source partitions and many models, driven by made-up parts and heartbeats: pure, no server.

Time is processor time. A window of one model has one part from each source partition, as 20 features make it.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import msgspec
import numpy as np

from bench.benchmark import Say
from bench.growth.baselines import a_baseline_of
from contracts.baseline import Baseline
from contracts.partials import Heartbeat, decode_partial, encode_partial
from contracts.window import WindowCounts
from stream_app.alerting.judging import report_of
from stream_app.drift.rule import CALIBRATED
from stream_app.windowing.closing import Closing
from stream_app.windowing.merger import Merger, MergerConfig, Records

WINDOW_MS, ROWS, BATCH = 60_000, 50, 4096
BEGUN_MS = 1_767_268_800_000
"""Milliseconds UTC, as long a number as those of now."""
_MINIMUM_ROWS, _BEATS = 200, 100
_ROUNDS, _IDLE_EACH = 4, 2
"""Heartbeats of a partition in each window; of so many partitions one is idle."""
_POLICY = b"p" * 500


class Size(msgspec.Struct, frozen=True):
    """How much there is of everything."""

    partitions: int = 1_000
    models: int = 100
    features: int = 20
    windows: int = 3


class MergingFigures(msgspec.Struct, frozen=True, kw_only=True):
    """close_ms: merging and closing one window of one model, its comparison (report_ms) not included. part_us: taking a
    part in, decoding included. heartbeat_us: likewise, in batches of 100, half of them idle. heartbeat_bytes: of
    an idle one on the topic, of a worker whose name has 8 letters. part_bytes: of one part there.
    held_bytes: what stage 2 allocates for one part that waits, its stored record included. close_bytes: what a close
    writes for good, keys included. held_megabytes: of all parts, where a window ends everywhere at once.
    """

    partitions: int
    models: int
    features: int
    windows: int
    close_ms: float
    report_ms: float
    part_us: float
    heartbeat_us: float
    heartbeat_bytes: int
    part_bytes: int
    held_bytes: int
    held_megabytes: float
    close_bytes: int


class _Spent:
    """Processor time by what it went to."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._times: dict[str, int] = {}

    @contextmanager
    def on(self, name: str, times: int) -> Iterator[None]:
        """The block does this so many times."""
        began = time.process_time()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.process_time() - began
        self._times[name] = self._times.get(name, 0) + times

    def each(self, name: str) -> float:
        return self._seconds[name] / self._times[name]


class _Stage:
    """Stage 2 and its stored records, asked as the agent asks it."""

    def __init__(self, baselines: Sequence[Baseline]) -> None:
        known = {baseline.digest: baseline for baseline in baselines}
        self.merger = Merger(0, MergerConfig(minimum_rows=_MINIMUM_ROWS), known)
        self.store: dict[bytes, bytes] = {}
        self.close_bytes: list[int] = []
        self._offset = 0

    def take(self, batch: Sequence[bytes]) -> None:
        for value in batch:
            message = decode_partial(value)
            if isinstance(message, Heartbeat):
                self.merger.on_heartbeat(message)
            else:
                self._keep(self.merger.on_partial(message, self._offset, value))
            self._offset += 1
        assert not self.merger.unknown

    def close(self, closing: Closing) -> None:
        announced = self.merger.announce(closing)
        self._keep(announced)
        closed = self.merger.close(closing, _POLICY)
        self._keep(closed)
        written = [*announced, *closed]
        self.close_bytes.append(sum(len(key) + len(value) for key, value in written if value is not None))

    def _keep(self, records: Records) -> None:
        for key, value in records:
            if value is None:
                self.store.pop(key, None)
            else:
                self.store[key] = value


def run(size: Size, seed: int, say: Say) -> MergingFigures:
    """Measure it."""
    baselines = [a_baseline_of(size.features, model=f"model-{i:03}", seed=seed) for i in range(size.models)]
    stage, spent, held = _Stage(baselines), _Spent(), 0
    for window in range(size.windows):
        traced = window == size.windows - 1  # tracing takes time: the last window is for its memory alone
        if traced:
            gc.collect()
            tracemalloc.start()
        for batch in _batches(_parts_of_all(baselines, size, window, seed), BATCH):
            with spent.on("traced" if traced else "part", len(batch)):
                stage.take(batch)
                assert next(stage.merger.due(), None) is None
        if traced:
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
        for batch in _batches(_heartbeats(size, window), _BEATS):
            with spent.on("heartbeat", len(batch)):
                stage.take(batch)
                any(stage.merger.due(lambda model, version: True))  # asks, and closes nothing yet
        _close_all(stage, size, spent)
    figures = MergingFigures(
        partitions=size.partitions,
        models=size.models,
        features=size.features,
        windows=size.windows,
        close_ms=round(spent.each("close") * 1e3, 3),
        report_ms=round(spent.each("report") * 1e3, 3),
        part_us=round(spent.each("part") * 1e6, 2),
        heartbeat_us=round(spent.each("heartbeat") * 1e6, 2),
        heartbeat_bytes=len(encode_partial(_heartbeat(size, 2, _IDLE_EACH * ((size.partitions - 1) // _IDLE_EACH)))),
        part_bytes=len(next(_parts(baselines[0], size, 0, seed))),
        held_bytes=held // (size.partitions * size.models),
        held_megabytes=round(held / 1e6, 1),
        close_bytes=stage.close_bytes[-1],
    )
    say(
        f"  {size.partitions:,} source partitions, {size.models} models: {figures.close_ms:.1f} ms a close "
        f"(and {figures.report_ms:.1f} for its comparison), {figures.part_us:.1f} us a part, "
        f"{figures.heartbeat_us:.1f} us a heartbeat; {figures.held_megabytes:,.0f} MB where all of a window waits"
    )
    return figures


def _close_all(stage: _Stage, size: Size, spent: _Spent) -> None:
    due = stage.merger.due()
    for _ in range(size.models):
        with spent.on("close", 1):
            closing = next(due)
        with spent.on("report", 1):
            report_of(closing, CALIBRATED)
        with spent.on("close", 0):
            stage.close(closing)
    assert next(due, None) is None


def _batches(values: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    values = iter(values)
    while batch := list(islice(values, size)):
        yield batch


def _parts_of_all(baselines: Sequence[Baseline], size: Size, window: int, seed: int) -> Iterator[bytes]:
    for baseline in baselines:
        yield from _parts(baseline, size, window, seed)


def _parts(baseline: Baseline, size: Size, window: int, seed: int) -> Iterator[bytes]:
    counts = WindowCounts(baseline)
    rng = np.random.default_rng([seed, window])
    counts.add_columns(rng.normal(100, 10, (size.features, ROWS)), rng.random(ROWS), [False] * ROWS)
    start = BEGUN_MS + window * WINDOW_MS
    for partition in range(size.partitions):
        part = counts.partial(
            window_start=start, window_end=start + WINDOW_MS, partition=partition, offset=(window + 1) * ROWS - 1
        )
        # in memory as long as it is, as a record's value is: what the encoder gives has room behind it
        yield memoryview(encode_partial(part)).tobytes()


def _heartbeats(size: Size, window: int) -> Iterator[bytes]:
    """Each partition speaks in each round, and is another moment behind the window's end in the last one.

    Some are idle: each of their words names the one of two rounds before.
    """
    for spoken in range(window * _ROUNDS, (window + 1) * _ROUNDS):
        for partition in range(size.partitions):
            yield encode_partial(_heartbeat(size, spoken, partition))


def _heartbeat(size: Size, spoken: int, partition: int) -> Heartbeat:
    """spoken: rounds before this one."""
    idle, said = partition % _IDLE_EACH == 0, BEGUN_MS + spoken * 500
    return Heartbeat(
        partition=partition,
        partitions=size.partitions,
        generation=1,
        watermark=BEGUN_MS + (spoken + 1) * WINDOW_MS // _ROUNDS + partition,
        idle=idle,
        owner="worker-1",
        said=said,
        behind=said - 1000 if idle and spoken > 1 else 0,
    )
