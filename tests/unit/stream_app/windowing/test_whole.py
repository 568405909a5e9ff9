"""Both stages together, in any order of events, batches, crashes, repeats and heartbeats, against a brute-force model.

      p0  --o--o-o---x--o-->   stage 1   \\
      p1  ---o-----o---o--->   stage 1    >  window-partials  ->  stage 2  ->  reports
      p2  ----------------->   stage 1   /          x: a worker is killed, or frozen and goes on later as a zombie

Windows of 10 s to 7 days, before 1970, around the nights when clocks change, in any zone; lateness 0 and more.
TIDEMARK_EXAMPLES=2000 runs so many examples of each (40 without): `TIDEMARK_EXAMPLES=2000 pytest -k test_whole`.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from contracts.baseline import Baseline
from stream_app.windowing.closing import Closing
from tests.builders import an_event_id
from tests.unit.stream_app.windowing import naive
from tests.unit.stream_app.windowing.naive import Book, Row, Rules, Value, Window
from tests.unit.stream_app.windowing.stand import (
    AGAIN,
    FIRST,
    OTHER,
    SECOND,
    tallies_by_hand,
    tallies_of,
    wire,
)
from tests.unit.stream_app.windowing.world import ALL_OF_IT, Settings, World

SECONDS, HOUR, DAY = 1000, 3_600_000, 24 * 3_600_000
ZONES: list[tzinfo] = [
    UTC,
    ZoneInfo("Europe/Berlin"),
    ZoneInfo("America/New_York"),
    timezone(timedelta(hours=5, minutes=45)),
]
ORIGINS = [
    round(datetime(*moment, tzinfo=UTC).timestamp()) * 1000
    for moment in (
        (1969, 12, 31, 23, 59, 50),
        (1955, 6, 1),
        (2026, 10, 25, 0, 59),  # an hour before clocks go back in Berlin
        (2026, 3, 8, 6, 59),  # a minute before they go forward in New York
        (2028, 2, 29, 23, 59, 59),
    )
]
BASELINES = {"first": FIRST, "second": SECOND, "other": OTHER}
POISON = {None: "malformed", b"": "malformed", b"{": "malformed", b"[]": "malformed", b'{"id": NaN}': "non-finite"}

numbers = st.integers(0, 2)
shares = st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0])
steps_of_time = st.lists(
    st.integers(-250, 290) | st.sampled_from(["start of a window", "end of a window"]), min_size=1, max_size=12
)
values = st.sampled_from([None, 0.0, -0.0, 85.5, 100.0, 117.25, 1e300, -5e-324])


class Exact(RuleBasedStateMachine):
    """No partition is ever called idle before the end: then every window must be exact."""

    minimum_rows = 1

    @initialize(
        size=st.sampled_from([10 * SECONDS, 60 * SECONDS, HOUR, DAY, 7 * DAY]),
        lateness=st.sampled_from([0, 0.3, 1.5]),
        origin=st.sampled_from(ORIGINS),
    )
    def build(self, size: int, lateness: float, origin: int) -> None:
        rules = Rules(size, round(lateness * size), future=3 * size, age=20 * size)
        self.world = World(Settings(rules, self.minimum_rows))
        self.clock = origin
        self.epochs, self.sequences = [1, 1], [0, 0]

    # ---- what is produced
    @rule(
        number=numbers,
        steps=steps_of_time,
        source=st.integers(0, 1),
        kind=st.sampled_from(["first", "first", "second", "other"]),
        zone=st.sampled_from(ZONES),
        micros=st.sampled_from([0, 0, 999]),
        value=values,
    )
    def produce(
        self, number: int, steps: list[Any], source: int, kind: str, zone: tzinfo, micros: int, value: Value
    ) -> None:
        for step in steps:
            self.sequences[source] += 1
            id_ = an_event_id(self.sequences[source], source=f"api.{source}", epoch=self.epochs[source])
            time = self.clock + step * self.size // 100 if isinstance(step, int) else self.edge(step)
            self.send(number, a_row(id_, time, BASELINES[kind], value), zone, micros)

    def edge(self, which: str) -> int:
        start = self.clock - self.clock % self.size
        return start if which.startswith("start") else start + self.size - 1

    def send(self, number: int, row: Row, zone: tzinfo = UTC, micros: int = 0) -> None:
        row = row._replace(stamp=self.clock)
        self.world.produce(number, row, wire(row, zone=zone, micros=micros))
        self.clock = max(self.clock, row.time)

    @property
    def size(self) -> int:
        return self.world.rules.size

    @rule(number=numbers, foreign=st.uuids(), twice=st.booleans())
    def produce_foreign(self, number: int, foreign: object, twice: bool) -> None:
        for _ in range(1 + twice):
            self.send(number, a_row(str(foreign), self.clock, FIRST, 1.0)._replace(numbered=False))

    @rule(number=numbers, value=st.sampled_from(list(POISON)))
    def produce_poison(self, number: int, value: bytes | None) -> None:
        self.world.produce(number, Row(broken=POISON[value], stamp=self.clock), value)

    @rule(number=numbers)
    def produce_of_nobody(self, number: int) -> None:
        row = a_row("x", self.clock, FIRST, 1.0)._replace(version="9", stamp=self.clock)
        self.world.produce(number, row._replace(broken="unknown-version"), wire(row))

    @rule(number=numbers, ahead=st.booleans(), years=st.integers(5, 50))
    def produce_with_a_wrong_clock(self, number: int, ahead: bool, years: int) -> None:
        time = self.clock + (years if ahead else -years) * 366 * DAY
        row = a_row(f"wrong clock {time}", time, FIRST, 1.0)._replace(numbered=False, stamp=self.clock)
        self.world.produce(number, row, wire(row))

    @rule(source=st.integers(0, 1), last=st.integers(0, 8))
    def an_api_restarts_and_sends_a_stretch_twice(self, source: int, last: int) -> None:
        mine = f"api.{source}-{self.epochs[source]:012x}-"
        for number in self.world.numbers:
            sent = zip(self.world.rows[number], self.world.logs[number], strict=True)
            stretch = [(row, record.value) for row, record in sent if row.id.startswith(mine)]
            for row, value in stretch[max(0, len(stretch) - last) :]:
                self.world.produce(number, row._replace(stamp=self.clock), value)
        self.epochs[source] += 1
        self.sequences[source] = 0

    # ---- what the workers do, and what is done to them
    @rule(number=numbers, count=st.integers(1, 15))
    def deliver(self, number: int, count: int) -> None:
        self.world.deliver(number, count)

    @rule(number=numbers, share=shares)
    def writes_arrive(self, number: int, share: float) -> None:
        self.world.owners[number].buffer.flush(share)

    @rule(number=numbers)
    def compact(self, number: int) -> None:
        self.world.states[number].compact()

    @rule()
    def compact_merged(self) -> None:
        self.world.merged.compact()

    @rule(number=numbers, arrived=shares, back=shares, killed=st.booleans())
    def change_owner(self, number: int, arrived: float, back: float, killed: bool) -> None:
        self.world.change_owner(number, arrived, back, killed=killed)

    @rule(number=numbers, reached=shares, acknowledged=shares)
    def send_due(self, number: int, reached: float, acknowledged: float) -> None:
        self.world.send_due(number, reached, acknowledged)

    @rule(number=numbers)
    def beat(self, number: int) -> None:
        self.world.beat(number, silent=False)

    @rule(count=st.integers(0, 40), reached=shares, acknowledged=shares, close=st.booleans())
    def go_on(self, count: int, reached: float, acknowledged: float, close: bool) -> None:
        """What a healthy installation does; perhaps not all partials are on their way yet."""
        self.tick(count, reached, acknowledged, silent=False)
        if close:
            self.world.close()

    def tick(self, count: int, reached: float, acknowledged: float, *, silent: bool, merge: bool = True) -> None:
        for number in self.world.numbers:
            self.world.deliver(number, count)
            self.world.send_due(number, reached, acknowledged)
            self.world.beat(number, silent=silent)
        if silent:  # that all traffic has ended takes two words of every partition behind the last counts
            for number in [*self.world.numbers, *self.world.numbers]:
                self.world.beat(number, silent=silent)
        if merge:
            self.world.merge(ALL_OF_IT)

    @rule(
        number=numbers,
        steps=st.lists(st.integers(-100, 100), min_size=6, max_size=14),
        first=st.integers(1, 6),
        second=st.integers(1, 6),
        third=st.integers(0, 2),
        arrived=st.tuples(shares, shares),
        compacted=st.booleans(),
    )
    def a_worker_freezes_and_its_writes_arrive_behind_its_successors(
        self,
        number: int,
        steps: list[int],
        first: int,
        second: int,
        third: int,
        arrived: tuple[float, float],
        compacted: bool,
    ) -> None:
        world = self.world
        self.produce(number, steps, 0, "first", UTC, 0, 1.0)
        world.deliver(number, first)
        world.change_owner(number, arrived[0], 1.0, killed=False)
        world.deliver(number, second)
        world.owners[number].buffer.flush()
        world.haunt(number, 0, arrived[1], 1.0)
        world.deliver(number, third)
        if compacted:
            world.owners[number].buffer.flush()
            world.states[number].compact()
        world.change_owner(number, 1.0, 1.0, killed=True)

    @rule(number=numbers, count=st.integers(0, 15), arrived=shares, acknowledged=shares)
    def haunt(self, number: int, count: int, arrived: float, acknowledged: float) -> None:
        self.world.haunt(number, count, arrived, acknowledged)

    @rule(count=st.integers(1, 20))
    def merge(self, count: int) -> None:
        self.world.merge(count)

    @rule()
    def close(self) -> None:
        self.world.close()

    @rule(share=shares)
    def merged_writes_arrive(self, share: float) -> None:
        self.world.merge_owner.buffer.flush(share)

    @rule(arrived=shares, back=shares, killed=st.booleans())
    def change_merge_owner(self, arrived: float, back: float, killed: bool) -> None:
        self.world.change_merge_owner(arrived, back, killed=killed)

    @rule(count=st.integers(0, 20), arrived=shares)
    def haunt_merger(self, count: int, arrived: float) -> None:
        self.world.haunt_merger(count, arrived)

    # ---- what must come of it
    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.finish(self.clock + 100 * self.size)
            self.check([self.world.book(number) for number in self.world.numbers])

    def check(self, books: list[Book]) -> None:
        accounts = self.world.accounts()
        assert accounts.balanced, accounts
        for account in accounts.partitions:
            made = books[account.partition]
            assert account.refused == made.refused
            assert (account.late, account.repeats) == (made.late.total(), made.repeats.total())
        rows: dict[Window, list[Row]] = {}
        for made in books:
            for window, more in made.windows.items():
                rows.setdefault(window, []).extend(more)
        for balance in accounts.versions:
            version = balance.model, balance.version
            counted = sum(len(more) for window, more in rows.items() if window[:2] == version)
            assert balance.counted == counted == balance.reported_rows + balance.late_rows
            assert balance.late == sum(made.late[version] for made in books)
            assert balance.repeats == sum(made.repeats[version] for made in books)
            assert balance.open_rows == 0
        self.check_reports(rows)

    def check_reports(self, rows: dict[Window, list[Row]]) -> None:
        assert set(self.world.reports) == set(rows)
        assert all(balance.late_rows == 0 for balance in self.world.accounts().versions)
        for window, closings in self.world.reports.items():
            for closing in closings:  # a repeat says the same
                self.check_report(closing, rows[window])

    def check_report(self, closing: Closing, rows: list[Row]) -> None:
        assert closing.window_end - closing.window_start == self.size
        assert (closing.rows, closing.other_rows, closing.merged_windows) == (len(rows), 0, 0)
        assert tallies_of(closing.counts) == tallies_by_hand(rows, closing.baseline)
        decided = [row.decision for row in rows if row.decision is not None]
        assert (closing.counts.decided, closing.counts.positives) == (len(decided), sum(decided))
        assert closing.shadow_rows == sum(row.role == "shadow" for row in rows)


def a_row(id_: str, time: int, baseline: Baseline, value: Value) -> Row:
    """Its features vary with its time and with `value`."""
    turn = time // 7 % 5
    words: list[Value] = ["a", "b", "never seen", None, "c"]
    features: dict[str, Value] = {}
    for i, feature in enumerate(baseline.schema.features):
        if feature.kind == "numeric":
            features[feature.name] = value if i == 0 else 90.0 + 4.0 * turn
        elif feature.kind == "boolean":
            features[feature.name] = [True, False, None][turn % 3]
        else:
            features[feature.name] = words[(turn + i) % 5]
    decision, role = [True, False, None][turn % 3], ["champion", "shadow", "canary"][time % 3]
    named = id_, True, time, 0, baseline.model, baseline.version
    return Row(*named, score=turn / 5, decision=decision, role=role, features=features)


def said(closing: Closing) -> tuple[object, ...]:
    """What the report of it says."""
    return (
        *(closing.rows, closing.shadow_rows, closing.other_rows, closing.merged_windows, closing.sufficient),
        *(str(tallies_of(closing.counts)), str(sorted(closing.partitions.items()))),
    )


class Idle(Exact):
    """Partitions go silent and come back: what comes too late for a closed window is in the late rows, once."""

    @rule(number=numbers, ahead=st.integers(-100, 600) | st.sampled_from([-1 << 30, 1 << 30]))
    def idle(self, number: int, ahead: int) -> None:
        """Only here the wall clock counts; it may have jumped."""
        self.world.idle(number, self.clock + ahead * self.size // 100)

    @rule(number=numbers)
    def silent(self, number: int) -> None:
        self.world.beat(number, silent=True)

    @rule(count=st.integers(0, 40))
    def all_silent(self, count: int) -> None:
        self.tick(count, 1.0, 1.0, silent=True)
        self.world.close()

    @rule(number=numbers, steps=st.lists(st.integers(0, 250), min_size=1, max_size=5))
    def wake(self, number: int, steps: list[int]) -> None:
        """Events that are in time for their partition, whatever the others have seen."""
        for step in steps:
            watermark = self.world.owners[number].partition.watermark
            time = (self.clock if watermark is None else watermark) + step * self.size // 100
            self.send(number, a_row(f"wake {time}", time, FIRST, 1.0)._replace(numbered=False))

    @rule(
        number=numbers,
        steps=st.lists(st.integers(-150, 150), min_size=2, max_size=6),
        late=st.lists(st.integers(-150, 0), min_size=1, max_size=3),
        arrived=shares,
    )
    def a_merger_freezes_and_closes_windows_of_which_its_successor_had_late_parts(
        self, number: int, steps: list[int], late: list[int], arrived: float
    ) -> None:
        world, other = self.world, (number + 1) % 3
        self.produce(number, steps, 0, "first", UTC, 0, 1.0)
        self.tick(20, 1.0, 1.0, silent=False)
        world.change_merge_owner(1.0, 1.0, killed=False)
        fetched = len(world.topic)  # all that a frozen worker goes on with when it wakes
        self.idle(number, 200)
        self.all_silent(20)
        self.produce(other, late, 0, "first", UTC, 0, 1.0)
        world.deliver(other, 20)
        self.idle(other, 200)
        self.tick(20, 1.0, 1.0, silent=True)
        world.merge_owner.buffer.flush()
        if world.merge_zombie:
            world.haunt_merger(max(0, fetched - world.merge_zombie.position), arrived)
        world.change_merge_owner(1.0, 1.0, killed=True)

    @rule(
        number=numbers,
        steps=st.lists(st.integers(100, 200), min_size=1, max_size=14),
        early=st.lists(st.integers(0, 90), min_size=1, max_size=3),
        reported=st.integers(1, 2),
    )
    def a_merger_is_killed_between_a_report_and_its_close_and_a_part_of_an_earlier_window_comes(
        self, number: int, steps: list[int], early: list[int], reported: int
    ) -> None:
        world, other, began = self.world, (number + 1) % 3, self.clock
        for asleep in world.numbers:
            world.deliver(asleep, ALL_OF_IT)
        self.produce(number, steps[:1], 0, "first", UTC, 0, 1.0)
        for step in steps[1:]:
            time = began + step * self.size // 100
            self.send(number, a_row(f"report {time}", time, FIRST, 1.0)._replace(numbered=False))
        world.deliver(number, ALL_OF_IT)
        self.idle(number, 200)
        self.tick(0, 1.0, 1.0, silent=True)
        world.close(killed_at=reported)
        for step in sorted(early):
            time = began + step * self.size // 100
            self.send(other, a_row(f"early {time}", time, FIRST, 1.0)._replace(numbered=False))
        world.deliver(other, ALL_OF_IT)
        self.idle(other, 300)
        self.tick(0, 1.0, 1.0, silent=True)
        world.close()

    def check_reports(self, rows: dict[Window, list[Row]]) -> None:
        for window, closings in self.world.reports.items():
            assert all(0 < closing.rows <= len(rows[window]) for closing in closings)
        for closings in self.world.told.values():  # who lost the partition and does not know it says what it has
            assert len({said(closing) for closing in closings}) == 1


class Punctual(Exact):
    """No event is later than is allowed, by a clock that all share, and no clock jumps: then nothing is late, whoever
    was idle, whenever that was found out and said, and however many have woken up at once.

    Nobody who lost a source partition goes on here: what Idle is for.
    """

    produce = change_owner = haunt = None  # type: ignore[assignment]
    a_worker_freezes_and_its_writes_arrive_behind_its_successors = None  # type: ignore[assignment]

    @rule(share=st.integers(1, 300))
    def time_passes(self, share: int) -> None:
        self.clock += share * self.size // 100

    @rule(which=st.sets(numbers, min_size=1), late=st.floats(0, 1))
    def burst(self, which: set[int], late: float) -> None:
        for number in which:
            time = self.clock - round(late * self.world.rules.lateness)
            row = a_row(f"burst {number} {len(self.world.rows[number])}", time, FIRST, 1.0)
            self.send(number, row._replace(numbered=False))

    @rule(number=numbers)
    def look(self, number: int) -> None:
        """Time passes where nothing waits; what is found is said later."""
        if self.world.owners[number].meant is None:
            self.world.idle(number, self.clock)
            self.world.send_due(number, 1.0, 1.0)
            self.world.look(number, silent=True)

    @rule(number=numbers)
    def say(self, number: int) -> None:
        self.world.say(self.world.owners[number])

    @rule(rounds=st.integers(1, 3))
    def all_look(self, rounds: int) -> None:
        """Whoever has something to say says it first."""
        for _ in range(rounds):
            for number in self.world.numbers:
                self.say(number)
                self.deliver(number, ALL_OF_IT)
                self.look(number)
                self.say(number)
        self.world.merge(ALL_OF_IT)
        self.world.close()

    @rule(number=numbers, share=st.integers(0, 300), idle=st.booleans())
    def all_have_events_and_one_says_late_that_it_had_none(self, number: int, share: int, idle: bool) -> None:
        """The others go on, or are idle again, before that word is heard."""
        world, others = self.world, {*self.world.numbers} - {number}
        self.all_look(2)
        self.look(number)
        self.burst({number, *others}, 0)
        self.time_passes(share + 1)
        if not idle:
            self.burst(others, 0)
        for other in [*others, *others, *others]:
            world.deliver(other, ALL_OF_IT)
            self.look(other)
            self.say(other)
        self.say(number)
        world.merge(ALL_OF_IT)
        world.close()

    @rule(number=numbers, count=st.integers(1, 15))
    def deliver(self, number: int, count: int) -> None:
        """A worker speaks for a partition, and counts in it, one after the other."""
        if self.world.owners[number].meant is None:
            self.world.deliver(number, count)

    @rule(number=numbers)
    def beat(self, number: int) -> None:
        if self.world.owners[number].meant is None:
            self.world.send_due(number, 1.0, 1.0)
            self.world.beat(number, silent=False)

    @rule(number=numbers, arrived=shares, back=shares)
    def a_worker_is_killed(self, number: int, arrived: float, back: float) -> None:
        self.world.change_owner(number, arrived, back, killed=True)


class Thin(Idle):
    """Windows too small to compare wait for the next: each row is compared at most once, and only among enough."""

    minimum_rows = 12

    def check_reports(self, rows: dict[Window, list[Row]]) -> None:
        super().check_reports(rows)
        world, compared = self.world, Counter[tuple[str, str]]()
        # by whoever owned the partition: the accounts are his; what a former owner says later is dropped
        reports = {window: closings[-1] for window, closings in world.reports.items()}
        reports |= {window: closings[-1] for (ghost, window), closings in sorted(world.told.items()) if ghost % 2 == 0}
        for (model, version, start), closing in reports.items():
            assert closing.sufficient == (closing.counts.rows >= self.minimum_rows)
            assert (
                closing.sufficient
                or start in world.merge_owner.merger.version(model, version).thin
                or any(
                    later.sufficient
                    for (*other, after), later in reports.items()
                    if other == [model, version] and after > start
                )
            )
            compared[model, version] += closing.counts.rows * closing.sufficient
        for balance in world.accounts().versions:
            thin = world.merge_owner.merger.version(balance.model, balance.version).thin
            waiting = sum(reports[balance.model, balance.version, start].rows for start in thin)
            assert compared[balance.model, balance.version] + waiting == balance.reported_rows


class Republished(Exact):
    """The baseline changes at any time: no row is lost, and none is compared with bins it was not counted in."""

    @rule(again=st.booleans())
    def publish(self, again: bool) -> None:
        self.world.current = AGAIN if again else FIRST

    def check_report(self, closing: Closing, rows: list[Row]) -> None:
        assert closing.rows == len(rows) == closing.counts.rows + closing.other_rows
        assert {sum(tally.counts) + tally.missing for tally in tallies_of(closing.counts)} == {closing.counts.rows}


for machine in (Exact, Idle, Punctual, Thin, Republished):
    machine.TestCase.settings = settings(
        max_examples=int(os.environ.get("TIDEMARK_EXAMPLES", "40")),
        stateful_step_count=40,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
TestWindowsAreExact = Exact.TestCase
TestIdlePartitionsLoseNothing = Idle.TestCase
TestPunctualEventsAreNeverLate = Punctual.TestCase
TestThinWindowsAreComparedOnce = Thin.TestCase
TestABaselinePublishedAgainLosesNothing = Republished.TestCase


def test_the_rule_of_a_merger_killed_behind_a_report_reaches_a_thin_window_before_it() -> None:
    machine = Thin()
    machine.build(size=10 * SECONDS, lateness=0, origin=ORIGINS[0] - ORIGINS[0] % (10 * SECONDS))
    machine.a_merger_is_killed_between_a_report_and_its_close_and_a_part_of_an_earlier_window_comes(
        number=0, steps=[100, *range(101, 115)], early=[10], reported=1
    )
    machine.teardown()
    assert sorted(len(told) for told in machine.world.told.values()) == [2]


def test_a_former_merger_that_says_a_thin_window_anew_changes_no_account() -> None:
    machine = Thin()
    machine.build(size=10 * SECONDS, lateness=0, origin=-10 * SECONDS)
    comes = machine.a_merger_is_killed_between_a_report_and_its_close_and_a_part_of_an_earlier_window_comes
    comes(number=0, steps=[111], early=[0], reported=1)
    comes(number=0, steps=[144], early=[0], reported=1)
    machine.change_merge_owner(arrived=0.0, back=0.0, killed=False)
    machine.close()
    comes(number=0, steps=[100], early=[45], reported=2)
    machine.haunt_merger(count=18, arrived=0.0)
    machine.teardown()


@pytest.mark.parametrize("idle", [False, True])
def test_a_word_that_is_heard_late_closes_no_window_of_events_that_came_behind_it(idle: bool) -> None:
    machine = Punctual()
    machine.build(size=10 * SECONDS, lateness=0, origin=-10 * SECONDS)
    machine.all_have_events_and_one_says_late_that_it_had_none(number=0, share=150, idle=idle)
    machine.teardown()


def test_a_part_that_a_successor_took_in_while_its_window_was_closed_without_it_is_late_and_not_lost() -> None:
    #   topic   part of p0 | idle words | part of p1       one merger has read the first part when it freezes, its
    #   frozen        read ^ and behind its successor      successor all, with words that are of before its state;
    #   successor                              read ^      then the frozen one closes without what it never saw
    machine = Idle()
    machine.build(size=10 * SECONDS, lateness=0, origin=-10 * SECONDS)
    world = machine.world
    machine.produce(0, [0, 0], 0, "first", UTC, 0, None)
    world.deliver(0, 2)
    machine.idle(0, 200)
    world.send_due(0, 1.0, 1.0)
    world.merge(1)
    machine.tick(0, 1.0, 1.0, silent=True, merge=False)
    fetched = len(world.topic) - 1
    world.change_merge_owner(1.0, 1.0, killed=False)
    machine.produce(1, [0], 1, "first", UTC, 0, None)
    world.deliver(1, 1)
    machine.idle(1, 300)
    world.send_due(1, 1.0, 1.0)
    world.merge(ALL_OF_IT)
    world.merge_owner.buffer.flush()
    world.haunt_merger(fetched, 1.0)
    assert [closing.rows for closings in world.reports.values() for closing in closings] == [2]
    world.change_merge_owner(1.0, 1.0, killed=True)
    machine.teardown()
    assert [version.late_rows for version in world.accounts().versions] == [1]


def test_the_model_shares_no_code_with_what_it_judges() -> None:
    tree = ast.parse(inspect.getsource(naive))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))
    assert set(imported) == {"__future__", "bisect", "collections", "collections.abc", "typing"}
