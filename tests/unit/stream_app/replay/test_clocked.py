"""A topic's replay: what the records say, and what only their times say. Times in seconds, windows of ten."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from contracts.partials import Heartbeat, PartialAggregate
from stream_app.replay.clocked import TICK_MS, ClockedReplay
from stream_app.replay.judging import Judges, Verdict
from stream_app.replay.known import Change, KnownBaselines
from stream_app.replay.lines import SummaryLine
from stream_app.replay.outcome import Outcome
from tests.unit.stream_app.replay.stand import FIRST, KNOWN, SECOND, a_plan, judges, reports, rows
from tests.unit.stream_app.windowing.stand import Record, a_record, a_value

V1 = ("flights", "1")
FAR = 10**9


class Topic:
    """Records as they are appended: `at` is the broker's clock, `time` the event's, both in seconds."""

    def __init__(self, partitions: int = 1) -> None:
        self.records: dict[int, list[Record]] = {number: [] for number in range(partitions)}

    def append(self, at: float, time: float, partition: int = 0, baseline: Any = FIRST) -> None:
        log = self.records[partition]
        value = a_value(round(time * 1000), id=f"{partition}/{len(log)}", baseline=baseline)
        log.append(a_record(len(log), value, partition=partition, timestamp=round(at * 1000)))


def a_replay(topic: Topic, known: KnownBaselines | None = None, **options: Any) -> ClockedReplay:
    plan = a_plan(**{key: options.pop(key) for key in ("lateness", "idle", "max_future_ms") if key in options})
    starts = dict.fromkeys(topic.records, 0)
    found = KnownBaselines(given=KNOWN) if known is None else known
    ends = options.pop("ends", {})
    return ClockedReplay(plan, found, judges(plan, **options), starts=starts, ends=ends)


def run(topic: Topic, until: float = FAR, **options: Any) -> tuple[ClockedReplay, list[Verdict]]:
    replay = a_replay(topic, **options)
    for number, records in topic.records.items():
        replay.offer(number, records)
    return replay, replay.finish(round(until * 1000))


def summary_of(replay: ClockedReplay, found: Sequence[Verdict]) -> SummaryLine:
    outcome = Outcome(replay, replay._judges, ["asked"], a_plan())
    outcome.lines(found)
    return outcome.summary(complete=True)


def test_a_window_is_reported_when_every_partition_has_passed_its_end() -> None:
    topic = Topic(2)
    for second in range(0, 25, 2):
        topic.append(second, second, partition=second // 2 % 2)
    _, found = run(topic, until=0)  # no time passes behind the last record
    assert rows(found) == [(0, 5), (10, 5)]


def test_when_all_traffic_stops_the_last_windows_close() -> None:
    topic = Topic(2)
    topic.append(1, 1, 0)
    topic.append(2, 12, 1)
    _, found = run(topic, until=30)
    assert rows(found) == [(0, 1), (10, 1)]


def test_they_do_not_close_before_the_time_of_the_window_itself_has_passed() -> None:
    topic = Topic()
    topic.append(1, 1)
    assert rows(run(topic, until=9.9)[1]) == []  # silent since 5.5, but the window lasts until 10
    assert rows(run(topic, until=10)[1]) == []  # what is known at a tick is of the one before
    assert rows(run(topic, until=10.5)[1]) == [(0, 1)]


def test_a_partition_without_any_record_holds_nobody_back_for_longer_than_it_takes_to_be_idle() -> None:
    topic = Topic(2)
    for second in range(0, 40, 2):
        topic.append(second, second, partition=0)
    _, found = run(topic, until=0)
    assert rows(found) == [(0, 5), (10, 5), (20, 5)]


def test_what_comes_after_its_partition_was_idle_is_late_as_it_was_for_the_workers() -> None:
    topic = Topic()
    topic.append(1, 1)
    topic.append(20, 3)  # the window ended at 10, by the clock
    replay, found = run(topic)
    assert rows(found) == [(0, 1)]
    assert (replay.totals.counted, replay.totals.late) == (1, 1)


def test_a_pause_shorter_than_that_makes_nothing_late() -> None:
    topic = Topic()
    topic.append(7, 1)
    topic.append(10.9, 3)
    replay, found = run(topic)
    assert rows(found) == [(0, 2)]
    assert replay.totals.late == 0


def test_silence_is_seen_at_a_tick_also_where_the_records_behind_it_are_known_already() -> None:
    topic = Topic(2)
    for second in range(0, 60, 2):
        topic.append(second, second, 0)
    topic.append(1, 1, 1)
    topic.append(55, 3, 1)  # 0-10 was closed long ago: by its own clock this partition had passed it
    replay, found = run(topic)
    assert rows(found)[0] == (0, 6)
    assert replay.totals.late == 1


def test_rows_for_a_window_that_the_others_have_closed_are_late_at_the_merge() -> None:
    topic = Topic(2)
    for second in range(0, 60, 2):
        topic.append(second, second, 0)
    topic.append(1, 1, 1)
    topic.append(55, 23, 1)  # its own partition never had the window 20-30
    assert summary_of(*run(topic)).late_at_merge == 1


@pytest.mark.parametrize("seed", range(12))
def test_how_the_records_are_fetched_changes_nothing(seed: int) -> None:
    rng, topic = random.Random(seed), Topic(3)
    clock = 0.0
    for _ in range(300):
        clock += rng.choice([0.05, 0.05, 0.2, 1, 7])
        topic.append(clock, clock + rng.uniform(-15, 2), rng.randrange(3), rng.choice([FIRST, SECOND]))
    _, whole = run(topic, until=clock + 60, lateness=2_000)
    replay, found = a_replay(topic, lateness=2_000), []
    taken = dict.fromkeys(topic.records, 0)
    while any(taken[number] < len(log) for number, log in topic.records.items()):
        number = rng.randrange(3)
        upto = taken[number] + rng.randrange(1, 40)
        replay.offer(number, topic.records[number][taken[number] : upto])
        taken[number] = min(upto, len(topic.records[number]))
        left = [log[taken[n]].timestamp for n, log in topic.records.items() if taken[n] < len(log)]
        found += replay.advance(min(left, default=0))
    found += replay.finish(round((clock + 60) * 1000))
    assert reports(found) == reports(whole)
    summary = summary_of(replay, found)
    assert summary.balanced
    assert summary.read == 300
    tick_by_tick = a_replay(topic, lateness=2_000)
    for number, records in topic.records.items():
        tick_by_tick.offer(number, records)
    one_by_one = [v for tick in range(0, round(clock * 1000) + 60_000, TICK_MS) for v in tick_by_tick.advance(tick)]
    assert reports([*one_by_one, *tick_by_tick.finish(0)]) == reports(whole)
    assert summary_of(tick_by_tick, one_by_one).late_at_merge == summary.late_at_merge


def test_events_are_held_against_the_baseline_of_their_time_when_asked_for() -> None:
    topic = Topic()
    for second in (1, 2, 3, 4):
        topic.append(second, second)
    changes = [Change(2_500, V1, FIRST)]
    strict, _ = run(topic, known=KnownBaselines(changes, strict=True))
    assert (strict.totals.counted, dict(strict.totals.refused)) == (2, {"unknown-version": 2})
    assert run(topic, known=KnownBaselines(changes))[0].totals.counted == 4


def test_an_event_far_ahead_of_its_record_is_refused_as_in_the_stream() -> None:
    topic = Topic()
    topic.append(1, 1)
    topic.append(2, 500)
    replay, _ = run(topic, max_future_ms=300_000)
    assert dict(replay.totals.refused) == {"future": 1}


def test_windows_that_begin_before_the_range_are_left_out_with_their_rows_accounted_for() -> None:
    topic = Topic()
    for second in range(5, 40, 5):
        topic.append(second, second)
    replay, found = run(topic, cut_until=10_000)
    assert rows(found) == [(20, 2), (30, 2)]
    summary = summary_of(replay, found)
    assert (summary.cut_windows, summary.cut_rows, summary.balanced) == (2, 3, True)


def test_when_kept_they_are_marked() -> None:
    topic = Topic()
    for second in range(5, 40, 5):
        topic.append(second, second)
    _, found = run(topic, cut_until=10_000, keep_cut=True)
    assert [(start, verdict.cut) for (start, _), verdict in zip(rows(found), found, strict=True)] == [
        (0, True),
        (10, True),
        (20, False),
        (30, False),
    ]


def test_a_partition_whose_log_goes_on_behind_the_range_does_not_fall_silent_there() -> None:
    topic = Topic(2)
    topic.append(1, 1, 0)
    for second in range(0, 60, 2):
        topic.append(second, second, 1)
    assert rows(run(topic, until=0)[1])[0] == (0, 6)
    _, found = run(topic, until=0, ends={0: 1})
    assert rows(found) == []  # what partition 0 had for these windows behind its first record nobody has read


def test_a_clock_that_goes_back_is_not_followed() -> None:
    topic = Topic()
    for at, time in ((5, 1), (3, 2), (6, 3)):
        topic.append(at, time)
    replay, found = run(topic)
    assert rows(found) == [(0, 3)]
    assert replay.totals.read == 3


class CountingJudges(Judges):
    heard = 0

    def hear(self, partials: Sequence[PartialAggregate], heartbeats: Sequence[Heartbeat]) -> list[Verdict]:
        self.heard += 1
        return super().hear(partials, heartbeats)


def test_months_of_silence_cost_no_ticks() -> None:
    topic, plan = Topic(4), a_plan()
    topic.append(0, 0, 0)
    topic.append(90 * 86_400, 90 * 86_400, 1)
    asked = CountingJudges(plan.judgements, {FIRST.digest: FIRST})
    replay = ClockedReplay(plan, KnownBaselines(given=KNOWN), asked, starts=dict.fromkeys(topic.records, 0), ends={})
    for number, records in topic.records.items():
        replay.offer(number, records)
    assert len(replay.finish(100 * 86_400_000)) == 2
    assert asked.heard < 30
