"""What the tests of windowing stand on: records as Kafka gives them, small baselines, a count by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

import msgspec

from contracts.baseline import Baseline
from contracts.binning import Binning, Bins
from contracts.events import Role, encode_event
from contracts.histogram import Histogram
from contracts.partials import PartialAggregate
from contracts.schema import Feature, FeatureSchema
from contracts.window import WindowCounts
from stream_app.windowing.accepted import Accepted
from stream_app.windowing.accumulator import Partition, Touched
from stream_app.windowing.decoding import Decoded, Limits, decode_batch
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import a_baseline, a_schema, an_event, an_event_id
from tests.unit.stream_app.windowing.naive import Named, Numeric, Row, Tally, tally

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_LIMITS = Limits(max_future_ms=1 << 50, max_age_ms=1 << 50)
FIRST = a_baseline(rows=60)
AGAIN = a_baseline(rows=60, seed=7)
"""The same version, published again with other bins."""
SECOND = a_baseline(rows=60, version="2", schema=a_schema(("distance",), ("carrier", "origin")))
OTHER = a_baseline(
    model="payments",
    schema=FeatureSchema(
        (
            Feature("amount", "numeric"),
            Feature("distance", "categorical"),
            Feature("note", "categorical", monitored=False),
            Feature("night", "boolean"),
        )
    ),
    rows=60,
)
"""Another model: its `distance` is a text, and it does not watch its `note`."""
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
    time_ms: int,
    *,
    sequence: int = 0,
    id: str | None = None,
    baseline: Baseline = FIRST,
    number: float = 100.0,
    role: Role = "champion",
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
            role=role,
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
    return {(baseline.model, baseline.version): baseline for baseline in baselines or (FIRST, SECOND, OTHER)}


def by_digest(*baselines: Baseline) -> dict[str, Baseline]:
    return {baseline.digest: baseline for baseline in baselines or (FIRST, AGAIN, SECOND, OTHER)}


def decoded(records: Sequence[Record], *baselines: Baseline) -> Decoded:
    return decode_batch(records, by_version(*baselines), NO_LIMITS, final=True)


def read(partition: Partition, records: Sequence[Record], *baselines: Baseline, limits: Limits = NO_LIMITS) -> Touched:
    """Decode and apply a batch: all that the tests need to know of what lies between the bytes and the counts."""
    batch = decode_batch(records, by_version(*baselines), limits, final=True)
    return partition.apply(batch, records[0].offset, records[-1].offset)


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
    single = Partition(partition, WindowConfig(size))
    read(
        single,
        [a_record(i, a_value(start, id=f"{i}", baseline=baseline, number=number)) for i in range(rows)],
        baseline,
    )
    single.idle(start + size)
    [part] = single.due()
    return msgspec.structs.replace(part, offset=offset)


def wire(row: Row, *, zone: tzinfo = UTC, micros: int = 0) -> bytes:
    """An event's record, written with Python's own json. micros: of its time, below the millisecond."""
    time = EPOCH + timedelta(milliseconds=row.time, microseconds=micros)
    event = {
        "id": row.id,
        "event_time": time.astimezone(zone).isoformat(),
        "model": row.model,
        "model_version": row.version,
        "score": row.score,
        "decision": row.decision,
        "role": row.role,
        "features": dict(row.features),
    }
    return json.dumps(event).encode()


def counted_by_hand(events: Iterable[Accepted], baseline: Baseline) -> list[list[int]]:
    """Bin counts of each monitored feature and, last, of the score."""
    rows = [
        Row(
            features=dict(zip(baseline.schema.names, item.features.values(), strict=True)),
            score=item.score,
        )
        for item in events
    ]
    return [found.counts for found in tallies_by_hand(rows, baseline)]


def counts_of(window: WindowCounts) -> list[list[int]]:
    """The same numbers from a WindowCounts."""
    return [found.counts for found in tallies_of(window)]


def tallies_by_hand(rows: Sequence[Row], baseline: Baseline) -> list[Tally]:
    """Of each monitored feature and, last, of the score."""
    columns = [[row.features.get(feature.name) for row in rows] for feature in baseline.schema.monitored]
    references = [baseline.features[feature.name].bins for feature in baseline.schema.monitored]
    pairs = zip([*columns, [row.score for row in rows]], [*references, baseline.score.bins], strict=True)
    return [tally(column, _plain(bins)) for column, bins in pairs]


def tallies_of(window: WindowCounts) -> list[Tally]:
    """The same from a WindowCounts."""
    return [_tally_of(histogram) for histogram in (*window.features, window.score)]


def _tally_of(histogram: Histogram) -> Tally:
    return Tally(histogram.counts.tolist(), histogram.missing, histogram.minimum, histogram.maximum)


def _plain(bins: Binning) -> Numeric | Named:
    return Numeric(bins.edges) if isinstance(bins, Bins) else Named(bins.levels, bins.rest)


def folded(writes: Iterable[tuple[bytes, bytes | None]]) -> Mapping[bytes, bytes]:
    """What a changelog holds after these writes."""
    table: dict[bytes, bytes] = {}
    for key, value in writes:
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return table
