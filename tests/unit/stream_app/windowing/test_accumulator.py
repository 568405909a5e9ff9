"""Stage 1: what is counted, late, a repeat or redelivered; when a window is over; what a heartbeat may say."""

from __future__ import annotations

import pytest

from contracts.errors import InvalidMessage
from contracts.window import WindowCounts
from stream_app.windowing.accounts import accounts_of
from stream_app.windowing.accumulator import OtherLength, Partition, Touched
from stream_app.windowing.decoding import decode_batch
from stream_app.windowing.state import MetaKey, WindowKey, parse_key
from stream_app.windowing.tumbling import WindowConfig, window_start
from tests.builders import a_baseline, a_schema
from tests.unit.stream_app.windowing.stand import (
    AGAIN,
    FIRST,
    NO_LIMITS,
    SECOND,
    SIZE,
    a_partition,
    a_record,
    a_value,
    by_digest,
    counted_by_hand,
    counts_of,
    decoded,
    events_at,
    read,
    rows_by_window,
)

TEN_SECONDS, WEEK = 10_000, 7 * 24 * 3_600_000


def key(start: int, version: str = "1") -> WindowKey:
    return WindowKey(0, "flights", version, start)


def test_events_are_counted_into_the_window_of_their_event_time_whatever_their_order() -> None:
    #   offsets     1   0    3      2
    #   [0 ---------x---x---)[100 --x---)          lateness 60
    partition = a_partition(40, 20, 130, 90, lateness=60)
    assert rows_by_window(partition.due()) == {}
    read(partition, events_at(260, first=4))
    assert rows_by_window(partition.due()) == {0: 3, 100: 1}


def test_what_is_sent_equals_a_count_by_hand() -> None:
    records = [a_record(i, a_value(i, sequence=i, number=80.0 + 3 * i)) for i in range(40)] + events_at(100, first=40)
    partition = Partition(0, WindowConfig(SIZE))
    read(partition, records)
    [partial] = partition.due()
    assert counts_of(WindowCounts.of(partial, FIRST)) == counted_by_hand(decoded(records[:40]).accepted, FIRST)
    assert (partial.window_start, partial.window_end, partial.partition, partial.offset) == (0, 100, 0, 39)


def test_an_event_behind_the_watermark_is_late_when_its_window_is_over_and_only_then() -> None:
    #   [0 ------ a ----)[100 -- b --)            lateness 10, watermark 150 - 10
    #                          ^140
    partition = a_partition(150, lateness=10)
    touched = read(partition, events_at(99, 100, first=1))
    assert (touched.late, touched.counted) == (1, 1)
    assert touched.keys == (key(100),)
    assert partition.accounts["flights", "1"].late == 1


def test_with_lateness_0_the_first_event_of_the_next_window_ends_the_one_before() -> None:
    #   [0 -------- 99)[100
    partition = a_partition(0, 99)
    assert partition.due() == []
    read(partition, events_at(100, 99, first=2))
    assert rows_by_window(partition.due()) == {0: 2}
    assert partition.accounts["flights", "1"].late == 1


@pytest.mark.parametrize("size", [TEN_SECONDS, 60_000, 3_600_000, WEEK])
def test_windows_of_every_size_end_when_time_passes_their_end(size: int) -> None:
    start = window_start(1_700_000_000_000, size)
    partition = a_partition(start, start + size - 1, size=size, lateness=5_000)
    read(partition, events_at(start + size + 4_999, first=2))
    assert partition.due() == []
    read(partition, events_at(start + size + 5_000, first=3))
    assert rows_by_window(partition.due()) == {start: 2}


def test_a_clock_that_jumps_back_makes_late_events_and_nothing_worse() -> None:
    partition = a_partition(1_000, 0, 10, 1_001)
    account = partition.accounts["flights", "1"]
    assert (account.counted, account.late, partition.watermark) == (2, 2, 1_001)


def test_what_a_restart_sends_twice_is_a_repeat_and_not_counted() -> None:
    partition = a_partition(10, 20, 30)
    again = [a_record(3, a_value(20, sequence=1)), a_record(4, a_value(40, sequence=3))]
    touched = read(partition, again)
    assert (touched.repeats, touched.counted) == (1, 1)
    read(partition, events_at(200, first=5))
    assert rows_by_window(partition.due()) == {0: 4}


def test_foreign_ids_are_protected_by_offsets_alone() -> None:
    record = a_record(0, a_value(10, id="order 17"))
    partition = Partition(0, WindowConfig(SIZE))
    assert read(partition, [record]).counted == 1
    assert read(partition, [record]).redelivered == 1
    assert read(partition, [record._replace(offset=1)]).counted == 1


def test_redelivered_records_change_nothing() -> None:
    records = [*events_at(10, 250, 30), a_record(3, b"{")]
    partition = Partition(0, WindowConfig(SIZE))
    read(partition, records)
    before = partition.stored([key(200)])
    assert read(partition, records) == Touched(redelivered=4)
    assert read(partition, records[1:3]) == Touched(redelivered=2)
    assert partition.stored([key(200)]) == before


def test_refused_records_are_counted_by_reason_and_every_record_is_somewhere() -> None:
    partition = Partition(0, WindowConfig(SIZE))
    read(partition, [*events_at(10, 300, 20), a_record(3, b"{"), a_record(4, None), *events_at(310, first=5)])
    read(partition, [a_record(6, a_value(320, baseline=a_baseline(rows=60, version="9")))])
    meta = partition.meta
    assert meta is not None
    assert meta.refused == {"malformed": 2, "unknown-version": 1}
    assert (meta.first_offset, meta.last_offset, meta.read) == (0, 6, 7)
    assert sum(a.counted + a.late + a.repeats for a in meta.accounts.values()) + sum(meta.refused.values()) == 7


def test_a_batch_with_unknown_versions_is_not_applied() -> None:
    batch = decode_batch(events_at(1), {}, NO_LIMITS)
    with pytest.raises(ValueError, match="final=True"):
        Partition(0, WindowConfig(SIZE)).apply(batch, 0, 0)


def test_two_versions_have_each_their_own_windows_and_accounts() -> None:
    partition = a_partition(10, 20)
    read(partition, events_at(30, 400, first=2, baseline=SECOND))
    assert [(partial.version, partial.rows) for partial in partition.due()] == [("1", 2), ("2", 1)]
    assert {version: account.counted for (_, version), account in partition.accounts.items()} == {"1": 2, "2": 2}


def test_a_hole_in_the_offsets_is_named_and_a_fresh_partition_may_begin_anywhere() -> None:
    fresh = Partition(0, WindowConfig(SIZE))
    assert (fresh.gap(500), fresh.next_offset, fresh.watermark, fresh.meta) == (None, None, None, None)
    read(fresh, events_at(1, 2, first=500))
    assert fresh.next_offset == 502
    assert [fresh.gap(offset) for offset in (400, 502, 503)] == [None, None, 502]


def test_offsets_that_the_log_has_no_record_for_are_booked_as_absent_and_those_passed_unasked_are_not() -> None:
    #   offsets   10 11 .. 13 | .. .. 16 | .. 18       .. has no record
    partition = Partition(0, WindowConfig(SIZE))
    first = [*events_at(1, 2, first=10), *events_at(3, first=13)]
    partition.apply(decoded(first), 10, 13)
    partition.apply(decoded(events_at(4, first=16)), 14, 16)  # 14 and 15 were asked for and are not in the log
    partition.apply(decoded(first), 10, 13)  # read again: booked already
    assert partition.meta is not None
    assert (partition.meta.read, partition.meta.absent) == (4, 3)
    partition.apply(decoded(events_at(5, first=18)), 18, 18)
    assert (partition.meta.read, partition.meta.absent) == (5, 3)
    [account] = accounts_of([partition.meta], [], [], []).partitions
    assert account.unread == 1


def test_the_meta_record_is_written_last_and_alone_after_idling() -> None:
    partition = a_partition(10, 130, lateness=50)
    kinds = [parse_key(stored) for stored, _ in partition.stored([key(0), key(100)])]
    assert kinds == [key(0), key(100), MetaKey(0)]
    assert [parse_key(stored) for stored, _ in partition.stored()] == [MetaKey(0)]
    assert Partition(0, WindowConfig(SIZE)).stored() == []


def test_a_window_is_due_until_its_partial_is_acknowledged() -> None:
    partition = a_partition(10, 120)
    [partial] = partition.due()
    assert partition.due() == [partial]
    assert parse_key(partition.acknowledged(partial)) == key(0)
    assert (partition.due(), partition.open_windows) == ([], 1)
    assert parse_key(partition.acknowledged(partial)) == key(0)  # a second acknowledgement is harmless


def test_how_many_windows_have_ended_is_known_as_they_come_and_go() -> None:
    partition = Partition(0, WindowConfig(SIZE, 30))
    for first, time in enumerate([10, 110, 60, 150, 390, 380, 1000, 990, 5000]):
        read(partition, events_at(time, first=first))
        assert partition.ended == len(partition.due())
        stored = [*partition.stored([key(part.window_start) for part in partition.due()])]
        assert Partition.restore(0, WindowConfig(SIZE, 30), stored, by_digest(FIRST)).ended == partition.ended
        if first % 2:
            for partial in partition.due():
                partition.acknowledged(partial)
                partition.acknowledged(partial)  # twice is harmless
                assert partition.ended == len(partition.due())
    assert partition.ended > 0


def test_due_windows_come_in_order_of_their_start() -> None:
    assert [partial.window_start for partial in a_partition(350, 20, 120, 250, lateness=400).due()] == []
    partition = a_partition(350, 20, 120, 250, lateness=400)
    read(partition, events_at(5_000, first=4))
    assert [partial.window_start for partial in partition.due()] == [0, 100, 200, 300]


def test_a_heartbeat_never_overtakes_a_partial() -> None:
    #   [0 --x--)[100 --x--)[200 -----)[300 x         two windows over, none acknowledged
    partition = a_partition(10, 110, 310)
    assert partition.heartbeat(4, 8, silent=False).watermark == 99
    first, second = partition.due()
    partition.acknowledged(first)
    assert partition.heartbeat(4, 8, silent=False).watermark == 199
    partition.acknowledged(second)
    assert partition.heartbeat(4, 8, silent=False).watermark == 310


def test_a_partition_that_never_had_an_event_is_idle_when_it_is_silent() -> None:
    beat = Partition(5, WindowConfig(SIZE)).heartbeat(2, 8, silent=True)
    assert (beat.partition, beat.partitions, beat.generation) == (5, 8, 2)
    assert (beat.watermark, beat.idle) == (None, True)
    assert not Partition(5, WindowConfig(SIZE)).heartbeat(2, 8, silent=False).idle


def test_a_silent_partition_is_not_idle_while_a_window_is_open() -> None:
    partition = a_partition(10, 120)
    assert not partition.heartbeat(1, 8, silent=True).idle
    partition.acknowledged(partition.due()[0])
    assert not partition.heartbeat(1, 8, silent=True).idle
    assert partition.idle(1_000)
    partition.acknowledged(partition.due()[0])
    assert partition.heartbeat(1, 8, silent=True).idle


def test_the_last_window_ends_after_traffic_stops() -> None:
    #   [0 ------)[100 --x---)            the clock goes on, nothing comes
    partition = a_partition(10, 120, lateness=30)
    assert partition.idle(170)
    assert partition.watermark == 140
    assert rows_by_window(partition.due()) == {0: 1}
    assert partition.idle(230)
    assert rows_by_window(partition.due()) == {0: 1, 100: 1}


def test_an_idle_partition_moves_no_further_than_its_last_open_window() -> None:
    partition = a_partition(10, 120)
    assert partition.idle(1 << 40)
    assert partition.watermark == 200
    assert not partition.idle(1 << 41)
    for partial in partition.due():
        partition.acknowledged(partial)
    assert not partition.idle(1 << 41)
    assert read(partition, events_at(205, first=2)).counted == 1


def test_idling_never_moves_time_back_and_does_nothing_before_the_first_event() -> None:
    partition = a_partition(120)
    assert not partition.idle(50)
    assert partition.watermark == 120
    assert not Partition(0, WindowConfig(SIZE)).idle(1 << 40)


def test_a_window_keeps_its_baseline_when_the_version_is_published_again() -> None:
    partition = a_partition(10)
    read(partition, [a_record(1, a_value(20, sequence=1)), a_record(2, a_value(150, sequence=2))], AGAIN)
    read(partition, [a_record(3, a_value(250, sequence=3))], AGAIN)
    assert [(partial.baseline, partial.rows) for partial in partition.due()] == [(FIRST.digest, 2), (AGAIN.digest, 1)]


def test_a_window_counts_by_name_when_the_features_are_others() -> None:
    #   opened with (distance, seats, carrier); now events have (seats, gate) and the rest is missing
    other = a_baseline(rows=60, schema=a_schema(("seats",), ("gate",)))
    partition = a_partition(10)
    read(partition, [a_record(1, a_value(20, sequence=1, baseline=other))], other)
    read(partition, [a_record(2, a_value(150, sequence=2, baseline=other))], other)
    [partial] = partition.due()
    counts = WindowCounts.of(partial, FIRST)
    assert [(histogram.known, histogram.missing) for histogram in counts.features] == [(1, 1), (2, 0), (1, 1)]


def test_a_window_whose_baseline_is_gone_still_counts_its_rows() -> None:
    partition = a_partition(10, 20)
    restored = Partition.restore(0, WindowConfig(SIZE), partition.stored([key(0)]), {})
    read(restored, events_at(30, 140, first=2))
    [partial] = restored.due()
    assert (partial.rows, partial.decided, partial.offset, partial.baseline) == (3, 3, 2, FIRST.digest)


def test_a_shadows_rows_are_counted_apart_also_once_the_baseline_is_gone() -> None:
    partition = Partition(0, WindowConfig(SIZE))
    roles = ["champion", "shadow", "canary", "shadow"]
    values = [a_value(10, sequence=i, role=role) for i, role in enumerate(roles)]
    read(partition, [a_record(i, value) for i, value in enumerate(values)])
    restored = Partition.restore(0, WindowConfig(SIZE), partition.stored([key(0)]), {})
    read(restored, [a_record(4, a_value(20, sequence=4, role="shadow")), *events_at(140, first=5)])
    [partial] = restored.due()
    assert (partial.rows, partial.shadow_rows) == (5, 3)


def test_restoring_passes_over_other_partitions_records() -> None:
    other = a_partition(10, number=1)
    restored = Partition.restore(0, WindowConfig(SIZE), other.stored(), by_digest())
    assert restored.next_offset is None


def test_a_restored_partition_goes_on_as_if_nothing_had_happened() -> None:
    partition = a_partition(10, 120, 30, lateness=200)
    stored = partition.stored([key(0), key(100)])
    restored = Partition.restore(0, WindowConfig(SIZE, 200), stored, by_digest())
    assert restored.stored([key(0), key(100)]) == stored
    assert restored.meta == partition.meta


def test_open_windows_cannot_change_their_size() -> None:
    stored = a_partition(10).stored([key(0)])
    with pytest.raises(OtherLength) as caught:
        Partition.restore(0, WindowConfig(60_000), stored, by_digest())
    assert str(caught.value) == (
        "partition 0 has an open window of flights/1 of 0.1 s, windows are set to 60 s: set STREAM_WINDOW_SECONDS=0.1 "
        "until all windows are closed, or choose another STREAM_APP_ID to count everything anew"
    )


def test_state_that_cannot_be_read_is_named() -> None:
    [(name, _)] = a_partition(10).stored()
    with pytest.raises(InvalidMessage, match="meta record"):
        Partition.restore(0, WindowConfig(SIZE), [(name, b"?")], by_digest())
    with pytest.raises(InvalidMessage, match="key of stage 1"):
        Partition.restore(0, WindowConfig(SIZE), [(b"\x01", b"")], by_digest())


def test_a_window_that_a_crash_left_ahead_does_not_end_by_the_clock() -> None:
    #   stored: the window up to offset 2, meta: nothing; its other events wait to be read again
    partition = a_partition(10, 20, 30)
    ahead = Partition.restore(0, WindowConfig(SIZE), partition.stored([key(0)])[:-1], by_digest())
    assert not ahead.idle(1 << 40)
    assert not ahead.heartbeat(1, 1, silent=True).idle
    assert read(ahead, events_at(10, 20, 30)).counted == 3
    assert ahead.stored([key(0)]) == partition.stored([key(0)])
    assert ahead.idle(1 << 40)


def test_the_accounts_and_the_meta_record_are_copies() -> None:
    partition = a_partition(10)
    before = partition.meta
    partition.accounts["flights", "1"].counted = 99
    read(partition, events_at(20, first=1))
    assert before is not None
    assert before.accounts["flights", "1"].counted == 1
    assert partition.accounts["flights", "1"].counted == 2
