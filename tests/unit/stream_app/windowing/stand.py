"""What the tests of windowing stand on: records as Kafka gives them, small baselines, a count by hand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from contracts.baseline import Baseline
from contracts.binning import Bins
from contracts.events import encode_event
from contracts.partials import PartialAggregate
from contracts.window import WindowCounts
from stream_app.windowing.accumulator import Partition, Touched
from stream_app.windowing.decoding import Accepted, Decoded, Limits, decode_batch
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import a_baseline, a_schema, an_event, an_event_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_LIMITS = Limits(max_future_ms=1 << 50, max_age_ms=1 << 50)
FIRST = a_baseline(rows=60)
AGAIN = a_baseline(rows=60, seed=7)
"""The same version, published again with other bins."""
SECOND = a_baseline(rows=60, version="2", schema=a_schema(("distance",), ("carrier", "origin")))
SIZE = 100


class Record(NamedTuple):
    """As aiokafka gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def a_value(
    time_ms: int, *, sequence: int = 0, id: str | None = None, baseline: Baseline = FIRST, number: float = 100.0
) -> bytes:
    features: dict[str, Any] = {
        feature.name: number if feature.kind == "numeric" else "a" for feature in baseline.schema.features
    }
    return encode_event(
        an_event(
            id=an_event_id(sequence) if id is None else id,
            event_time=EPOCH + timedelta(milliseconds=time_ms),
            model=baseline.model,
            model_version=baseline.version,
            features=features,
        )
    )


def a_record(offset: int, value: bytes | None, *, partition: int = 0, timestamp: int = 0) -> Record:
    return Record("predictions", partition, offset, timestamp, b"key", value)


def events_at(*times: int, first: int = 0, partition: int = 0, baseline: Baseline = FIRST) -> list[Record]:
    """One record a time, offsets and sequences counting up from `first`."""
    return [
        a_record(offset, a_value(time, sequence=offset, baseline=baseline), partition=partition)
        for offset, time in enumerate(times, first)
    ]


def by_version(*baselines: Baseline) -> dict[tuple[str, str], Baseline]:
    return {(baseline.model, baseline.version): baseline for baseline in baselines or (FIRST, SECOND)}


def by_digest(*baselines: Baseline) -> dict[str, Baseline]:
    return {baseline.digest: baseline for baseline in baselines or (FIRST, AGAIN, SECOND)}


def decoded(records: Sequence[Record], *baselines: Baseline) -> Decoded:
    return decode_batch(records, by_version(*baselines), NO_LIMITS, final=True)


def read(partition: Partition, records: Sequence[Record], *baselines: Baseline) -> Touched:
    """Apply a batch."""
    return partition.apply(decoded(records, *baselines), records[0].offset, records[-1].offset)


def a_partition(*times: int, size: int = SIZE, lateness: int = 0, number: int = 0) -> Partition:
    """A partition that has read events of these times."""
    partition = Partition(number, WindowConfig(size, lateness))
    if times:
        read(partition, events_at(*times, partition=number))
    return partition


def rows_by_window(partials: Iterable[PartialAggregate]) -> dict[int, int]:
    return {partial.window_start: partial.rows for partial in partials}


def a_partial(
    start: int = 0,
    rows: int = 1,
    *,
    partition: int = 0,
    offset: int = 10,
    size: int = SIZE,
    baseline: Baseline = FIRST,
    number: float = 100.0,
) -> PartialAggregate:
    """A part of a window with equal rows."""
    counts = WindowCounts(baseline)
    values = [a_value(start, baseline=baseline, number=number)] * rows
    records = [a_record(i, value) for i, value in enumerate(values)]
    counts.add_events([item.event for item in decoded(records, baseline).accepted])
    return counts.partial(window_start=start, window_end=start + size, partition=partition, offset=offset)


def counted_by_hand(events: Sequence[Accepted], baseline: Baseline) -> list[list[int]]:
    """Bin counts of each monitored feature and, last, of the score: with bisect and lists, one value at a time."""
    counts = [[0] * baseline.features[feature.name].bins.size for feature in baseline.schema.monitored]
    counts.append([0] * baseline.score.bins.size)
    for item in events:
        values = [*msgspec.structs.astuple(item.event.features), item.event.score]
        for row, value, reference in zip(counts, values, [*_references(baseline), baseline.score], strict=True):
            bins = reference.bins
            if isinstance(bins, Bins):
                row[bisect_right(bins.edges, value)] += 1
            elif value in bins.levels:
                row[bins.levels.index(value)] += 1
            else:
                row[bins.other if value in bins.rest else bins.unseen] += 1
    return counts


def counts_of(window: WindowCounts) -> list[list[int]]:
    """The same numbers from a WindowCounts."""
    return [histogram.counts.tolist() for histogram in (*window.features, window.score)]


def _references(baseline: Baseline) -> list[Any]:
    return [baseline.features[feature.name] for feature in baseline.schema.monitored]


def folded(writes: Iterable[tuple[bytes, bytes | None]]) -> Mapping[bytes, bytes]:
    """What a changelog holds after these writes."""
    table: dict[bytes, bytes] = {}
    for key, value in writes:
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return table
