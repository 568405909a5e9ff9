"""The parts of `bench loop` on a few rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from msgspec.structs import replace

from bench.benchmark import BenchError, Options
from bench.loop.live import Live
from bench.loop.quiet import Champion, QuietRun, exchanged, quiet_run
from bench.loop.run import GAIN, LOOP, LoopFigures
from bench.loop.seeds import Closed, closed
from demo.datasets.dataset import Episode, SecondAct
from demo.datasets.payments import Payments, World, payments


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
    found = quiet_run(champion, 20, 500, [3, 0])
    assert found.windows == 20
    assert not found.promoted
    assert found.decisions == {"wait": 20}


def test_exchanged_truths_are_noticed_and_the_gates_stop_what_was_learnt_of_them(champion: Champion) -> None:
    found = quiet_run(exchanged(champion), 20, 1_000, [3, 0])
    assert found.degraded >= 2
    assert found.pages == 0  # no feature moves
    assert "below the reference" in found.reason
    assert found.windows == 6  # five are labelled: 5,000 rows, as many as there must be
    assert not found.promoted


def test_too_few_quiet_rows_are_refused(champion: Champion) -> None:
    with pytest.raises(BenchError, match="4000 quiet rows for windows of 5000"):
        quiet_run(champion, 10, 5_000, [3, 0])


QUIET, NOTICED = QuietRun(100, {"wait": 100}, 1), QuietRun(7, {"retrain": 1}, 4, reason="it fell")
GAINED, NOT_GAINED = Closed(1, 100, 0.70, 0.75, ()), Closed(1, 100, 0.70, 0.71, ())
LIVE = Live("promoted", 0.70, 0.75, 100, 30.0, answered=1_000, failed_requests=0, balanced=True, demo_seconds=150.0)


def figures(**told: Any) -> LoopFigures:
    right: dict[str, Any] = {
        "auc_before": 0.70,
        "auc_after": 0.75,
        "seconds": 30.0,
        "wrong_promotions": 0,
        "failed_requests": 0,
        "seeds_gained": 9,
        "quiet_decisions": 0,
        "exchanged_decisions": 3,
        "live": LIVE,
        "seeds": [GAINED] * 9 + [NOT_GAINED],
        "quiet": [QUIET] * 20,
        "exchanged": [NOTICED] * 3,
    }
    return LoopFigures(**{**right, **told})


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"live": None, "failed_requests": None},
        {"seeds": [], "seeds_gained": None},
        {"quiet": [], "wrong_promotions": None, "quiet_decisions": None, "exchanged": [], "exchanged_decisions": None},
        {"quiet_decisions": 1},  # the gates have stopped it
    ],
)
def test_a_loop_that_closes_for_the_better_holds_and_parts_that_were_not_run_are_not_judged(
    told: dict[str, Any],
) -> None:
    assert LOOP.held(figures(**told))


@pytest.mark.parametrize(
    "told",
    [
        {"live": replace(LIVE, outcome=None)},
        {"live": replace(LIVE, outcome="stopped")},
        {"live": replace(LIVE, auc_after=None)},
        {"live": replace(LIVE, auc_after=0.70 + GAIN - 0.001)},
        {"live": replace(LIVE, balanced=False)},
        {"failed_requests": 1},
        {"seeds_gained": 8},
        {"wrong_promotions": 1},
        {"exchanged_decisions": 2},
    ],
)
def test_a_loop_that_does_not_close_or_gains_nothing_or_costs_something_fails(told: dict[str, Any]) -> None:
    assert not LOOP.held(figures(**told))


def test_a_part_that_there_is_not_is_named() -> None:
    with pytest.raises(BenchError, match="--only lives: choose of live, seeds, quiet"):
        LOOP.run(Options(only=("lives",)), print)
