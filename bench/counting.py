"""What an event costs stage 1 without Kafka and Faust: decoded, decided about, counted, its window's state encoded.

Processor time, the best of several rounds, so that it says the same while other programs run. The steps are those of
`Partition.apply` and `Partition.stored`, with the same objects, and with the garbage collector set as in a worker.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from bench.benchmark import Benchmark, Options, Say
from bench.stream.material import Material, event_id, iso, wire
from contracts.baseline import Baseline
from contracts.partials import encode_partial
from stream_app.delivery.garbage import collect_seldom
from stream_app.windowing.decoding import Limits, decode_batch
from stream_app.windowing.ledger import Ledger
from stream_app.windowing.open_window import OpenWindow
from stream_app.windowing.state import WindowKey, encode_meta
from stream_app.windowing.tumbling import WindowConfig

SIZES = (16, 256, 1600)
"""Events in a batch: live at 2,000 events/s; between; whole fetches of a backlog."""
FEATURES, SOURCES = 20, 2
EVENTS, QUICK_EVENTS = 32_000, 8_000
ROUNDS, QUICK_ROUNDS = 7, 2
_START_MS, _STEP_MS, _JITTER_MS = 1_767_268_800_000, 1, 2_000
_CONFIG = WindowConfig(60_000, 5_000)


class Cost(msgspec.Struct, frozen=True):
    """Microseconds of processor time an event, in batches of `batch` events. encode: the window's and meta record."""

    batch: int
    decode: float
    decide: float
    count: float
    encode: float
    total: float


class CountingFigures(msgspec.Struct, frozen=True):
    """value_bytes: of an event, on average. us_per_event: at the greatest batch."""

    value_bytes: int
    us_per_event: float
    costs: list[Cost]


class Record(NamedTuple):
    """As aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def run(options: Options, say: Say) -> CountingFigures:
    """Measure it."""
    material = Material(FEATURES, options.seed)
    records = made(material, QUICK_EVENTS if options.quick else EVENTS, options.seed)
    size = round(sum(len(record.value or b"") for record in records) / len(records))
    say(f"{FEATURES} features, {size} bytes of JSON, ids of {SOURCES} API processes; microseconds an event\n")
    say(f"{'batch':>7}{'decode':>9}{'decide':>9}{'count':>9}{'encode':>9}{'all':>9}")
    costs, usual = [], gc.get_threshold()
    collect_seldom()
    try:
        for batch in SIZES:
            costs.append(cost(records, material.baseline, batch, QUICK_ROUNDS if options.quick else ROUNDS))
            say(f"{batch:7}" + "".join(f"{part:9.2f}" for part in msgspec.structs.astuple(costs[-1])[1:]))
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
    return CountingFigures(value_bytes=size, us_per_event=costs[-1].total, costs=costs)


def made(material: Material, events: int, seed: int) -> list[Record]:
    """Records of one partition, a millisecond of event time apart, out of order by up to two seconds."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(material.rows), size=events).tolist()
    behind, sources = rng.integers(_JITTER_MS, size=events).tolist(), rng.integers(SOURCES, size=events).tolist()
    return [
        Record(
            topic="predictions",
            partition=0,
            offset=i,
            timestamp=_START_MS,
            key=None,
            value=wire(
                material.rows[rows[i]],
                event_id(b"bench.%02d" % sources[i], _START_MS, i),
                iso(_START_MS + i * _STEP_MS - behind[i]),
            ),
        )
        for i in range(events)
    ]


def cost(records: Sequence[Record], baseline: Baseline, batch: int, rounds: int) -> Cost:
    """The best of each step over the rounds; a round is all records from empty state on."""
    steps = np.array([_round(records, baseline, batch) for _ in range(rounds)]).min(axis=0) / len(records) / 1000
    decode, decide, count, encode = (round(float(step), 3) for step in steps)
    return Cost(batch, decode, decide, count, encode, total=round(decode + decide + count + encode, 3))


def _round(records: Sequence[Record], baseline: Baseline, batch: int) -> list[int]:
    """Nanoseconds of each step."""
    known, limits = {(baseline.model, baseline.version): baseline}, Limits(10**12, 10**12)
    ledger, windows = Ledger(0, _CONFIG), dict[WindowKey, OpenWindow]()
    spent, clock = [0, 0, 0, 0], time.process_time_ns
    for start in range(0, len(records), batch):
        some = records[start : start + batch]
        times = [clock()]
        decoded = decode_batch(some, known, limits)
        times.append(clock())
        groups, _, _ = ledger.decide(decoded.accepted)
        ledger.passed(some[0].offset, some[-1].offset, len(some))
        times.append(clock())
        for group in groups:
            key = WindowKey(0, baseline.model, baseline.version, group.window_start)
            if key not in windows:
                windows[key] = OpenWindow.empty(key, group.window_start + _CONFIG.size_ms, baseline)
            windows[key].add(group.events)
        times.append(clock())
        for group in groups:
            encode_partial(windows[WindowKey(0, baseline.model, baseline.version, group.window_start)].partial())
        if ledger.meta is not None:
            encode_meta(ledger.meta)
        times.append(clock())
        spent = [before + end - begin for before, begin, end in zip(spent, times, times[1:], strict=False)]
    return spent


COUNTING = Benchmark(
    "counting", "microseconds of stage 1 an event, by step, without Kafka and Faust", run, lasts="10 s; --quick: 5 s"
)
