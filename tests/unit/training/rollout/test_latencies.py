"""Latency is compared between requests of the same moment: a busy machine ends no rollout, a slow version its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from contracts.events import EventIds, Role
from contracts.rollout import Rollout
from tests.builders import NOON, NOON_MS, an_event
from tests.rollouts import ConstantScorer, RollingDesk, a_rollout
from training.rollout.evidence import Observed
from training.rollout.latencies import Latencies, Moment, Pace
from training.rollout.policy import Limits, Steps, decide
from training.rollout.watched import Watched

Answer = tuple[str, bool, float, int]
"""As Latencies.add takes it."""


def put_out(latencies: Latencies, share: float = 25) -> bool:
    canary = Rollout(version="2", stage="canary", since=NOON, share=share)
    return decide(canary, Observed(), Observed(), 1, Steps(), Limits(), paces=latencies.paces).kind == "end"


def of(answers: list[Answer]) -> Latencies:
    found = Latencies()
    for answer in answers:
        found.add(*answer)
    return found


class Machine:
    """An api on a machine whose load swings, up to sixfold, every few seconds. slower: the canary, so many times."""

    def __init__(self, seed: int, *, share: float = 0.25, slower: float = 1.0) -> None:
        self.draw, self.share, self.slower = random.Random(seed), share, slower
        self.single, self.row = EventIds("api.00", NOON_MS), EventIds("api.00.b", NOON_MS)
        self._swings: dict[int, float] = {}

    def requests(self, seconds: int, every: float) -> Iterator[Answer]:
        """Single ones."""
        for i in range(round(seconds / every)):
            at, canary = round(1000 * i * every), self.draw.random() < self.share
            yield self.single.next(), canary, self._took(at, canary), NOON_MS + at

    def batch(self, at: int, rows: int) -> Iterator[Answer]:
        """As the api scores it, 250 rows at a time; `at` in milliseconds."""
        waited = 0.0
        for start in range(0, rows, 250):
            part = min(250, rows - start)
            chosen = sum(self.draw.random() < self.share for _ in range(part))
            own, its = self._took(at, False), self._took(at, True)
            for canary, count, took in ((False, part - chosen, own), (True, chosen, its)):
                for _ in range(count):
                    yield self.row.next(), canary, waited + took, NOON_MS + at
            waited += own + its

    def _took(self, at: int, canary: bool) -> float:
        load = self._swings.setdefault(at // 5000, self.draw.uniform(1, 6))
        return 4 * load * self.draw.uniform(0.7, 1.4) * (self.slower if canary else 1)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 1.0])
def test_a_batch_job_of_three_batches_on_a_busy_machine_puts_nothing_out(share: float) -> None:
    """However its three latencies fall: 250 rows of a batch are one of them."""
    for seed in range(5):
        machine = Machine(seed, share=share)
        answers = [answer for at in (0, 7_000, 14_000) for answer in machine.batch(at, 250)]
        slow = [(id_, canary, latency * (20 if canary else 1), at) for id_, canary, latency, at in answers]
        assert not put_out(of(answers))
        assert not put_out(of(slow))


@pytest.mark.parametrize("rows", [1, 20, 1_500])
def test_a_canary_as_quick_as_the_champion_goes_on_whatever_the_batches_and_the_load(rows: int) -> None:
    for seed in range(4):
        machine = Machine(seed)
        answers = [answer for i in range(150 if rows < 1_500 else 30) for answer in machine.batch(i * 2_000, rows)]
        assert not put_out(of(answers))


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
@pytest.mark.parametrize("every", [0.02, 1.0])
def test_a_canary_as_quick_as_the_champion_goes_on_with_single_requests(share: float, every: float) -> None:
    for seed in range(4):
        latencies, ended = Latencies(), False
        for i, answer in enumerate(Machine(seed, share=share).requests(180 if every < 1 else 3000, every)):
            latencies.add(*answer)
            ended = ended or (i % 50 == 0 and put_out(latencies))
        assert not ended


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_a_canary_that_takes_three_times_as_long_is_put_out_by_single_requests(share: float) -> None:
    for seed in range(3):
        answers = list(Machine(seed, share=share, slower=3).requests(600, 0.2))
        assert put_out(of(answers))
        random.Random(seed).shuffle(answers)  # from several partitions
        assert put_out(of(answers))


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_a_canary_that_takes_three_times_as_long_is_put_out_by_many_batches(share: float) -> None:
    for seed in range(2):
        machine = Machine(seed, share=share, slower=3)
        answers = [answer for i in range(150) for answer in machine.batch(i * 2_000, 120)]
        assert put_out(of(answers))
        random.Random(seed).shuffle(answers)
        assert put_out(of(answers))


def test_what_the_champion_took_at_other_moments_says_nothing() -> None:
    """It was quiet; then the share became 100 %, or the canary's entities came, and the machine was busy."""
    before = [(f"a-{i}", False, 1.0, NOON_MS + 100 * i) for i in range(3000)]
    busy = [(f"b-{i}", True, 40.0, NOON_MS + 300_000 + 100 * i) for i in range(3000)]
    assert not put_out(of(before + busy), share=100)
    assert put_out(of([*before, *((id_, canary, latency, at - 300_000) for id_, canary, latency, at in busy)]))


def test_large_batches_which_a_canary_always_meets_are_not_compared_with_small_ones() -> None:
    for seed in range(3):
        machine = Machine(seed, share=0.05)
        answers = list[Answer]()
        for i in range(400):
            scale, rows = (20, 250) if i % 3 == 0 else (1, 4)
            one = machine.batch(i * 1000, rows)
            answers += [(id_, canary, scale * latency, at) for id_, canary, latency, at in one]
        assert not put_out(of(answers))


def test_one_busy_moment_is_one_word_however_many_its_answers() -> None:
    crowded = Pace("single requests", [Moment(5_000, 5_000, 40.0, 2.0)] * 3)
    canary, seen = Rollout(version="2", stage="canary", since=NOON, share=25), (Observed(), Observed())
    assert decide(canary, *seen, 1, Steps(), Limits(), paces=(crowded,)).kind == "hold"
    longer = crowded._replace(moments=[*crowded.moments, *crowded.moments])
    assert decide(canary, *seen, 1, Steps(), Limits(), paces=(longer,)).kind == "end"


@pytest.mark.parametrize(("challenger", "champion"), [(9, 900), (900, 9)])
def test_a_latency_is_judged_by_enough_answers_of_both(challenger: int, champion: int) -> None:
    few = Pace("batches", [Moment(challenger, champion, 40.0, 2.0)] * 10)
    canary = Rollout(version="2", stage="canary", since=NOON, share=25)
    assert decide(canary, Observed(), Observed(), 1, Steps(), Limits(), paces=(few,)).kind == "hold"


@pytest.mark.parametrize("latency", [0.0, 0.02, 0.5, 7.0, 900.0])
def test_the_median_of_a_moment_is_right_to_a_tenth(latency: float) -> None:
    draw = random.Random(0)
    answers = [(f"x{i}", i % 2 == 0, latency * draw.uniform(0.8, 1.2), NOON_MS) for i in range(600)]
    (moment,) = of(answers).paces[0].moments
    assert (moment.challenger, moment.champion) == (300, 300)
    assert moment.challenger_ms == pytest.approx(max(latency, 0.0109), rel=0.1)


def test_only_the_newest_moments_are_kept_in_whatever_order_they_come() -> None:
    moments = [(f"x{i}", canary, 1.0 + i, NOON_MS + i * 10_000) for i in range(1500) for canary in (True, False)]
    kept = of(moments).paces[0].moments
    assert len(kept) == 1000
    assert sorted(of(moments[::-1]).paces[0].moments) == sorted(kept)


async def test_each_part_of_a_batch_that_both_versions_answered_counts_once(tmp_path: Path) -> None:
    """The api's own events: 20 rows, three of them scored at a time."""
    desk = RollingDesk(tmp_path, a_rollout(share=50), ConstantScorer())
    committed = await desk.ask_many(range(20), [f"N{number}" for number in range(20)])
    roles = [[event.role for event in committed[start : start + 3]] for start in range(0, 20, 3)]
    found = Watched("flights", "1", a_rollout(share=50))
    for event in committed:
        found.add_event(msgspec.structs.replace(event, latency_ms=1.0), NOON_MS)
    singles, batches = found.latencies.paces
    assert not singles.moments
    both = sum(len(set(part)) == 2 for part in roles)
    assert [(one.challenger, one.champion) for one in batches.moments] == [(both, both)]
    assert both < len(roles)


def test_a_step_compares_latencies_of_its_own_time_only() -> None:
    later = Rollout(version="2", stage="canary", since=NOON + timedelta(hours=1), share=100)
    found = Watched("flights", "1", a_rollout(share=50))
    roles: list[tuple[str, Role]] = [("1", "champion"), ("2", "canary")]
    for i in range(300):
        for version, role in roles:
            found.add_event(an_event(sequence=i, model_version=version, role=role), NOON_MS)
    assert found.latencies.paces[0].moments
    found.begin(later)
    found.add_event(an_event(sequence=300), NOON_MS)
    found.add_event(an_event(sequence=301, model_version="2", role="canary"), NOON_MS + 3_600_000)
    assert not found.latencies.paces[0].moments
