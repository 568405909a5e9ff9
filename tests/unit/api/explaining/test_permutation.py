"""Sampling: sums that are exact, means that come near, errors that say how near; and the rows it compares with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.explaining.background import background, known_features
from api.explaining.permutation import PAIRS, Sampled, pairs_for, sampled
from contracts.baseline import Reference
from contracts.schema import Feature, FeatureSchema
from tests.builders import a_baseline


def product(rows: Any) -> Any:
    """x0 * x1 + x2."""
    return np.array([float(row[0]) * float(row[1]) + float(row[2]) for row in rows])


def walked(score: Any, row: Any, others: Any, movable: Any = (0, 1, 2), seed: int = 0) -> Sampled:
    return sampled(score, row, others, movable, np.random.default_rng(seed))


def test_an_additive_score_is_explained_exactly_by_any_sampling() -> None:
    others = [(0.0, 1.0, 2.0), (2.0, 3.0, 4.0)]
    found = walked(lambda rows: np.array([3 * a - b + c for a, b, c in rows]), (5.0, 5.0, 5.0), others)
    assert found.contributions.tolist() == [12.0, -3.0, 2.0]
    assert (found.base, found.score) == (4.0, 15.0)


def test_an_interaction_is_shared_and_each_order_is_walked_both_ways() -> None:
    """Against one background row (0, 0, 0) the product of 3 and 4 belongs to both in equal parts: in every order the
    second one brings it, and backwards the first.
    """
    found = walked(product, (3.0, 4.0, 1.0), [(0.0, 0.0, 0.0)] * 2)
    assert found.contributions.tolist() == [6.0, 6.0, 1.0]
    assert found.errors.tolist() == [0.0, 0.0, 0.0]


@settings(max_examples=60, deadline=None)
@given(
    row=st.tuples(*[st.floats(-5, 5)] * 3),
    others=st.lists(st.tuples(*[st.floats(-5, 5)] * 3), min_size=2, max_size=6),
    seed=st.integers(0, 1000),
)
def test_base_and_contributions_add_up_to_the_score(row: Any, others: Any, seed: int) -> None:
    found = walked(product, row, others, seed=seed)
    assert found.base + found.contributions.sum() == pytest.approx(found.score, abs=1e-9)
    assert found.score == pytest.approx(product([row])[0], abs=1e-12)


def test_the_truth_lies_within_three_standard_errors_nearly_always() -> None:
    """Against standard normal backgrounds the values of x0 * x1 + x2 at (2, 1, 1) are 1, 1 and 1."""
    misses = 0
    for seed in range(100):
        others = [tuple(other) for other in np.random.default_rng(seed).normal(size=(64, 3)).tolist()]
        found = walked(product, (2.0, 1.0, 1.0), others, seed=seed)
        misses += int((np.abs(found.contributions - 1) > 3 * found.errors).sum())
    assert misses <= 6  # of 300; a normal distribution would have 1


def test_features_that_cannot_be_drawn_stay_as_they_are_and_contribute_nothing() -> None:
    found = walked(product, (2.0, 5.0, 1.0), [(0.0, np.nan, 0.0)] * 2, movable=(0, 2))
    assert found.contributions.tolist() == [10.0, 0.0, 1.0]


def test_a_model_is_asked_once_and_for_a_bounded_number_of_values() -> None:
    asked = []

    def score(rows: Any) -> Any:
        asked.append(len(rows))
        return product(rows)

    walked(score, (1.0, 1.0, 1.0), [(0.0, 0.0, 0.0)] * 5)
    assert asked == [5 * 2 * 4]
    assert [pairs_for(features) for features in (1, 100, 200, 10_000)] == [PAIRS, PAIRS, 25, 4]


def test_background_rows_have_the_references_median_levels_and_missing_values() -> None:
    baseline = a_baseline()
    rows = background(baseline, 200, np.random.default_rng(0))
    for place, feature in enumerate(baseline.schema.features):
        reference, drawn = baseline.features[feature.name], [row[place] for row in rows]
        share = reference.missing / (reference.missing + sum(reference.counts))
        assert drawn.count(None) == pytest.approx(200 * share, abs=2)
        histogram = Reference.empty(reference.bins).histogram
        counts, _ = (
            reference.bins.count([value for value in drawn if value is not None])  # type: ignore[arg-type,misc]
            if feature.kind != "numeric"
            else (reference.bins.count(np.sort([value for value in drawn if value is not None])), 0)  # type: ignore
        )
        assert histogram.counts.shape == counts.shape
        gap = np.abs(counts.cumsum() / counts.sum() - np.cumsum(reference.counts) / sum(reference.counts))
        assert gap.max() < 0.02


def test_flags_are_drawn_as_flags_and_features_without_a_histogram_are_not_drawn() -> None:
    schema = FeatureSchema(
        (Feature("late", "boolean"), Feature("note", "categorical", monitored=False), Feature("distance", "numeric"))
    )
    baseline = a_baseline(schema=schema)
    rows = background(baseline, 50, np.random.default_rng(0))
    assert {type(row[0]) for row in rows} <= {bool, type(None)}
    assert {row[1] for row in rows} == {None}
    assert known_features(baseline) == (0, 2)
