"""KS on bins against scipy on raw values, and the size of its test with and without ties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from contracts.binning import Bins
from stream_app.drift.ks import Ks, fit_bridge
from tests.drift import Floats, a_reference, counted, measure, size_under_the_null

Draw = Callable[[np.random.Generator, int], Floats]

SAMPLES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(sigma=2, size=n),
    "student-t": lambda rng, n: rng.standard_t(2, n),
    "zero-inflated": lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.normal(size=n)),
    "counts": lambda rng, n: rng.poisson(3, n).astype(float),
    "rare counts": lambda rng, n: rng.poisson(0.05, n).astype(float),
    "hours": lambda rng, n: rng.integers(0, 24, n).astype(float),
    "rounded": lambda rng, n: rng.normal(50, 5, n).round(0),
    "bounded": lambda rng, n: rng.beta(0.5, 0.5, n),
    "constant": lambda rng, n: np.full(n, 3.0),
}
CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda x: x,
    "shift": lambda x: x + 0.2,
    "scale": lambda x: x * 1.609,
    "half to zero": lambda x: np.where(np.arange(x.size) % 2, x, 0.0),
    "tail": lambda x: np.where(x > np.quantile(x, 0.95), x * 3, x),
    "negative": lambda x: -x,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_distance_on_bins_is_within_half_a_percent_of_the_exact_one(sample: str, change: str) -> None:
    rng = np.random.default_rng(3)
    reference, window = SAMPLES[sample](rng, 20_000), CHANGES[change](SAMPLES[sample](rng, 1_000))
    exact = stats.ks_2samp(reference, window, method="asymp").statistic
    binned = float(measure(Ks, "numeric", [a_reference(reference, draws=100)], [window]).value[0])
    assert exact - 0.005 <= binned <= exact + 1e-12


def test_p_of_a_continuous_feature_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    reference, window = rng.normal(size=20_000), rng.normal(0.05, size=2_000)
    measured = measure(Ks, "numeric", [a_reference(reference)], [window])
    x = np.sqrt(20_000 * 2_000 / 22_000) * measured.value[0]
    assert measured.p is not None
    assert measured.p[0] == pytest.approx(stats.kstwobign.sf(x), rel=1e-9)


@pytest.mark.parametrize("sample", ["normal", "zero-inflated", "counts", "rare counts", "hours"])
def test_the_test_keeps_its_level_with_and_without_ties(sample: str) -> None:
    rng = np.random.default_rng(11)
    reference = SAMPLES[sample](rng, 50_000)
    windows = [SAMPLES[sample](rng, 500) for _ in range(1_500)]
    size = size_under_the_null(Ks, "numeric", reference, windows, 0.05)
    assert 0.025 < size < 0.075  # .0015 for zero-inflated values without a table


def test_the_bridge_of_two_atoms_is_the_normal_distribution() -> None:
    table = fit_bridge(np.array([700, 300]), seed=0)  # |B(.7)| is all there is: normal with variance .7 * .3
    assert table is not None
    assert table.sigma == pytest.approx(np.sqrt(0.21))
    exact = stats.norm.isf(np.array(table.p) / 2) * table.sigma
    np.testing.assert_allclose(table.x[10:], exact[10:], rtol=0.03)


def test_beyond_the_table_p_falls_as_the_normal_tail_does() -> None:
    rng = np.random.default_rng(0)
    reference = a_reference((rng.random(20_000) < 0.3).astype(float), draws=40_000)
    rates = (0.37, 0.39, 0.41, 0.45)
    windows = [np.repeat([0.0, 1.0], [round(1_000 * (1 - rate)), round(1_000 * rate)]) for rate in rates]
    measured = measure(Ks, "numeric", [reference] * len(rates), windows)
    x = np.sqrt(1_000 * 20_000 / 21_000) * measured.value
    assert reference.bridge is not None
    assert measured.p is not None
    assert (x > reference.bridge.x[-1]).all()
    np.testing.assert_allclose(measured.p, 2 * stats.norm.sf(x / reference.bridge.sigma), rtol=0.12)


def test_features_with_tables_of_their_own_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(2)
    references = [a_reference(SAMPLES[name](rng, 5_000)) for name in SAMPLES]
    windows = [SAMPLES[name](rng, 400) + 0.02 for name in SAMPLES]
    together = measure(Ks, "numeric", references, windows).p
    assert together is not None
    for i, (reference, window) in enumerate(zip(references, windows, strict=True)):
        alone = measure(Ks, "numeric", [reference], [window]).p
        assert alone is not None
        assert together[i] == pytest.approx(alone[0], rel=1e-9)


def test_a_continuous_feature_and_a_constant_one_need_no_table() -> None:
    rng = np.random.default_rng(0)
    for values in (
        rng.normal(size=20_000),
        np.where(rng.random(20_000) < 0.02, 0, rng.normal(size=20_000)),
        np.ones(9),
    ):
        assert fit_bridge(counted(Bins.fit(values), values).counts, seed=0) is None


def test_a_table_is_the_same_for_the_same_seed_and_only_then() -> None:
    counts = np.array([5, 3, 2])
    assert fit_bridge(counts, seed=4, draws=500) == fit_bridge(counts.tolist(), seed=4, draws=500)
    assert fit_bridge(counts, seed=4, draws=500) != fit_bridge(counts, seed=5, draws=500)


def test_one_stray_value_of_a_constant_feature_is_not_significant_but_many_are() -> None:
    reference = a_reference(np.full(10_000, 7.0))
    windows = [np.repeat([7.0, 8.0], [1_000 - strays, strays]) for strays in (1, 20)]
    p = measure(Ks, "numeric", [reference, reference], windows).p
    assert p is not None
    assert p[0] > 0.1
    assert p[1] < 1e-9
