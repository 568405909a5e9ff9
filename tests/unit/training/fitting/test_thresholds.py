"""Thresholds: each rule gives what an exhaustive search gives; metrics that training adds agree with their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from contracts.outcomes import Costs
from training.configuration.config import Threshold
from training.errors import DataError
from training.evaluation.measures import calibration_error, evaluate, mean_cost, measure
from training.fitting.thresholds import choose_threshold, said

pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=4, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def arrays(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([score / 10 for _, score in rows])


@given(rows=pairs, false_negative=st.floats(0, 10), true_positive=st.floats(-5, 1))
def test_no_other_threshold_costs_less(
    rows: list[tuple[int, int]], false_negative: float, true_positive: float
) -> None:
    labels, scores = arrays(rows)
    costs = Costs(false_negative=false_negative, true_positive=true_positive)
    chosen = choose_threshold(Threshold(rule="cost"), labels, scores, costs)
    least = min(mean_cost(labels, scores >= t, costs) for t in [*np.unique(scores), 2.0])
    assert mean_cost(labels, scores >= chosen, costs) == pytest.approx(least, abs=1e-12)


@given(rows=pairs, target=st.floats(0.05, 1))
def test_no_other_threshold_of_that_precision_finds_more(rows: list[tuple[int, int]], target: float) -> None:
    labels, scores = arrays(rows)
    enough = [t for t in np.unique(scores) if precision_score(labels, scores >= t, zero_division=0) >= target]
    rule = Threshold(rule="precision", target=target)
    if not enough:
        with pytest.raises(DataError, match=r"threshold\.target .* reaches a precision of at most"):
            choose_threshold(rule, labels, scores, Costs())
        return
    chosen = choose_threshold(rule, labels, scores, Costs())
    assert precision_score(labels, scores >= chosen) >= target
    best = max(recall_score(labels, scores >= t) for t in enough)
    assert recall_score(labels, scores >= chosen) == pytest.approx(best)


def test_a_fixed_threshold_is_kept_and_each_rule_has_its_words() -> None:
    labels, scores = np.array([0, 1]), np.array([0.2, 0.8])
    assert choose_threshold(Threshold(rule="fixed", value=0.5), labels, scores, Costs()) == 0.5
    assert choose_threshold(Threshold(), labels, scores, Costs()) == 0.8
    assert said(Threshold(rule="fixed", value=0.5)) == "fixed at 0.5"
    assert said(Threshold(rule="precision", target=0.9)).endswith("precision 0.9 on the validation rows")


def test_the_calibration_error_of_probabilities_that_are_right_is_small_and_of_others_what_they_are_off() -> None:
    draw = np.random.default_rng(0)
    true = draw.beta(1, 4, 40_000)
    labels = (draw.random(40_000) < true).astype(np.int64)
    assert calibration_error(labels, true) < 0.01
    assert calibration_error(labels, np.clip(true + 0.1, 0, 1)) == pytest.approx(0.1, abs=0.01)


def test_rows_of_one_score_are_one_group_so_the_order_of_the_rows_tells_nothing() -> None:
    draw = np.random.default_rng(0)
    scores = draw.choice([0.1, 0.3, 0.5], 5_000)
    labels = (draw.random(5_000) < scores).astype(np.int64)
    by_label = np.argsort(labels, kind="stable")
    assert calibration_error(labels, scores) < 0.02
    assert calibration_error(labels[by_label], scores[by_label]) == pytest.approx(calibration_error(labels, scores))


def test_the_cost_is_the_mean_over_the_four_outcomes() -> None:
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.9, 0.1, 0.9])
    costs = Costs(false_positive=3.0, false_negative=8.0, true_positive=-1.0, true_negative=2.0)
    found = measure(labels, scores, 0.5, costs)
    assert found["cost"] == (2 + 3 + 8 - 1) / 4
    assert found.items() >= evaluate(labels, scores, 0.5).items()
