"""Sampling: sums that are exact, means that come near, errors that say how near; and the rows it compares with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from api.explaining.background import background, known_features
from api.explaining.permutation import PAIRS, Sampled, pairs_for, sampled
from contracts.baseline import Reference
from contracts.binning import Bins
from contracts.histogram import Histogram
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


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("normal", lambda rng: rng.normal(size=5_000)),
        ("atoms", lambda rng: rng.integers(0, 5, 5_000).astype(float)),
        ("skewed", lambda rng: rng.lognormal(0, 1, 5_000)),
    ],
)
def test_the_truth_lies_within_three_of_the_errors_that_are_served_nearly_always(name: str, draw: Any) -> None:
    """By rows that background() draws. With means m, x0 * x1 + x2 at (2, 1, 1) has the values (2 - m0)(1 + m1) / 2,
    (1 - m1)(2 + m0) / 2 and 1 - m2, and m0 m1 + m2 as its base.
    """
    rng = np.random.default_rng(0)
    columns = {column: draw(rng) for column in ("a", "b", "c")}
    schema = FeatureSchema(tuple(Feature(column, "numeric") for column in columns))
    baseline = a_baseline(schema=schema, columns=columns, rows=5_000)
    drawn = np.array(background(baseline, 20_000, np.random.default_rng(1)), dtype=np.float64)
    m0, m1, m2 = drawn.mean(axis=0)
    truth = np.array([m0 * m1 + m2, (2 - m0) * (1 + m1) / 2, (1 - m1) * (2 + m0) / 2, 1 - m2])
    misses = 0
    for seed in range(100):
        others = background(baseline, PAIRS, np.random.default_rng(seed))
        found = walked(product, (2.0, 1.0, 1.0), others, seed=seed)
        served = np.array([found.base, *found.contributions])
        misses += int((np.abs(served - truth) > 3 * np.array([found.base_error, *found.errors])).sum())
    assert misses <= 8  # of 400; a normal distribution would have 1


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


@pytest.mark.parametrize(("sigma", "within"), [(0.5, 0.01), (1.0, 0.02), (2.0, 0.08)])
def test_drawn_numbers_have_the_references_mean_as_far_as_its_bins_tell_it(sigma: float, within: float) -> None:
    """A bin's lower edge for each of its values would be 9 % too low at sigma 2."""
    numbers = np.random.default_rng(0).lognormal(0, sigma, 100_000)
    histogram = Histogram(Bins.fit(numbers))
    histogram.add(numbers)
    baseline = a_baseline(schema=FeatureSchema((Feature("amount", "numeric"),)))
    baseline = replace(baseline, features={"amount": Reference.of(histogram)})

    drawn = [row[0] for row in background(baseline, 50_000, np.random.default_rng(0))]

    assert np.mean(drawn) == pytest.approx(numbers.mean(), rel=within)  # type: ignore[arg-type]
    assert numbers.min() <= min(drawn) <= max(drawn) <= numbers.max()  # type: ignore[type-var,operator]


def test_a_value_that_many_rows_have_is_drawn_as_it_is() -> None:
    columns = {"hour": np.repeat([0.0, 7.0, 12.0, 23.0], 50)}
    baseline = a_baseline(schema=FeatureSchema((Feature("hour", "numeric"),)), columns=columns, rows=200)

    drawn = {row[0] for row in background(baseline, 400, np.random.default_rng(0))}

    assert drawn == {0.0, 7.0, 12.0, 23.0}


def test_flags_are_drawn_as_flags_and_features_without_a_histogram_are_not_drawn() -> None:
    schema = FeatureSchema(
        (Feature("late", "boolean"), Feature("note", "categorical", monitored=False), Feature("distance", "numeric"))
    )
    baseline = a_baseline(schema=schema)
    rows = background(baseline, 50, np.random.default_rng(0))
    assert {type(row[0]) for row in rows} <= {bool, type(None)}
    assert {row[1] for row in rows} == {None}
    assert known_features(baseline) == (0, 2)
