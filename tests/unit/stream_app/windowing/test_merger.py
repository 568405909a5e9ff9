"""Stage 2: parts replace one another, windows close once and in order, and what comes after is late, counted once."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from contracts.errors import InvalidMessage
from contracts.partials import Heartbeat, PartialAggregate, decode_partial, encode_partial
from contracts.window import WindowCounts
from stream_app.windowing.merged_state import (
    ClosedKey,
    PartKey,
    VersionKey,
    VersionRecord,
    decode_version,
    encode_version,
    parse_merged_key,
    part_key,
    version_key,
)
from stream_app.windowing.merger import Merger, MergerConfig, Records
from tests.builders import a_baseline
from tests.unit.stream_app.windowing.stand import AGAIN, FIRST, SECOND, a_partial, by_digest, folded

NEVER = None


class Stage:
    """A merger with its changelog."""

    def __init__(self, partitions: int = 2, **config: int) -> None:
        self.config = MergerConfig(**{"minimum_rows": 1, **config})
        self.baselines = by_digest()
        self.written: Records = []
        self.partitions, self.offset, self.repeats = partitions, 0, 0
        self.said, self.words = 0, dict[int, int]()
        self.merger = Merger(0, self.config, self.baselines)

    def take(self, *parts: PartialAggregate) -> None:
        for part in parts:
            records = self.merger.on_partial(part, self.offset)
            self.repeats += not records
            self.written += records
            self.offset += 1

    def beat(
        self, *watermarks: int | None, generation: int = 1, idle: tuple[int, ...] = (), past: bool = False
    ) -> None:
        """The idle ones speak twice: the second word stands for where the first one lies."""
        for number, watermark in [*enumerate(watermarks), *((number, watermarks[number]) for number in idle)]:
            self.said += 1
            beat = Heartbeat(
                partition=number,
                partitions=self.partitions,
                generation=generation,
                watermark=watermark,
                idle=number in idle,
                said=self.said,
                behind=self.words.pop(number, 0) if number in idle else 0,
            )
            self.words[number] = self.said
            self.merger.on_heartbeat(beat, past=past)

    def close(self, policy: bytes | None = None) -> list[tuple[str, int, int]]:
        """Version, start and rows of what is closed now."""
        closed = []
        for closing in self.merger.due():
            self.written += self.merger.close(closing, policy)
            closed.append((closing.version, closing.window_start, closing.rows))
        return closed

    def crash(self, lost: int = 0) -> None:
        self.written = self.written[: len(self.written) - lost]
        self.merger = Merger.restore(0, self.config, folded(self.written).items(), self.baselines)

    @property
    def record(self) -> VersionRecord:
        return self.merger.version("flights", "1")


def test_a_window_closes_when_every_source_partition_has_passed_its_end() -> None:
    #   p0 [0 --3--)[100 x        p1 [0 --4--)     the second one is the slow one
    stage = Stage()
    stage.take(a_partial(0, 3), a_partial(0, 4, partition=1))
    stage.beat(150)
    assert stage.close() == []
    stage.beat(150, 99)
    assert stage.close() == []
    stage.beat(150, 100)
    assert stage.close() == [("1", 0, 7)]
    assert stage.close() == []


def test_what_is_closed_is_the_sum_of_the_newest_parts() -> None:
    stage = Stage()
    stage.take(
        a_partial(0, 2, offset=5, number=90.0),
        a_partial(0, 3, offset=8, number=90.0),
        a_partial(0, 9, offset=7),  # older: from a worker that has lost the partition
        a_partial(0, 4, partition=1, offset=2, number=130.0),
    )
    stage.beat(100, 100)
    [closing] = stage.merger.due()
    expected = WindowCounts.of(a_partial(0, 3, number=90.0), FIRST)
    expected.merge(WindowCounts.of(a_partial(0, 4, number=130.0), FIRST))
    assert [histogram.value() for histogram in closing.counts.features] == [h.value() for h in expected.features]
    assert (closing.rows, closing.partitions, closing.baseline) == (7, {0: 8, 1: 2}, FIRST)
    assert stage.repeats == 1


def test_a_window_begun_again_without_its_first_rows_does_not_replace_the_whole_one() -> None:
    #   a worker that had lost the partition sent all and deleted the window late; the owner crashed and reopened it
    stage = Stage(partitions=1)
    stage.take(a_partial(0, 5, offset=8), a_partial(0, 2, offset=9))
    stage.beat(100)
    assert ([closing.rows for closing in stage.merger.due()], stage.repeats) == ([5], 1)


def test_a_part_made_again_after_a_crash_is_a_repeat_also_under_a_baseline_published_since() -> None:
    #   the first owner's part arrived; the next one counts the same events again, with the newer bins
    stage = Stage(partitions=1)
    stage.take(a_partial(0, 3))
    before = list(stage.written)
    stage.take(a_partial(0, 3), a_partial(0, 3, baseline=AGAIN))
    assert (stage.written, stage.repeats) == (before, 2)
    stage.beat(100)
    assert [(closing.rows, closing.other_rows) for closing in stage.merger.due()] == [(3, 0)]


def test_windows_close_in_order_of_their_start_in_each_version() -> None:
    stage = Stage()
    stage.take(a_partial(200), a_partial(0), a_partial(100), a_partial(100, baseline=SECOND))
    stage.beat(300, 300)
    assert stage.close() == [("1", 0, 1), ("1", 100, 1), ("1", 200, 1), ("2", 100, 1)]


def test_closing_a_window_that_is_not_the_next_is_an_error() -> None:
    stage = Stage()
    stage.take(a_partial(0), a_partial(100))
    stage.beat(300, 300)
    first, second = stage.merger.due()
    with pytest.raises(ValueError, match="not the next"):
        stage.merger.close(second)
    stage.merger.close(first)
    with pytest.raises(ValueError, match="not the next"):
        stage.merger.close(first)


def test_an_idle_partition_is_not_waited_for() -> None:
    stage = Stage()
    stage.take(a_partial(0))
    stage.beat(100, 40, idle=(1,))
    assert stage.close() == [("1", 0, 1)]


def test_a_partition_that_never_had_an_event_is_waited_for_until_it_is_idle() -> None:
    stage = Stage()
    stage.take(a_partial(0))
    stage.beat(100, NEVER)
    assert stage.close() == []
    stage.beat(100, NEVER, idle=(1,))
    assert stage.close() == [("1", 0, 1)]


def test_when_all_traffic_has_stopped_every_window_closes() -> None:
    stage = Stage()
    stage.take(a_partial(0), a_partial(500, 2, partition=1))
    stage.beat(100, 100, idle=(0, 1))
    assert stage.close() == [("1", 0, 1), ("1", 500, 2)]


def test_counts_that_come_when_all_were_idle_wait_for_the_others_that_have_woken_up_too() -> None:
    #   p0 idle | part [0, 100)     | 100      everybody was idle, then both have events for [0, 100) at once; p0's
    #   p1 idle |        part [0, 100) | 100   counts are heard before a heartbeat says that anybody is awake
    stage = Stage()
    stage.beat(NEVER, NEVER, idle=(0, 1))
    stage.take(a_partial(0, 3))
    assert stage.close() == []
    stage.beat(100)
    stage.take(a_partial(0, 4, partition=1))
    stage.beat(100, 100)
    assert (stage.close(), stage.record.late_rows) == ([("1", 0, 7)], 0)


def test_the_last_partition_that_falls_silent_does_not_end_a_window_of_one_that_has_woken_up() -> None:
    #   p0 idle |  event   | 0    part  100    p0's word is of when p1 was at 50, and has an event for [0, 100) since
    #   p1   50 |     part | idle
    stage = Stage()
    stage.beat(NEVER, 50, idle=(0,))
    stage.take(a_partial(0, 3, partition=1))
    stage.merger.on_heartbeat(Heartbeat(partition=1, partitions=2, generation=1, watermark=100, idle=True))
    assert stage.close() == []
    stage.beat(0)
    stage.take(a_partial(0, 4))
    stage.beat(100, 100, idle=(1,))
    assert (stage.close(), stage.record.late_rows) == ([("1", 0, 7)], 0)


def test_a_restored_merger_does_not_close_by_an_idleness_that_was_over_before_its_state_was_stored() -> None:
    #   all idle | part of p0 ... killed before it was committed: the state has the part, and the idle words come again
    stage = Stage()
    stage.beat(NEVER, NEVER, idle=(0, 1))
    stage.take(a_partial(0, 3))
    stage.crash()
    stage.beat(NEVER, NEVER, idle=(0, 1), past=True)
    assert stage.close() == []
    stage.take(a_partial(0, 3), a_partial(0, 4, partition=1))
    stage.beat(100, 100)
    assert (stage.close(), stage.record.late_rows) == ([("1", 0, 7)], 0)


def test_a_heartbeat_of_an_older_generation_is_fenced() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0))
    stage.beat(50, generation=4)
    assert not stage.merger.on_heartbeat(Heartbeat(partition=0, partitions=1, generation=3, watermark=999))
    assert stage.close() == []


def test_after_a_rebalance_every_partition_must_be_heard_of_again() -> None:
    stage = Stage()
    stage.take(a_partial(0))
    stage.beat(100, 90, generation=1)
    stage.beat(100, generation=2)
    stage.beat(40, 100, generation=1)
    assert stage.close() == []
    stage.beat(100, 100, generation=2)
    assert stage.close() == [("1", 0, 1)]


def test_partitions_added_to_the_topic_are_waited_for() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0))
    stage.beat(50)
    stage.partitions = 2
    stage.beat(100)
    assert stage.close() == []
    stage.beat(100, 100)
    assert stage.close() == [("1", 0, 1)]


def test_a_part_sent_again_for_a_closed_window_is_a_repeat() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0, 3))
    stage.beat(100)
    stage.close()
    stage.take(a_partial(0, 3))
    assert (stage.record.late_rows, stage.repeats, stage.merger.pending) == (0, 1, 0)
    stage.beat(1_000)
    assert stage.close() == []


def test_a_part_that_comes_too_late_counts_its_rows_once() -> None:
    #   p1 was idle when [0, 100) closed, and then had five events for it
    stage = Stage()
    stage.take(a_partial(0, 3))
    stage.beat(100, 0, idle=(1,))
    assert stage.close() == [("1", 0, 3)]
    for _ in range(2):
        stage.take(a_partial(0, 5, partition=1))
    assert (stage.record.reported_rows, stage.record.late_rows) == (3, 5)
    stage.beat(1_000, 1_000)
    assert stage.close() == []


def test_a_part_for_a_window_below_the_horizon_that_never_was_is_late_too() -> None:
    stage = Stage()
    stage.take(a_partial(500))
    stage.beat(600, 0, idle=(1,))
    stage.close()
    stage.take(a_partial(100, 2, partition=1), a_partial(100, 2, partition=1), a_partial(100, 3, partition=1))
    assert (stage.record.late_rows, stage.merger.pending) == (3, 0)


def test_a_late_part_that_is_delivered_again_after_a_crash_counts_once() -> None:
    stage = Stage(partitions=1, closed_windows=1)
    stage.take(a_partial(500))
    stage.beat(600)
    stage.close()
    late = [a_partial(start, 2) for start in (100, 200, 300)]  # more than are remembered row by row
    stage.take(*late)
    stage.crash()
    for offset, part in enumerate(late, 1):
        stage.written += stage.merger.on_partial(part, offset)
    assert stage.record.late_rows == 6


def test_the_memory_of_closed_windows_is_bounded() -> None:
    stage = Stage(partitions=1, closed_windows=3)
    for start in range(0, 1_000, 100):
        stage.take(a_partial(start))
        stage.beat(start + 100)
        stage.close()
    kept = [parse_merged_key(key) for key in folded(stage.written)]
    assert [key.window_start for key in kept if isinstance(key, ClosedKey)] == [700, 800, 900]
    stage.take(a_partial(700))
    assert stage.record.late_rows == 0


def test_what_a_close_writes_does_not_grow_with_the_windows_that_are_remembered() -> None:
    stage = Stage(partitions=50)
    sizes = []
    for start in range(0, 2_000, 100):
        stage.take(*[a_partial(start, partition=number) for number in range(50)])
        stage.beat(*[start + 100] * 50)
        [closing] = stage.merger.due()
        records = stage.merger.close(closing)
        sizes.append(sum(len(key) + len(value) for key, value in records if value is not None))
    assert sizes[-1] <= sizes[1] + 20  # numbers grow by some bytes


def test_a_repeat_is_recognised_after_a_crash_by_what_is_remembered() -> None:
    stage = Stage()
    stage.take(a_partial(0, 3), a_partial(0, 4, partition=1))
    stage.beat(100, 100)
    stage.close()
    stage.crash()
    stage.take(a_partial(0, 3), a_partial(0, 6, partition=1))
    assert (stage.record.reported_rows, stage.record.late_rows) == (7, 2)


def test_a_window_that_a_crash_has_kept_from_closing_closes_as_it_was_reported() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0, 3))
    stage.beat(100)
    stage.close()
    stage.crash(lost=2)  # the version's record and the deletion
    stage.take(a_partial(0, 5, offset=20))
    stage.beat(100)
    assert stage.close() == [("1", 0, 3)]
    stage.take(a_partial(0, 5, offset=20))
    assert (stage.record.reported_rows, stage.record.late_rows) == (3, 2)


def test_rows_that_an_earlier_build_remembered_in_the_versions_record_are_still_known() -> None:
    stage = Stage(partitions=1)
    former = VersionRecord(
        model="flights", version="1", horizon=0, reports=1, reported_rows=3, closed={0: {100: {0: 3}}}
    )
    stage.written = [(version_key(VersionKey(0, "flights", "1")), encode_version(former))]
    stage.crash()
    stage.take(a_partial(0, 3))
    assert (stage.repeats, stage.record.late_rows) == (1, 0)


def test_a_version_that_is_held_is_left_alone_and_no_other_waits_for_it() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0), a_partial(0, baseline=SECOND))
    stage.beat(100)
    assert [c.version for c in stage.merger.due(lambda model, version: version == "1")] == ["2"]
    assert [c.version for c in stage.merger.due()] == ["1", "2"]


def test_a_window_is_put_together_only_when_it_is_asked_for() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0), a_partial(100))
    stage.beat(200)
    held: list[str] = []
    due = stage.merger.due(lambda model, version: bool(held))
    assert next(due).window_start == 0
    held.append("the comparison failed")
    assert list(due) == []


def test_a_part_is_stored_as_it_came_with_what_a_newer_worker_added() -> None:
    stage = Stage()
    newer = msgspec.msgpack.encode({**msgspec.msgpack.decode(encode_partial(a_partial())), "added": 7})
    part = decode_partial(newer)
    assert isinstance(part, PartialAggregate)
    [(_, value)] = stage.merger.on_partial(part, 0, newer)
    assert value == newer


def test_a_thin_window_is_reported_insufficient_and_merged_into_the_next() -> None:
    #   rows    2        3        6                  enough are 10
    #        [0 ---)[100 ---)[200 ---)
    stage = Stage(partitions=1, minimum_rows=10)
    stage.take(a_partial(0, 2), a_partial(100, 3), a_partial(200, 6))
    stage.beat(300)
    found = [(c.window_start, c.rows, c.counts.rows, c.merged_windows, c.sufficient) for c in stage.merger.due()]
    assert found == [(0, 2, 2, 0, False), (100, 3, 3, 1, False), (200, 6, 11, 2, True)]
    stage.close()
    assert (stage.record.thin, stage.record.reports, stage.record.reported_rows) == ((), 3, 11)
    assert not [key for key in folded(stage.written) if isinstance(parse_merged_key(key), PartKey)]


def test_thin_windows_are_kept_over_a_crash() -> None:
    stage = Stage(partitions=1, minimum_rows=5)
    stage.take(a_partial(0, 2))
    stage.beat(100)
    stage.close()
    stage.crash()
    stage.take(a_partial(100, 3))
    stage.beat(200)
    [closing] = stage.merger.due()
    assert (closing.counts.rows, closing.merged_windows, closing.rows) == (5, 1, 3)


def test_only_so_many_thin_windows_are_merged() -> None:
    stage = Stage(partitions=1, minimum_rows=100, thin_windows=2)
    for start in (0, 100, 200, 300):
        stage.take(a_partial(start))
        stage.beat(start + 100)
        stage.close()
    assert stage.record.thin == (200, 300)
    kept = [parse_merged_key(key) for key in folded(stage.written)]
    assert sorted(key.window_start for key in kept if isinstance(key, PartKey)) == [200, 300]


def test_no_thin_window_is_merged_where_none_is_to_be_kept() -> None:
    stage = Stage(partitions=1, minimum_rows=100, thin_windows=0)
    stage.take(a_partial(0), a_partial(100))
    stage.beat(200)
    assert [closing.merged_windows for closing in stage.merger.due()] == [0, 0]
    stage.close()
    assert stage.record.thin == ()


def test_a_late_part_of_a_thin_window_is_late_and_not_merged() -> None:
    stage = Stage(minimum_rows=5)
    stage.take(a_partial(0, 2))
    stage.beat(100, 0, idle=(1,))
    stage.close()
    stage.take(a_partial(0, 4, partition=1), a_partial(100, 3))
    stage.beat(200, 200)
    [closing] = stage.merger.due()
    assert (closing.counts.rows, stage.record.late_rows) == (5, 4)


def test_parts_counted_with_two_baselines_are_compared_with_that_of_most_rows() -> None:
    stage = Stage(partitions=3)
    stage.take(a_partial(0, 2), a_partial(0, 3, partition=1, baseline=AGAIN), a_partial(0, 2, partition=2))
    stage.beat(100, 100, 100)
    [closing] = stage.merger.due()
    assert (closing.baseline, closing.rows, closing.counts.rows, closing.other_rows) == (FIRST, 7, 4, 3)
    assert closing.partitions == {0: 10, 1: 10, 2: 10}


def test_thin_windows_of_another_baseline_are_not_merged() -> None:
    stage = Stage(partitions=1, minimum_rows=4)
    stage.take(a_partial(0, 2), a_partial(100, 4, baseline=AGAIN))
    stage.beat(200)
    assert [(c.counts.rows, c.merged_windows) for c in stage.merger.due()] == [(2, 0), (4, 0)]


def test_a_window_waits_for_a_baseline_that_is_not_there_yet_and_so_do_those_after_it() -> None:
    stage = Stage(partitions=1)
    del stage.baselines[AGAIN.digest]
    stage.take(a_partial(0, baseline=AGAIN), a_partial(100), a_partial(0, baseline=SECOND))
    stage.beat(200)
    assert stage.merger.unknown == {AGAIN.digest}
    assert stage.close() == [("2", 0, 1)]
    stage.baselines[AGAIN.digest] = AGAIN
    assert stage.merger.unknown == frozenset()
    assert stage.close() == [("1", 0, 1), ("1", 100, 1)]


def test_a_window_whose_baseline_is_gone_for_good_closes_without_its_rows_being_compared() -> None:
    stage = Stage(partitions=2)
    del stage.baselines[AGAIN.digest]
    stage.take(a_partial(0, 5, baseline=AGAIN), a_partial(0, 2, partition=1), a_partial(100, 3, baseline=AGAIN))
    stage.beat(200, 200)
    stage.merger.give_up(AGAIN.digest)
    found = [(c.rows, c.counts.rows, c.other_rows, c.sufficient, c.baseline) for c in stage.merger.due()]
    assert found == [(7, 2, 5, True, FIRST), (3, 0, 3, False, FIRST)]
    stage.close()
    assert stage.record.reported_rows == 10


def test_a_version_without_any_baseline_waits_and_holds_back_no_other() -> None:
    stage = Stage(partitions=1)
    del stage.baselines[SECOND.digest]
    stage.merger.give_up(SECOND.digest)
    stage.take(a_partial(0, baseline=SECOND), a_partial(0))
    stage.beat(100)
    assert stage.close() == [("1", 0, 1)]
    assert stage.merger.pending == 1


def test_what_is_remembered_is_written_before_the_version_record_and_that_before_anything_is_deleted() -> None:
    stage = Stage(partitions=2)
    stage.take(a_partial(0), a_partial(0, partition=1))
    stage.beat(100, 100)
    [closing] = stage.merger.due()
    memory, (key, value), *deletions = stage.merger.close(closing, b"state")
    assert isinstance(parse_merged_key(memory[0]), ClosedKey)
    assert isinstance(parse_merged_key(key), VersionKey)
    assert value is not None
    assert decode_version(value).policy == b"state"
    assert [deleted for _, deleted in deletions] == [None, None]


def test_a_crash_before_the_version_record_closes_the_window_again_alike() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0, 3))
    stage.beat(100)
    [before] = stage.merger.due()
    stage.close()
    stage.crash(lost=2)
    [after] = stage.merger.due()  # at once: its report may be out, whatever is known of the partitions now
    assert (after.window_start, after.rows, after.partitions) == (before.window_start, before.rows, before.partitions)


def test_a_crash_before_the_deletions_does_not_open_the_window_again_and_they_are_made_up_for() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0, 3))
    stage.beat(100)
    stage.close(b"state")
    stage.crash(lost=1)
    assert (stage.merger.pending, stage.merger.policy("flights", "1")) == (0, b"state")
    stage.take(a_partial(100))
    stage.beat(200)
    assert stage.close() == [("1", 100, 1)]
    assert [key for key in folded(stage.written) if isinstance(parse_merged_key(key), PartKey)] == []


def test_the_policys_state_stays_when_close_brings_none() -> None:
    stage = Stage(partitions=1)
    assert stage.merger.policy("flights", "1") == b""
    stage.take(a_partial(0), a_partial(100))
    stage.beat(100)
    stage.close(b"one")
    stage.beat(200)
    stage.close(None)
    assert stage.merger.policy("flights", "1") == b"one"


def test_a_window_size_changed_while_a_window_waits_loses_no_row() -> None:
    stage = Stage(partitions=2)
    stage.take(a_partial(0, 3), a_partial(0, 4, partition=1, size=6_000), a_partial(0, 4, partition=1, size=6_000))
    stage.beat(100, 100)
    assert stage.close() == [("1", 0, 3)]
    stage.take(a_partial(0, 5, size=6_000), a_partial(0, 5, size=6_000))
    assert (stage.record.reported_rows, stage.record.late_rows) == (3, 9)


def test_what_is_stored_of_a_pending_window_is_the_part_itself() -> None:
    stage = Stage()
    part = a_partial(0, 3)
    stage.take(part)
    [(_, value)] = stage.written
    assert value is not None
    assert decode_partial(value) == part


def test_restoring_passes_over_other_partitions_records() -> None:
    stage = Stage(partitions=1)
    stage.take(a_partial(0))
    assert Merger.restore(1, stage.config, folded(stage.written).items(), {}).pending == 0
    with pytest.raises(InvalidMessage, match="stage 2"):
        Merger.restore(0, stage.config, [(b"?", b"")], {})


@pytest.mark.parametrize("field", ["minimum_rows", "thin_windows", "closed_windows"])
def test_a_setting_that_cannot_be_is_named(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        MergerConfig(**{"minimum_rows": 1, field: -1})


def test_an_announced_window_takes_no_more_parts_and_closes_after_a_restart_without_a_word() -> None:
    #   p1 was idle, [0, 100) was announced, its worker died, then p1 had an event for it
    stage = Stage()
    stage.take(a_partial(0, 3))
    stage.beat(100, 0, idle=(1,))
    (closing,) = stage.merger.due()
    stage.written += stage.merger.announce(closing)
    stage.crash()
    stage.take(a_partial(0, 5, partition=1))
    assert stage.close() == [("1", 0, 3)]
    assert (stage.record.reported_rows, stage.record.late_rows) == (3, 5)


def test_an_announced_window_is_compared_with_the_same_baseline_again_though_a_newer_one_has_come() -> None:
    stage = Stage(partitions=1)
    unknown = a_baseline(seed=9)
    newer = msgspec.structs.replace(FIRST, created=FIRST.created + timedelta(days=1))
    stage.take(a_partial(0, 3, baseline=unknown))
    stage.beat(100)
    stage.merger.give_up(unknown.digest)
    (closing,) = stage.merger.due()
    assert closing.baseline in (FIRST, AGAIN)
    stage.written += stage.merger.announce(closing)
    stage.baselines[newer.digest] = newer
    stage.crash()
    stage.merger.give_up(unknown.digest)
    (again,) = stage.merger.due()
    assert again.baseline == closing.baseline
    # one that was announced by an older version does not say; the newest is taken then, as before
    ((key, value),) = [(key, value) for key, value in stage.written if isinstance(parse_merged_key(key), ClosedKey)]
    assert value is not None
    older = msgspec.msgpack.decode(value)
    del older["baseline"]
    stage.written.append((key, msgspec.msgpack.encode(older)))
    stage.crash()
    stage.merger.give_up(unknown.digest)
    (again,) = stage.merger.due()
    assert again.baseline == newer


def test_a_window_announced_by_a_worker_who_had_read_further_waits_for_its_parts() -> None:
    #   a frozen worker had both parts and announced the window; its record comes late, the new one has one part so far
    zombie = Stage()
    zombie.take(a_partial(0, 3), a_partial(0, 5, partition=1))
    zombie.beat(100, 100)
    (closing,) = zombie.merger.due()
    stage = Stage()
    stage.take(a_partial(0, 3))
    stage.written += zombie.merger.announce(closing)
    stage.crash()
    assert stage.close() == []
    stage.take(a_partial(0, 5, partition=1))
    stage.beat(100, 100)
    assert stage.close() == [("1", 0, 8)]


def test_a_window_before_an_announced_one_takes_no_parts_either_and_the_report_is_repeated_as_it_was() -> None:
    #   p1 was idle, [100, 200) was announced and reported, its worker died; then p1 had events for [0, 100), a thin one
    stage = Stage(minimum_rows=6)
    stage.take(a_partial(100, 6))
    stage.beat(200, 0, idle=(1,))
    (closing,) = stage.merger.due()
    stage.written += stage.merger.announce(closing)
    stage.crash()
    stage.take(a_partial(0, 2, partition=1))
    stage.beat(200, 200, generation=2)
    (again,) = stage.merger.due()
    assert (again.window_start, again.rows, again.counts.rows, again.merged_windows) == (100, 6, 6, 0)
    stage.written += stage.merger.close(again)
    assert (stage.record.reported_rows, stage.record.late_rows, stage.record.horizon) == (6, 2, 100)


def restored_with_a_missed_part(stage: Stage) -> None:
    """[0, 100) is closed with 3 and 4 rows; then another worker, who does not know of it, stores 6 of partition 1."""
    stage.take(a_partial(0, 3), a_partial(0, 4, partition=1))
    stage.beat(100, 100)
    assert stage.close() == [("1", 0, 7)]
    stage.written.append((part_key(PartKey(0, "flights", "1", 0, 1)), encode_partial(a_partial(0, 6, partition=1))))
    stage.crash()
    assert (stage.merger.found_late, stage.record.late_rows) == (2, 2)


def test_what_restoring_left_to_write_takes_nothing_back_that_was_written_since() -> None:
    stage = Stage()
    restored_with_a_missed_part(stage)
    stage.take(a_partial(0, 5), a_partial(100, 8))
    stage.beat(200, 200)
    assert stage.close() == [("1", 100, 8)]
    now = stage.record
    assert (now.reports, now.reported_rows, now.late_rows, now.horizon) == (2, 15, 4, 100)
    stage.written += stage.merger.unwritten()
    assert stage.merger.unwritten() == []
    stage.crash()
    assert stage.record == now
    assert not [key for key in folded(stage.written) if isinstance(parse_merged_key(key), PartKey)]
    stage.take(a_partial(100, 8))
    stage.beat(200, 200)
    assert (stage.close(), stage.record.late_rows) == ([], 4)


def test_what_restoring_left_to_delete_is_no_part_that_came_since() -> None:
    #   before it is written: a newer part of the same window and partition, which is late, too; parts that wait
    stage = Stage()
    restored_with_a_missed_part(stage)
    stage.take(a_partial(0, 9, partition=1, offset=30), a_partial(100, 2), a_partial(100, 3, partition=1))
    assert stage.record.late_rows == 5
    stage.written += stage.merger.unwritten()
    parts = [parse_merged_key(key) for key in folded(stage.written) if isinstance(parse_merged_key(key), PartKey)]
    assert sorted(parts) == [PartKey(0, "flights", "1", 100, 0), PartKey(0, "flights", "1", 100, 1)]
    stage.crash()
    assert (stage.merger.found_late, stage.record.late_rows) == (0, 5)
    stage.beat(200, 200)
    assert stage.close() == [("1", 100, 5)]


def test_a_crash_before_what_restoring_left_to_write_counts_no_late_row_twice() -> None:
    stage = Stage()
    restored_with_a_missed_part(stage)
    stage.take(a_partial(0, 5))  # late: what is written with it has all that is late
    stage.crash()
    assert (stage.merger.found_late, stage.record.late_rows) == (0, 4)
