"""Rates against scipy's exact tests, and the exact tails they rest on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from stream_app.drift import two_samples
from stream_app.drift.rates import Missing, OutOfRange, Unseen, two_sample_p
from tests.drift import a_reference, counted, measure, size_under_the_null


def test_the_exact_tails_are_scipys_binomial_given_how_many_there_are_in_all() -> None:
    k, r = (grid.ravel() for grid in np.meshgrid([0, 1, 9, 200], [0, 1, 30, 4_000], indexing="ij"))
    for n, m in ((200, 100_000), (5_000, 5_000), (100_000, 500)):
        columns = k, np.full(k.shape, n), r, np.full(k.shape, m)
        upper, lower = stats.binom.sf(k - 1, k + r, n / (n + m)), stats.binom.cdf(k, k + r, n / (n + m))
        np.testing.assert_allclose(two_samples.at_least(*columns), upper, rtol=1e-9, atol=1e-300)
        both = np.minimum(1, 2 * np.minimum(upper, lower))
        np.testing.assert_allclose(two_samples.two_sided(*columns), both, rtol=1e-9, atol=1e-300)


def p_of(k: int, n: int, k_reference: int, m: int) -> float:
    return float(two_sample_p(*(np.array([number]) for number in (k, n, k_reference, m)))[0])


@pytest.mark.parametrize(("k", "n", "k_reference", "m"), [(9, 1_000, 200, 100_000), (9, 100_000, 3, 500)])
def test_few_expected_rows_are_tested_exactly(k: int, n: int, k_reference: int, m: int) -> None:
    upper = stats.binom.sf(k - 1, k + k_reference, n / (n + m))
    exact = 2 * min(upper, stats.binom.cdf(k, k + k_reference, n / (n + m)))
    assert p_of(k, n, k_reference, m) == pytest.approx(min(1, exact), rel=1e-9)
    assert p_of(n - k, n, m - k_reference, m) == pytest.approx(min(1, exact), rel=1e-9)  # all but few


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


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.2])
def test_the_missing_rate_of_a_small_reference_keeps_its_level_in_large_windows(rate: float) -> None:
    rng = np.random.default_rng(8)
    known, rows = rng.binomial(500, rate, 2_000), rng.binomial(20_000, rate, 2_000)
    p = two_sample_p(rows, np.full(2_000, 20_000), known, np.full(2_000, 500))
    assert (p < 0.01).mean() < 0.016


@pytest.mark.parametrize(("known", "rows"), [(500, 200), (500, 20_000), (20_000, 1_000)])
def test_out_of_range_keeps_its_level_also_where_a_small_reference_did_not_see_it_all(known: int, rows: int) -> None:
    rng = np.random.default_rng(5)
    references = [a_reference(rng.normal(size=known)) for _ in range(200)]
    p = measure(OutOfRange, "numeric", references, [rng.normal(size=rows) for _ in references]).p
    assert p is not None
    assert (p < 0.05).mean() < 0.09


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
    assert p[2] < 1e-15


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
