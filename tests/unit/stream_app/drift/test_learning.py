"""Learning natural variation: the gate stays closed for samples of one distribution, and opens where windows vary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from contracts.baseline import Positives, Reference
from contracts.binning import Bins, Levels
from contracts.histogram import Histogram
from contracts.variation import LearntNull
from stream_app.drift.bridge_moments import square_moments
from stream_app.drift.decision import Measurement
from stream_app.drift.distances import distances_of
from stream_app.drift.ks import Ks, fit_bridge
from stream_app.drift.learning import FEWEST_VALUES, FEWEST_WINDOWS, learn, with_learnt_nulls
from stream_app.drift.natural import LEARNABLE, NaturalNulls, f_upper_tail
from stream_app.drift.panel import Panel, PanelCounts
from stream_app.drift.rest import rest_of
from tests.builders import a_baseline
from tests.drift import counted

Draw = Callable[[np.random.Generator, int], npt.NDArray[Any]]


def cut(bins: Any, rows: Sequence[Any]) -> list[Histogram]:
    return [counted(bins, part) for part in rows]


def learnt_of(parts: Sequence[npt.NDArray[Any]], draws: int = 4_000, **options: int) -> dict[str, LearntNull]:
    """parts: the windows' raw values; together they are the reference."""
    together = np.concatenate(parts)
    if together.dtype == object:
        levels = Levels.fit(together.tolist())
        windows = cut(levels, [part.tolist() for part in parts])
        return learn(Reference.of(counted(levels, together.tolist())), windows, **options)  # type: ignore[arg-type]
    bins = Bins.fit(together)
    histogram = counted(bins, together)
    reference = Reference.of(histogram, fit_bridge(histogram.counts, 0, draws))
    return learn(reference, cut(bins, parts), **options)  # type: ignore[arg-type]


SAMPLES: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "counts": lambda rng, n: rng.poisson(1.5, n).astype(np.float64),
    "zeros": lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.lognormal(size=n)),
    "missing": lambda rng, n: np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n)),
    "levels": lambda rng, n: rng.choice(np.array(["a", "b", "c", None], dtype=object), n, p=[0.6, 0.25, 0.1, 0.05]),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_windows_that_are_samples_keep_the_gate_closed(kind: str) -> None:
    rng = np.random.default_rng(5)
    runs = [learnt_of([SAMPLES[kind](rng, 400) for _ in range(30)], draws=2_000) for _ in range(25)]
    opened = [null.varies for run in runs for null in run.values()]
    assert len(opened) >= 50
    # The gate means to be wrong in 1 % of the statistics; 6 of 125 have p = .002
    assert sum(opened) <= stats.binom.ppf(0.998, len(opened), 0.01)


def test_windows_of_different_sizes_keep_the_gate_closed() -> None:
    rng = np.random.default_rng(6)
    runs = [learnt_of([rng.normal(size=n) for n in rng.integers(60, 3_000, 40)]) for _ in range(20)]
    assert sum(null.varies for run in runs for null in run.values()) <= 4


def test_windows_with_effects_open_the_gates_of_what_they_move() -> None:
    rng = np.random.default_rng(7)
    nulls = learnt_of([rng.normal(rng.normal(0, 0.3), 1, 1_000) for _ in range(60)])
    assert nulls["ks"].varies
    assert nulls["psi"].varies
    assert nulls["peak"].varies, "what moves all bins moves the fullest one"
    assert not nulls["missing"].varies
    assert not nulls["out_of_range"].varies


def test_the_variance_between_windows_is_found() -> None:
    """D of a normal moved by e is 2 Phi(e / 2) - 1 = .399 e: tau^2 = E D^2 / E K^2 = .159 * .09 / .8225."""
    rng = np.random.default_rng(8)
    found = [learnt_of([rng.normal(rng.normal(0, 0.3), 1, 1_000) for _ in range(60)])["ks"] for _ in range(5)]
    assert np.mean([null.between for null in found]) == pytest.approx(0.159 * 0.09 / 0.8225, rel=0.2)


def test_one_direction_of_variation_has_about_one_degree_of_freedom() -> None:
    rng = np.random.default_rng(9)
    found = [learnt_of([rng.normal(rng.normal(0, 0.5), 1, 2_000) for _ in range(60)])["ks"] for _ in range(5)]
    assert 0.35 < np.mean([null.shape for null in found]) < 0.9


def by_hand() -> tuple[Reference, list[Histogram]]:
    """20 windows of 100 rows over two levels: ten with 60 : 40, ten with 40 : 60."""
    levels = Levels(("a", "b"))
    windows = [Reference(levels, (60, 40, 0, 0)), Reference(levels, (40, 60, 0, 0))] * 10
    return Reference(levels, (1_000, 1_000, 0, 0)), [window.histogram for window in windows]


def test_chi_square_by_hand() -> None:
    reference, windows = by_hand()
    null = learn(reference, windows)["chi2"]
    # each against 1,900: 60 of 100 and 940 of 1,900; one degree of freedom; the same for all
    v = 1 / 100 + 1 / 1_900
    x2 = stats.chi2_contingency([[60, 40], [940, 960]], correction=False).statistic
    assert null.windows == 20
    assert null.between == pytest.approx(x2 * v - v)
    assert null.mean == pytest.approx(1.0), "x = X2 v / (v + tau^2) is 1 where all windows are as far away"
    assert null.shape == 0.5, "no window differs from another: as few as its degrees of freedom allow"
    assert null.varies == ((x2 - 1) * np.sqrt(20 / 2) > 2.33)


def test_rates_by_hand() -> None:
    """10 of 20 windows miss 20 of 100 values, the others none; r - r0 is 20/100 - 180/1,900 and 0 - 200/1,900."""
    levels = Levels(("a",))
    windows = [Reference(levels, (80, 0, 0), 20).histogram, Reference(levels, (100, 0, 0)).histogram] * 10
    null = learn(Reference(levels, (1_800, 0, 0), 200), windows)["missing"]
    v = 1 / 100 + 1 / 1_900
    r0 = np.array([180 / 1_900, 200 / 1_900])
    squares = (np.array([0.2, 0.0]) - r0) ** 2
    between = np.mean(squares / (r0 * (1 - r0))) - v
    assert null.varies
    assert null.between == pytest.approx(between)
    assert null.mean == pytest.approx(np.mean(squares) / (v + between))
    assert null.shape == 0.5, "one rate is one degree of freedom at most"


def test_a_wild_window_cannot_hide_everything_after_it() -> None:
    levels = Levels(("a",))
    calm = [Reference(levels, (100, 0, 0)).histogram] * 39
    null = learn(Reference(levels, (3_900, 0, 0), 100), [*calm, Reference(levels, (0, 0, 0), 100).histogram])["missing"]
    assert null.varies
    assert null.shape == 0.15
    sixty = np.array([60.0])  # x / M of one outage among sixty windows, the others as good as 0
    assert f_upper_tail(sixty, null.shape, 60)[0] < 1e-4


def test_the_peak_is_learnt_as_it_is() -> None:
    rng = np.random.default_rng(3)
    parts = [np.where(rng.random(500) < rng.beta(1, 20), 0.0, rng.normal(5, 1, 500)) for _ in range(30)]
    null = learnt_of(parts)["peak"]
    assert null.varies
    assert null.between == 0
    assert 0.01 < null.mean < 0.2


def test_the_peak_varies_where_ks_does_though_chance_hides_it() -> None:
    rng = np.random.default_rng(13)
    parts = [rng.normal(rng.normal(0, 0.12), 1, 500) for _ in range(40)]
    bins = Bins.fit(np.concatenate(parts))
    reference = Reference.of(counted(bins, np.concatenate(parts)))
    windows = cut(bins, parts)
    nulls = learn(reference, windows)
    (peak,) = [
        found
        for found in distances_of("numeric", [(rest_of(reference, window), window) for window in windows])
        if found.metric == "peak"
    ]
    assert stats.combine_pvalues(peak.measured.p).pvalue > 0.1, "by itself it would keep its gate closed"
    assert nulls["ks"].varies
    assert nulls["peak"].varies


def test_one_outage_among_sixty_windows_leaves_a_small_p_for_the_next_one_like_it() -> None:
    rng = np.random.default_rng(14)
    parts = [rng.normal(size=1_000) for _ in range(59)]
    parts.append(np.full(1_000, 2.0))
    together = np.concatenate(parts)
    bins = Bins.fit(together)
    reference = Reference.of(counted(bins, together))
    nulls = learn(reference, cut(bins, parts))
    assert nulls["ks"].varies
    assert nulls["ks"].shape == 0.25
    panel = Panel("numeric", [msgspec.structs.replace(reference, natural=nulls)])
    window = PanelCounts(panel, [counted(bins, np.full(1_000, 2.0))])
    measured = [Measurement("ks", "values", Ks(panel).measure(window))]
    (held,) = NaturalNulls(panel).apply(measured, window)
    assert held.measured.p is not None
    assert held.measured.p[0] < 1e-4


def test_too_few_windows_teach_nothing() -> None:
    reference, windows = by_hand()
    assert learn(reference, windows[: FEWEST_WINDOWS - 1]) == {}
    assert "chi2" in learn(reference, windows[:FEWEST_WINDOWS])


def test_windows_without_enough_values_do_not_count_for_them_but_for_what_is_missing() -> None:
    levels = Levels(("a", "b"))
    full = [Reference(levels, (50, 50, 0, 0)).histogram] * 25
    empty = [Reference(levels, (FEWEST_VALUES - 1, 0, 0, 0), 71).histogram] * 5
    reference = Reference(levels, (1_250 + 5 * (FEWEST_VALUES - 1), 1_250, 0, 0), 355)
    nulls = learn(reference, [*full, *empty])
    assert nulls["chi2"].windows == 25
    assert nulls["missing"].windows == 30


def test_a_constant_feature_and_an_empty_one_vary_in_nothing() -> None:
    assert not any(null.varies for null in learnt_of([np.full(100, 7.0)] * 25).values())
    levels = Levels(("a",))
    nothing = learn(Reference(levels, (0, 0, 0), 2_500), [Reference(levels, (0, 0, 0), 100).histogram] * 25)
    assert not any(null.varies for null in nothing.values())


@pytest.mark.parametrize("kind", SAMPLES)
def test_how_many_windows_are_in_memory_at_once_changes_nothing(kind: str) -> None:
    rng = np.random.default_rng(12)
    parts = [SAMPLES[kind](rng, n) for n in rng.integers(20, 200, 60)]  # some are too small to count
    found = [learnt_of(parts, draws=1_000, at_once=at_once) for at_once in (1, 7, 60, 1_000)]
    assert all(len(one) >= 3 for one in found)
    assert all(one == found[0] for one in found)


def test_every_learnt_metric_is_one_that_can_be_learnt() -> None:
    rng = np.random.default_rng(0)
    numeric = learnt_of([SAMPLES["missing"](rng, 100) for _ in range(25)])
    levels = learnt_of([SAMPLES["levels"](rng, 100) for _ in range(25)])
    assert set(numeric) == {"ks", "psi", "peak", "missing", "out_of_range"}
    assert set(levels) == {"chi2", "missing", "unseen"}
    assert set(numeric) | set(levels) | {"positives"} == set(LEARNABLE)


def a_20th(reference: Reference) -> Histogram:
    histogram = Histogram(reference.bins)
    histogram.counts += np.array(reference.counts) // 20
    return histogram


def test_a_baseline_learns_of_its_features_its_score_and_its_decisions() -> None:
    baseline = a_baseline()
    assert baseline.positives is not None
    rng = np.random.default_rng(1)
    features = [[a_20th(baseline.features[feature.name])] * 20 for feature in baseline.schema.monitored]
    decided = [Positives(int(rng.integers(0, 5)), 200) for _ in range(20)]
    taught = with_learnt_nulls(baseline, features, [a_20th(baseline.score)] * 20, decided)
    assert all(reference.natural for reference in [*taught.features.values(), taught.score])
    assert set(taught.natural_positives) == {"positives"}
    assert taught.natural_positives["positives"].varies
    assert taught.digest != baseline.digest
    assert {name: reference.counts for name, reference in taught.features.items()} == {
        name: reference.counts for name, reference in baseline.features.items()
    }


def test_the_moments_of_the_square_are_those_of_the_law() -> None:
    mean, variance = square_moments(None)
    assert mean == pytest.approx(stats.kstwobign.moment(2), rel=1e-6)
    assert variance == pytest.approx(stats.kstwobign.moment(4) - stats.kstwobign.moment(2) ** 2, rel=1e-5)


def test_the_moments_of_a_table_are_those_of_its_bridge() -> None:
    """Two levels at p: the bridge is seen once, normal with variance p (1 - p); E X^2 = .21, var X^2 = 2 * .21^2."""
    table = fit_bridge([70, 30], seed=0)
    assert table is not None
    mean, variance = square_moments(table)
    assert mean == pytest.approx(0.21, rel=0.03)
    assert variance == pytest.approx(2 * 0.21**2, rel=0.06)
