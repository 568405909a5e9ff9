"""The material of the benchmarks of a window's close and of small references."""

from __future__ import annotations

import numpy as np
import pytest

from bench.closing import best, cause_times, state_kb
from bench.closing_material import closed, counted, drawn_baseline, drawn_rows, varying
from bench.references import _known
from contracts.baseline import Baseline


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return drawn_baseline(1, 2_000, 23)


def test_the_windows_that_are_timed_have_all_features_and_nothing_changed(baseline: Baseline) -> None:
    rng = np.random.default_rng(0)
    reports = [closed(baseline, counted(baseline, *drawn_rows(23, 500, rng))) for _ in range(10)]
    assert {len(found.features) for found in reports} == {25}  # the score and the decision, too
    assert sum(found.status == "quiet" for found in reports) >= 9


def test_with_learnt_nulls_each_p_value_is_held_against_one(baseline: Baseline) -> None:
    learnt = varying(baseline)
    found = closed(learnt, counted(learnt, *drawn_rows(23, 500, np.random.default_rng(0))))
    nulls = {statistic.null for verdict in found.features for statistic in verdict.statistics if statistic.p_value}
    assert "learnt" in nulls


def test_a_window_as_stored_is_below_50_kilobytes(baseline: Baseline) -> None:
    assert 5 < state_kb(baseline, 23, seed=1) < 50


def test_a_cause_is_timed_for_each_numeric_feature(baseline: Baseline) -> None:
    numeric = [feature for feature in baseline.schema.monitored if feature.kind == "numeric"]
    assert len(cause_times(baseline, seed=1)) == len(numeric)


def test_the_best_of_several_rounds_is_a_time_of_the_action() -> None:
    assert 0.01 < best(lambda: sum(range(10_000)), 3) < 1_000


def test_a_reference_of_fifty_rows_finds_a_standard_deviation_and_not_half_of_one() -> None:
    known = _known(50, 4, np.random.default_rng(1))
    assert known.found_one[10_000] >= 0.75
    assert known.found_half[10_000] < known.found_one[10_000]
    assert sum(known.false_alarms.values()) <= 0.5
