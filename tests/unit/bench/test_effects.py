"""Stated against true effects: how the figures follow from outcomes, and what is done to windows."""

from __future__ import annotations

import numpy as np
import pytest

from bench.detection.effect_windows import EffectWindows, Outcome, heights, swap
from bench.detection.effects import agreement_of, table
from bench.offline import OfflineModel
from contracts.findings import ScoreChange
from tests.unit.bench.test_quiet_and_episodes import Coins


def outcome(true: float, stated: float, *, small: bool = False, world: float = 0.0) -> Outcome:
    return Outcome(
        name="x",
        true=ScoreChange(true, true),
        broke=ScoreChange(stated, stated),
        world=ScoreChange(world),
        headline=stated,
        harmless=small,
        small=small,
    )


def test_effects_that_are_ranked_right_agree_whatever_their_size() -> None:
    true = np.random.default_rng(1).normal(size=80)
    found = agreement_of(90, [outcome(t, 3 * t) for t in true], [], np.random.default_rng(0))
    assert (found.injected, found.alarmed) == (90, 80)
    assert found.drawn == found.data_broke == found.positives == found.sign_right == 1
    assert found.ratio == pytest.approx((3, 3, 3))
    turned = agreement_of(90, [outcome(t, -t) for t in true], [], np.random.default_rng(0))
    assert (turned.data_broke, turned.sign_right) == (-1, 0)


def test_harmless_drifts_are_held_against_what_they_truly_do() -> None:
    outcomes = [outcome(0.001, 0.0, small=True), outcome(0.03, 0.0, small=True), outcome(-0.05, -0.05)]
    found = agreement_of(3, outcomes, [], np.random.default_rng(0))
    assert found.small == pytest.approx(2 / 3, abs=1e-4)
    assert (found.small_truly, found.small_worst, found.large, found.large_missed) == (0.5, 0.03, 2, 1)


def test_without_outcomes_there_is_no_agreement() -> None:
    found = agreement_of(5, [], [], np.random.default_rng(0))
    assert (found.drawn, found.moves_world, found.small) == (0, 0, 0)


def test_the_table_has_a_column_for_each_data_set() -> None:
    found = agreement_of(5, [outcome(0.1, 0.1)] * 5, [outcome(0.1, 0.1)] * 5, np.random.default_rng(0))
    lines = table({"flights": found, "payments": found})
    assert lines[0].split() == ["flights", "payments"]
    assert len({len(line) for line in lines}) == 1


def test_a_swap_exchanges_two_columns_in_some_rows() -> None:
    first, second = np.arange(1_000.0), -np.arange(1_000.0)
    left, right = swap(0.3)([first, second], np.random.default_rng(0))
    assert np.mean(left < 0) == pytest.approx(0.3, abs=0.04)
    assert (left + right == 0).all()


def test_rows_are_weighted_by_the_rank_of_their_value_or_by_one_frequent_level() -> None:
    assert heights(np.array([5.0, np.nan, 1.0, 3.0]), np.random.default_rng(0)).tolist() == [1.0, 0.5, 0.0, 0.5]
    of_levels = heights(np.array(["a", "b", "a", None], dtype=object), np.random.default_rng(0))
    assert set(of_levels) == {0.0, 1.0}


def test_what_is_stated_of_a_broken_feature_is_near_what_scoring_its_rows_again_gives() -> None:
    windows = EffectWindows(OfflineModel(Coins(), seed=3), 3, rows=1_500)
    injections = {injection.name: injection for injection in windows.injections()}
    assert {injection.features for injection in injections.values()} == {("x",), ("y",), ("letter",), ("x", "y")}
    for name, truly in (("x x100 on 33%", 0.15), ("x shift +1 sd", 0.25), ("letter new level 20%", 0.0)):
        found = windows.broken(injections[name], np.random.default_rng(1))
        assert found is not None
        assert found.true.score == pytest.approx(truly, abs=0.07)
        assert found.broke.score == pytest.approx(found.true.score, abs=0.03)


def test_rows_that_are_drawn_whole_bring_their_scores_with_them() -> None:
    windows = EffectWindows(OfflineModel(Coins(), seed=3), 3, rows=1_500)
    generator = np.random.default_rng(2)
    found = [move for move in (windows.moved(generator) for _ in range(6)) if move is not None]
    assert found
    for move in found:
        assert move.world.score == pytest.approx(move.true.score, abs=0.03)
