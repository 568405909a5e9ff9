"""The crash law of stage 1: whatever part of its writes a crash lets through, reading again gives the same state.

log        0 1 2 3 4 5 6 7 8 9
batches   [0 1 2][3 4 5 6]x                  x: windows of 3..6 stored up to some record, the meta record perhaps
again            [3 4][5 6 7 8 9]            from any offset at or before the stored one, cut anywhere
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.partials import PartialAggregate
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.state import PartitionMeta
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.windowing.stand import (
    FIRST,
    SECOND,
    SIZE,
    Record,
    a_record,
    a_value,
    by_digest,
    events_at,
    folded,
    read,
)

Stored = list[tuple[bytes, bytes | None]]
shares = st.floats(0, 1)
cuts = st.lists(st.integers(1, 29), max_size=5)


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Events of two versions in any order, sent twice here and there, some broken."""
    values: list[bytes | None] = []
    for sequence, time in enumerate(draw(st.lists(st.integers(0, 700), min_size=2, max_size=24))):
        values.append(a_value(time, sequence=sequence, baseline=draw(st.sampled_from([FIRST, SECOND]))))
        if draw(st.integers(0, 4)) == 0:
            values.append(draw(st.sampled_from([values[-1], values[len(values) // 2], b"{", None])))
    return [a_record(offset, value) for offset, value in enumerate(values)]


def batches(records: list[Record], edges: list[int]) -> list[list[Record]]:
    inside = sorted({0, len(records), *(edge for edge in edges if edge < len(records))})
    return [records[begin:end] for begin, end in pairwise(inside) if begin < end]


def final(partition: Partition) -> tuple[PartitionMeta | None, list[PartialAggregate]]:
    """Everything that a partition knows, told by ending all of its windows."""
    meta = partition.meta
    partition.idle(1 << 40)
    return meta, partition.due()


@given(logs(), st.integers(0, 200), cuts)
def test_it_does_not_matter_where_batches_are_cut(records: list[Record], lateness: int, edges: list[int]) -> None:
    config = WindowConfig(SIZE, lateness)
    whole, pieces = Partition(0, config), Partition(0, config)
    read(whole, records)
    for batch in batches(records, edges):
        read(pieces, batch)
    assert final(pieces) == final(whole)


@settings(deadline=None)
@given(logs(), st.integers(0, 200), cuts, st.lists(st.tuples(cuts, shares, shares), min_size=1, max_size=3))
def test_after_any_crashes_the_state_is_what_it_would_have_been(
    records: list[Record], lateness: int, edges: list[int], crashes: list[tuple[list[int], float, float]]
) -> None:
    config = WindowConfig(SIZE, lateness)
    undisturbed = Partition(0, config)
    read(undisturbed, records)

    written: Stored = []
    partition, position = Partition(0, config), 0
    for again, kept, back in crashes:
        for batch in batches(records[position:], edges):
            written += partition.stored(read(partition, batch).keys)
        del written[round(kept * len(written)) :]
        partition = Partition.restore(0, config, folded(written).items(), by_digest())
        position, edges = round(back * (partition.next_offset or 0)), again
    for batch in batches(records[position:], edges):
        read(partition, batch)
    assert final(partition) == final(undisturbed)


def test_a_crash_between_a_window_and_the_meta_record_counts_the_batch_once() -> None:
    records = events_at(10, 20, 30, 40)
    partition = Partition(0, WindowConfig(SIZE))
    first = partition.stored(read(partition, records[:2]).keys)
    second = partition.stored(read(partition, records[2:]).keys)
    restored = Partition.restore(0, WindowConfig(SIZE), folded([*first, second[0]]).items(), by_digest())
    assert restored.next_offset == 2
    assert read(restored, records[2:]).counted == 2
    assert final(restored) == final(partition)


def test_what_is_late_stays_late_when_it_is_read_again() -> None:
    #   [0 ----)[100 ---)[200 --     offset 0 at 210 ends both, 1 at 50 is late; the crash loses the meta record of both
    records = events_at(210, 50, 220)
    partition = Partition(0, WindowConfig(SIZE))
    stored = partition.stored(read(partition, records).keys)
    restored = Partition.restore(0, WindowConfig(SIZE), folded(stored[:-1]).items(), by_digest())
    read(restored, records)
    assert restored.accounts["flights", "1"].late == 1
    assert final(restored) == final(partition)


def test_a_stored_idle_advance_survives_and_one_that_was_not_stored_was_never_told() -> None:
    partition = Partition(0, WindowConfig(SIZE))
    stored: Stored = [*partition.stored(read(partition, events_at(10)).keys)]
    assert partition.idle(1 << 40)
    lost = Partition.restore(0, WindowConfig(SIZE), folded(stored).items(), by_digest())
    assert read(lost, events_at(20, first=1)).counted == 1
    kept = Partition.restore(0, WindowConfig(SIZE), folded([*stored, *partition.stored()]).items(), by_digest())
    assert read(kept, events_at(20, first=1)).late == 1


def test_a_window_deleted_after_its_acknowledgement_does_not_come_back() -> None:
    partition = Partition(0, WindowConfig(SIZE))
    records = events_at(10, 20, 130)
    written: Stored = [*partition.stored(read(partition, records).keys)]
    [partial] = partition.due()
    written.append((partition.acknowledged(partial), None))
    restored = Partition.restore(0, WindowConfig(SIZE), folded(written).items(), by_digest())
    assert read(restored, records).redelivered == 3
    assert restored.due() == []
