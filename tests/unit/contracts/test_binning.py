"""Bins and Levels: fixed edges, a bin for each atom and sentinel, nothing outside the reference's range unseen."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from contracts.binning import SENTINELS, Bins, Levels
from contracts.errors import InvalidReference

FINITE = st.floats(-1e12, 1e12, allow_nan=False)


def counts(bins: Bins, values: np.ndarray) -> np.ndarray:
    return bins.count(np.sort(values))


def bin_of(bins: Bins, value: float) -> int:
    (found,) = np.flatnonzero(counts(bins, np.array([value])))
    return int(found)


def test_a_continuous_sample_has_about_equal_mass_in_each_bin_between_the_tails() -> None:
    values = np.random.default_rng(0).normal(1000, 1, 100_000)
    bins = Bins.fit(values)
    inside = counts(bins, values)[bins.inside]
    assert inside.max() <= 100_000 / 240 + 1
    assert 240 <= len(inside) <= 260


def test_the_tails_are_cut_finer_than_the_body() -> None:
    values = np.random.default_rng(0).normal(1000, 1, 100_000)
    bins = Bins.fit(values)
    share = counts(bins, values)[bins.inside] / 100_000
    assert share[0] <= 1.1e-4
    assert share[-1] <= 1.1e-4


def test_a_value_with_more_mass_than_a_bin_gets_one_of_its_own() -> None:
    values = np.concatenate([np.full(500, 7.0), np.random.default_rng(0).uniform(5, 10, 9_500)])
    bins = Bins.fit(values)
    seven = bin_of(bins, 7.0)
    assert bins.atoms[seven]
    assert counts(bins, values)[seven] == 500


def test_between_two_integers_there_is_a_gap_bin_so_that_3_point_2_is_not_3() -> None:
    bins = Bins.fit(np.repeat([1.0, 2.0, 3.0, 4.0], 100))
    assert len({bin_of(bins, value) for value in (3.0, 3.2, 4.0)}) == 3


@pytest.mark.parametrize("sentinel", SENTINELS)
def test_a_sentinel_always_owns_a_bin(sentinel: float) -> None:
    bins = Bins.fit(np.random.default_rng(0).uniform(-5000, 5000, 10_000))
    assert bins.atoms[bin_of(bins, sentinel)]


def test_a_change_of_unit_lands_in_several_bins_beyond_the_range() -> None:
    values = np.random.default_rng(0).lognormal(3, 0.5, 10_000)
    bins = Bins.fit(values)
    beyond = counts(bins, values * 1000)
    beyond[bins.inside] = 0
    assert beyond.sum() > 9_000
    assert np.count_nonzero(beyond) >= 3


def test_a_constant_feature_has_one_bin_inside_its_range() -> None:
    bins = Bins.fit(np.full(100, 3.0))
    assert bins.inside.stop - bins.inside.start == 1
    assert counts(bins, np.full(5, 3.0))[bins.inside].tolist() == [5]


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30, unique=True),
    hnp.arrays(np.float64, st.integers(0, 300), elements=st.floats(allow_nan=False)),
    st.data(),
)
def test_a_bin_holds_what_is_not_below_its_lower_edge_and_below_its_upper_one(
    edges: list[float], values: np.ndarray, data: st.DataObject
) -> None:
    rising = sorted({edge + 0.0 for edge in edges})
    bins = Bins(tuple(rising), rising[0], rising[-1])
    values = np.concatenate([values, data.draw(st.lists(st.sampled_from(rising)))])  # on the edges too
    by_hand = [0] * bins.size
    for value in values.tolist():
        by_hand[bisect_right(rising, value)] += 1
    assert counts(bins, values).tolist() == by_hand


@given(hnp.arrays(np.float64, st.integers(1, 300), elements=FINITE))
def test_the_reference_itself_is_never_out_of_range(values: np.ndarray) -> None:
    bins = Bins.fit(values)
    assert counts(bins, values)[bins.inside].sum() == len(values)


@given(hnp.arrays(np.float64, st.integers(1, 100), elements=FINITE), FINITE)
def test_a_value_outside_the_range_is_counted_outside(values: np.ndarray, value: float) -> None:
    bins = Bins.fit(values)
    assert (bins.inside.start <= bin_of(bins, value) < bins.inside.stop) == (values.min() <= value <= values.max())


@pytest.mark.parametrize(
    ("values", "message"),
    [([np.nan, np.nan], "no value is present"), ([], "no value is present"), ([1.0, np.inf], "infinite")],
)
def test_a_reference_that_cannot_be_binned_is_refused_with_the_fix(values: list[float], message: str) -> None:
    with pytest.raises(InvalidReference, match=message):
        Bins.fit(np.array(values, dtype=np.float64))


@pytest.mark.parametrize("edges", [(), (1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"),)])
def test_edges_that_do_not_rise_or_are_not_finite_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(InvalidReference):
        Bins(edges, 0.0, 1.0)


def test_levels_keep_the_most_frequent_and_tell_rare_from_unseen() -> None:
    levels = Levels.fit(["a"] * 5 + ["b"] * 3 + ["c", "d", None], top=2)
    assert levels.levels == ("a", "b")
    counted, missing = levels.count(["a", "b", "a", "c", "d", "never", None, None, None])
    assert (counted[[0, 1, levels.other, levels.unseen]].tolist(), missing) == ([2, 1, 2, 1], 3)


def test_booleans_are_the_levels_true_and_false() -> None:
    levels = Levels.fit([True, True, False, None])
    assert levels.levels == ("true", "false")
    counted, missing = levels.count([False, True, False, None])
    assert (counted.tolist(), missing) == ([1, 2, 0, 0], 1)


def test_levels_without_any_value_are_refused() -> None:
    with pytest.raises(InvalidReference, match="no value is present"):
        Levels.fit([None, None])
