"""Both stages together, in any order of events, batches, crashes, repeats and heartbeats, against a book kept by hand.

      p0  --o--o-o---x--o-->   stage 1   \\
      p1  ---o-----o---o--->   stage 1    >  window-partials  ->  stage 2  ->  reports
      p2  ----------------->   stage 1   /          x: crashes at any point, of any stage
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.windowing.stand import AGAIN, FIRST, SECOND, a_value, counted_by_hand, counts_of
from tests.unit.stream_app.windowing.world import World

FAR = 1 << 40
numbers = st.integers(0, 2)
shares = st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0])


class Exact(RuleBasedStateMachine):
    """No partition is ever called idle before the end: then every window must be exact."""

    minimum_rows = 1
    republish = False

    def __init__(self) -> None:
        super().__init__()
        self.world = World(3, WindowConfig(100, 30), self.minimum_rows)
        self.clock = 0
        self.sequence = [0, 0, 0]

    @rule(number=numbers, steps=st.lists(st.integers(-250, 180), min_size=1, max_size=12), second=st.booleans())
    def produce(self, number: int, steps: list[int], second: bool) -> None:
        for step in steps:
            time = max(0, self.clock + step)
            self.clock = max(self.clock, time)
            self.sequence[number] += 1
            baseline = SECOND if second else FIRST
            self.world.produce(
                number, a_value(time, sequence=self.sequence[number], baseline=baseline, number=float(time % 170))
            )

    @rule(number=numbers, foreign=st.uuids())
    def produce_foreign(self, number: int, foreign: object) -> None:
        self.world.produce(number, a_value(self.clock, id=f"{foreign}-{len(self.world.logs[number])}"))

    @rule(number=numbers, value=st.sampled_from([None, b"", b"{", b"[]", a_value(5).replace(b"0.25", b"NaN")]))
    def produce_poison(self, number: int, value: bytes | None) -> None:
        self.world.produce(number, value)

    @rule(number=numbers, last=st.integers(1, 8))
    def send_twice(self, number: int, last: int) -> None:
        for record in self.world.logs[number][-last:]:
            self.world.produce(number, record.value)

    @rule(number=numbers, count=st.integers(1, 15))
    def deliver(self, number: int, count: int) -> None:
        self.world.deliver(number, count)

    @rule(number=numbers, kept=shares, back=shares)
    def crash(self, number: int, kept: float, back: float) -> None:
        self.world.crash(number, kept, back)

    @rule(number=numbers, reached=shares, acknowledged=shares)
    def send_due(self, number: int, reached: float, acknowledged: float) -> None:
        self.world.send_due(number, reached, acknowledged)

    @rule(number=numbers)
    def beat(self, number: int) -> None:
        self.world.beat(number, silent=False)

    @rule(count=st.integers(0, 40), close=st.booleans())
    def go_on(self, count: int, close: bool) -> None:
        """What a healthy installation does."""
        self.tick(count, silent=False)
        if close:
            self.world.close()

    def tick(self, count: int, *, silent: bool) -> None:
        for number in range(3):
            self.world.deliver(number, count)
            self.world.send_due(number, 1, 1)
            self.world.beat(number, silent=silent)
        self.world.merge(1 << 30)

    @rule(number=numbers)
    def haunt(self, number: int) -> None:
        self.world.haunt(number)

    @rule(count=st.integers(1, 20))
    def merge(self, count: int) -> None:
        self.world.merge(count)

    @rule()
    def close(self) -> None:
        self.world.close()

    @rule(kept=shares, back=shares)
    def crash_merger(self, kept: float, back: float) -> None:
        self.world.crash_merger(kept, back)

    def teardown(self) -> None:
        self.world.finish(FAR)
        self.check()

    def check(self) -> None:
        world, truths = self.world, [self.world.truth(number) for number in range(3)]
        accounts = world.accounts()
        assert accounts.differences == ()
        for account in accounts.partitions:
            assert (account.late, account.repeats, sum(account.refused.values())) == truths[account.partition][1:]
        expected: Counter[tuple[str, str, int]] = Counter()
        for truth in truths:
            expected.update({window: len(events) for window, events in truth.windows.items()})
        self.check_reports(expected)
        for balance in accounts.versions:
            counted = sum(rows for window, rows in expected.items() if window[:2] == (balance.model, balance.version))
            assert balance.counted == counted == balance.reported_rows + balance.late_rows
            assert balance.open_rows == 0

    def check_reports(self, expected: Counter[tuple[str, str, int]]) -> None:
        world, truths = self.world, [self.world.truth(number) for number in range(3)]
        assert {window: closings[-1].rows for window, closings in world.reports.items()} == expected
        assert all(balance.late_rows == 0 for balance in world.accounts().versions)
        for window, closings in world.reports.items():
            events = [item for truth in truths for item in truth.windows.get(window, [])]
            for closing in closings:  # a repeat says the same
                assert (closing.rows, closing.other_rows, closing.merged_windows) == (len(events), 0, 0)
                assert counts_of(closing.counts) == counted_by_hand(events, closing.baseline)


class Idle(Exact):
    """Partitions go silent and come back: what comes too late for a closed window is in the late rows, once."""

    @rule(number=numbers, ahead=st.integers(-100, 600))
    def idle(self, number: int, ahead: int) -> None:
        self.world.idle(number, self.clock + ahead)

    @rule(number=numbers)
    def silent(self, number: int) -> None:
        self.world.beat(number, silent=True)

    @rule(count=st.integers(0, 40))
    def all_silent(self, count: int) -> None:
        self.tick(count, silent=True)
        self.world.close()

    @rule(number=numbers, steps=st.lists(st.integers(0, 250), min_size=1, max_size=5))
    def wake(self, number: int, steps: list[int]) -> None:
        """Events that are in time for their partition, whatever the others have seen."""
        for step in steps:
            self.sequence[number] += 1
            time = (self.world.partitions[number].watermark or 0) + step
            self.world.produce(number, a_value(time, sequence=self.sequence[number]))

    def check_reports(self, expected: Counter[tuple[str, str, int]]) -> None:
        for window, closings in self.world.reports.items():
            assert 0 < closings[-1].rows <= expected[window]


class Thin(Idle):
    """Windows too small to compare wait for the next: each row is compared at most once, and only among enough."""

    minimum_rows = 12

    def check_reports(self, expected: Counter[tuple[str, str, int]]) -> None:
        super().check_reports(expected)
        compared: Counter[tuple[str, str]] = Counter()
        for (model, version, _), closings in self.world.reports.items():
            closing = closings[-1]
            assert closing.sufficient == (closing.counts.rows >= self.minimum_rows)
            assert (
                closing.sufficient
                or closing.window_start in self.world.merger.version(model, version).thin
                or any(
                    later.sufficient
                    for (*other, start), (*_, later) in self.world.reports.items()
                    if other == [model, version] and start > closing.window_start
                )
            )
            compared[model, version] += closing.counts.rows * closing.sufficient
        for balance in self.world.accounts().versions:
            thin = self.world.merger.version(balance.model, balance.version).thin
            waiting = sum(self.world.reports[balance.model, balance.version, start][-1].rows for start in thin)
            assert compared[balance.model, balance.version] + waiting == balance.reported_rows


class Republished(Exact):
    """The baseline changes at any time: no row is lost, and none is compared with bins it was not counted in."""

    @rule(again=st.booleans())
    def publish(self, again: bool) -> None:
        self.world.current = AGAIN if again else FIRST

    def check_reports(self, expected: Counter[tuple[str, str, int]]) -> None:
        assert {window: closings[-1].rows for window, closings in self.world.reports.items()} == expected
        for closings in self.world.reports.values():
            for closing in closings:
                assert closing.rows == closing.counts.rows + closing.other_rows
                assert {sum(counts) for counts in counts_of(closing.counts)} == {closing.counts.rows}


for machine in (Exact, Idle, Thin, Republished):
    machine.TestCase.settings = settings(
        max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
TestWindowsAreExact = Exact.TestCase
TestIdlePartitionsLoseNothing = Idle.TestCase
TestThinWindowsAreComparedOnce = Thin.TestCase
TestABaselinePublishedAgainLosesNothing = Republished.TestCase
