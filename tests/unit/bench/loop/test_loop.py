"""The parts of `bench loop` on a few rows."""

from __future__ import annotations

from copy import copy

import pandas as pd
import pytest

from bench.benchmark import BenchError, Options
from bench.loop.quiet import Champion, quiet_run
from bench.loop.run import LOOP
from bench.loop.seeds import Closed, closed
from demo.datasets.dataset import Episode, SecondAct
from demo.datasets.payments import Payments, World, payments
from demo.scenario import Plan


class Few(Payments):
    """Payments, fewer of them. concept: how far fraud has turned in the second act."""

    def __init__(self, concept: float = 1.0) -> None:
        self._concept = concept

    @property
    def episodes(self) -> tuple[Episode, ...]:
        return ()

    def reference(self, seed: int) -> pd.DataFrame:
        return payments(12_000, [seed, 0])

    def quiet(self, seed: int) -> pd.DataFrame:
        return payments(4_000, [seed, 1])

    def second_act(self, seed: int) -> SecondAct:
        rows = payments(16_000, [seed, 3], World(concept=self._concept))
        return SecondAct("few", "few rows", rows, 2_000, 5, (), base=False)


def test_a_world_that_has_turned_is_worth_a_retraining() -> None:
    found = closed(Few(), 3)
    assert found.later_rows == 4_000
    assert found.auc_after > found.auc_before + 0.1  # whether the gates are sure of it is up to the number of rows


def test_a_challenger_that_the_gates_stop_is_worth_nothing() -> None:
    assert Closed(1, 100, 0.7, 0.8, ("quality",)).gain == 0.0


@pytest.fixture(scope="module")
def champion() -> Champion:
    return Champion(Few(), 3)


def test_nothing_comes_of_quiet_windows(champion: Champion) -> None:
    plan = Plan(rows_per_window=500, quiet_windows=6)
    found = quiet_run(champion, plan, [3, 0])
    assert found.windows == 6
    assert not found.promoted
    assert found.decisions == {"wait": 6}


def test_windows_of_another_world_are_degraded_and_lead_to_a_decision(champion: Champion) -> None:
    moved = copy(champion)
    moved.pool = payments(24_000, [3, 3], World(concept=1.0))  # as if it were quiet
    found = quiet_run(moved, Plan(rows_per_window=6_000, quiet_windows=4), [3, 0])
    assert found.degraded == 2
    assert "below the reference" in found.reason
    assert found.windows == 3


def test_too_few_quiet_rows_are_refused(champion: Champion) -> None:
    with pytest.raises(BenchError, match="4000 quiet rows for 10000"):
        quiet_run(champion, Plan(rows_per_window=1_000, quiet_windows=10), [3, 0])


def test_a_part_that_there_is_not_is_named() -> None:
    with pytest.raises(BenchError, match="--only lives: choose of live, seeds, quiet"):
        LOOP.run(Options(only=("lives",)), print)
