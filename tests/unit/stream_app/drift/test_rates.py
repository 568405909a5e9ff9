"""Rates against scipy's exact tests, and the exact binomial tails they rest on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from stream_app.drift import binomial
from stream_app.drift.rates import Missing, OutOfRange, Unseen, two_sample_p
from tests.drift import a_reference, counted, measure, size_under_the_null


def test_binomial_tails_are_those_of_scipy() -> None:
    n, k = np.meshgrid([1, 10, 1_000], [0, 1, 9, 10, 900], indexing="ij")
    usable = k <= n
    for p in (0.0, 1e-9, 0.02, 0.5, 0.97, 1.0):
        rates = np.full(usable.sum(), p)
        upper, lower = stats.binom.sf(k[usable] - 1, n[usable], p), stats.binom.cdf(k[usable], n[usable], p)
        np.testing.assert_allclose(binomial.at_least(k[usable], n[usable], rates), upper, rtol=1e-9, atol=1e-300)
        both = np.minimum(1, 2 * np.minimum(upper, lower))
        np.testing.assert_allclose(binomial.two_sided(k[usable], n[usable], rates), both, rtol=1e-9, atol=1e-300)


def p_of(k: int, n: int, k_reference: int, m: int) -> float:
    return float(two_sample_p(*(np.array([number]) for number in (k, n, k_reference, m)))[0])


def test_few_expected_rows_are_tested_exactly_at_laplaces_rate() -> None:
    assert p_of(9, 1_000, 200, 100_000) == pytest.approx(2 * stats.binom.sf(8, 1_000, 201 / 100_002), rel=1e-9)
    assert p_of(995, 1_000, 99_100, 100_000) == pytest.approx(
        2 * stats.binom.sf(994, 1_000, 99_101 / 100_002), rel=1e-9
    )


def test_many_expected_rows_are_tested_as_a_two_by_two_table_is() -> None:
    table = np.array([[60, 940], [4_000, 96_000]])
    assert p_of(60, 1_000, 4_000, 100_000) == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue, rel=1e-9
    )


@pytest.mark.parametrize("rate", [0.0, 0.002, 0.03, 0.5, 0.97, 1.0])
def test_the_missing_rate_keeps_its_level(rate: float) -> None:
    rng = np.random.default_rng(8)

    def draw(n: int) -> np.ndarray:
        return np.where(rng.random(n) < rate, np.nan, 1.0)

    reference = Reference.of(counted(Bins((0.5,), 0.0, 2.0), draw(50_000)))
    windows = [draw(500) for _ in range(1_000)]
    p = measure(Missing, "numeric", [reference] * len(windows), windows).p
    assert p is not None
    assert (p < 0.01).mean() < 0.02


def test_out_of_range_is_silent_about_one_value_and_speaks_about_many() -> None:
    reference = a_reference(np.linspace(0, 1, 10_000))
    p = measure(
        OutOfRange,
        "numeric",
        [reference] * 3,
        [np.r_[np.full(999 - far, 0.5), np.full(far, 2.0)] for far in (0, 1, 20)],
    ).p
    assert p is not None
    assert p[0] == 1
    assert p[1] > 0.05
    assert p[2] < 1e-20


def test_values_below_the_smallest_and_above_the_largest_are_out_of_range() -> None:
    reference = a_reference(np.linspace(0, 1, 1_000))
    assert measure(OutOfRange, "numeric", [reference], [np.array([-1e-9, 0.0, 1.0, 1 + 1e-9])]).value[0] == 0.5


def test_unseen_levels_are_expected_where_many_levels_were_seen_once() -> None:
    rng = np.random.default_rng(9)
    names = np.array([f"level {i}" for i in range(2_000)])
    reference = rng.choice(names, 3_000).tolist()  # about a fifth of what comes next was not there yet
    windows = [rng.choice(names, 500).tolist() for _ in range(100)]
    assert measure(Unseen, "categorical", [a_reference(reference)], windows[:1]).value[0] > 0.1
    assert size_under_the_null(Unseen, "categorical", reference, windows, 0.01) == 0


def test_a_new_level_is_found_where_few_levels_are_rare() -> None:
    reference = Reference(Levels(("a", "b"), rest=("c",)), (9_000, 900, 100, 0))
    p = measure(Unseen, "categorical", [reference], [["a"] * 980 + ["new"] * 20]).p
    assert p is not None
    assert p[0] < 1e-20


def test_the_window_of_a_feature_without_reference_is_not_out_of_range() -> None:
    nothing = Reference.empty(Bins((0.5,), 0.0, 1.0))
    measured = measure(OutOfRange, "numeric", [nothing], [np.array([5.0, 6.0])])
    assert measured.size[0] == 0


def test_a_new_level_is_found_among_many_rare_ones_that_were_all_seen_often() -> None:
    names = [f"level {i}" for i in range(500)]
    levels = Levels.fit([name for i, name in enumerate(names) for _ in range(600 - i)])
    counts = (*(600 - i for i in range(50)), sum(600 - i for i in range(50, 500)), 0)
    window = [names[i % 40] for i in range(1_980)] + ["new"] * 20
    p = measure(
        Unseen, "categorical", [Reference(levels, counts), Reference(levels, counts, singles=0)], [window] * 2
    ).p
    assert p is not None
    assert p[1] < 1e-20 < p[0]
