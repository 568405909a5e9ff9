"""Natural variation of performance: what is learnt from windows of the reference, and what it makes of a later one."""

from __future__ import annotations

from math import inf, sqrt

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from contracts.baseline import Baseline
from contracts.errors import InvalidBaseline
from contracts.outcomes import Outcomes, Residuals
from contracts.performance import PerformanceReport
from contracts.variation import BetweenWindows, NaturalVariation
from stream_app.performance.calibrated import Surplus, calibration_p
from stream_app.performance.intervals import Interval
from stream_app.performance.learning import enough, learn
from stream_app.performance.measured import Found, Spread
from stream_app.performance.natural import centre_of, law, natural_p, natural_range
from stream_app.performance.report import report
from tests.builders import NOON_MS, a_baseline
from tests.performance import Rows, a_judged_baseline, chances, counted
from training.baselines.outcomes import with_residuals

DAY_MS = 86_400_000
ROWS = 1_000


def varying(seed: int, effect: float, rows: int = ROWS) -> Rows:
    """A window whose ranking, inputs and share of positives have effects of its own."""
    slope, centre, shift = np.random.default_rng([seed, 99]).normal(0.0, effect, 3)
    return chances(rows, seed, centre=-1.6 + centre, slope=1 + slope, shift=shift)


def judged(windows: list[Rows]) -> Baseline:
    scores, truths = (np.concatenate(column) for column in zip(*windows, strict=True))
    return a_judged_baseline(scores, truths)


def outcomes(baseline: Baseline, windows: list[Rows]) -> list[Outcomes | Residuals]:
    return [counted(baseline, rows).value() for rows in windows]


def taught(effect: float, windows: int = 60) -> Baseline:
    drawn = [varying(seed, effect) for seed in range(1, windows + 1)]
    baseline = judged(drawn)
    return msgspec.structs.replace(baseline, natural_performance=learn(baseline, outcomes(baseline, drawn)))


def reported(baseline: Baseline, rows: Rows, length: int = DAY_MS) -> PerformanceReport:
    return report(
        baseline,
        counted(baseline, rows),
        window_start=NOON_MS,
        window_end=NOON_MS + length,
        revision=1,
        predictions=len(rows[0]),
        final=True,
    )


TAUGHT = taught(0.3)
UNTAUGHT = msgspec.structs.replace(TAUGHT, natural_performance={})
AUC = Found("auc", 0.8, "higher", Interval(0.79, 0.81), Spread(0.1, 0.1))


def test_windows_that_are_samples_of_one_distribution_teach_hardly_any_variation() -> None:
    """400 windows: in standard deviations of sampling, tau is below a third."""
    learnt = taught(0.0, 400).natural_performance
    assert set(learnt) == {"auc", "average_precision", "log_loss", "calibration_error"}
    for name, each in learnt.items():
        assert each.between <= 3 * each.error, name
        assert abs(each.shift) <= 4 * sqrt(each.variance), name


def test_tau_squared_is_the_variance_that_windows_were_made_with() -> None:
    """The bias of 100 to 400 rows with a sampling variance of 4 a row, around means with variance 0.09."""
    rng = np.random.default_rng(5)
    windows: list[Rows] = []
    for _ in range(600):
        size = int(rng.integers(100, 400))
        truth = rng.normal(0, 2, size)
        windows.append((np.full(size, rng.normal(0.0, 0.3)), truth))
    predicted, truths = (np.concatenate(column) for column in zip(*windows, strict=True))
    baseline = with_residuals(a_baseline(scores=predicted, threshold=None), predicted, truths)
    found = learn(baseline, outcomes(baseline, windows))["bias"]
    assert found.between == pytest.approx(0.09, abs=4 * found.error)
    assert found.error == pytest.approx(sqrt(2 / 599) * (0.09 + 4 / 240), rel=0.3)
    assert found.windows == 600


def test_the_order_of_the_windows_does_not_matter_to_the_last_bit() -> None:
    drawn = [varying(seed, 0.3, 300) for seed in range(30)]
    baseline = judged(drawn)
    counts = outcomes(baseline, drawn)
    assert learn(baseline, counts) == learn(baseline, counts[::-1]) == learn(baseline, counts[7:] + counts[:7])


def test_windows_with_too_few_rows_or_truths_are_passed_over_and_too_few_windows_teach_nothing() -> None:
    drawn = [varying(seed, 0.3, 300) for seed in range(8)]
    baseline = judged(drawn)
    counts = outcomes(baseline, drawn)
    assert {each.windows for each in learn(baseline, counts).values()} == {8}
    assert learn(baseline, counts[:7]) == {}
    thin = counted(baseline, (drawn[0][0][:99], drawn[0][1][:99])).value()
    alone = counted(baseline, (np.full(300, 0.2), np.arange(300) < 9)).value()
    assert not enough(thin)
    assert not enough(alone)
    assert learn(baseline, [*counts, thin, alone]) == learn(baseline, counts)


def test_natural_windows_are_degraded_without_it_and_well_with_it() -> None:
    windows = [varying(seed, 0.3) for seed in range(1_000, 1_100)]
    before = sum(reported(UNTAUGHT, rows).status == "degraded" for rows in windows)
    after = sum(reported(TAUGHT, rows).status == "degraded" for rows in windows)
    assert before >= 40
    assert after <= 4


def test_a_fall_beyond_natural_variation_is_found_and_told_with_what_is_natural() -> None:
    found = reported(TAUGHT, chances(5_000, 1, slope=-0.3))
    auc = found.metric("auc")
    assert auc is not None
    assert (found.status, auc.degraded) == ("degraded", True)
    assert auc.value < auc.natural_low < auc.natural_high < 1  # type: ignore[operator]
    assert f"(natural: {auc.natural_low:.3f}-".replace("0.", ".") in found.summary


def test_what_was_learnt_never_adds_an_alarm() -> None:
    for seed in range(40):
        rows = varying(seed, 0.4)
        with_it, without = reported(TAUGHT, rows), reported(UNTAUGHT, rows)
        assert set(with_it.degraded) <= set(without.degraded)
        for ours, theirs in zip(with_it.metrics, without.metrics, strict=True):
            assert (ours.p_value is None) == (theirs.p_value is None)
            assert ours.p_value is None or ours.p_value >= theirs.p_value  # type: ignore[operator]


def test_nothing_learnt_and_no_variation_at_all_are_judged_alike() -> None:
    none = {name: BetweenWindows(between=0.0, windows=60) for name in TAUGHT.natural_performance}
    for seed in range(20):
        rows = varying(seed, 0.2)
        flat, as_before = (
            reported(msgspec.structs.replace(UNTAUGHT, natural_performance=found), rows) for found in (none, {})
        )
        assert flat.degraded == as_before.degraded
        for ours, theirs in zip(flat.metrics, as_before.metrics, strict=True):
            assert (ours.p_value or 0.0) == pytest.approx(theirs.p_value or 0.0, rel=1e-9)
    assert as_before.metric("auc").natural_low is None  # type: ignore[union-attr]


@given(
    value=st.floats(0.05, 0.95),
    between=st.floats(0, 4),
    more=st.floats(0, 4),
    shift=st.floats(-2, 2),
    of_window=st.floats(1e-6, 1),
)
def test_more_natural_variation_is_a_wider_tolerance(
    value: float, between: float, more: float, shift: float, of_window: float
) -> None:
    less, wide = (
        law(AUC, BetweenWindows(between=found, shift=shift, windows=60), of_window, 1e-4)
        for found in (between, between + more)
    )
    narrow_range, wide_range = natural_range(AUC, less), natural_range(AUC, wide)
    assert wide_range.low <= narrow_range.low + 1e-12
    assert wide_range.high >= narrow_range.high - 1e-12
    window = AUC._replace(value=value)
    if natural_p(window, less) < 0.5:  # worse than the centre
        assert natural_p(window, wide) >= natural_p(window, less) - 1e-12


def test_an_uncertain_variance_has_a_fatter_tail_and_a_certain_one_the_normal() -> None:
    sure = BetweenWindows(between=0.1, windows=10_000)
    certain, unsure = (law(AUC, found, 0.01, 0.0) for found in (sure, msgspec.structs.replace(sure, error=0.05)))
    assert certain.freedom == inf
    assert unsure.freedom == pytest.approx(2 * (0.11 / 0.05) ** 2)
    window = AUC._replace(value=0.55)
    z = (np.log(0.55 / 0.45) - np.log(4)) / sqrt(0.11)
    assert natural_p(window, certain) == pytest.approx(stats.norm.cdf(z))
    assert natural_p(window, unsure) == pytest.approx(stats.t.cdf(z, unsure.freedom))
    assert natural_p(window, unsure) > natural_p(window, certain)


def test_a_window_is_held_against_the_mean_of_windows_where_that_is_worse_than_all_rows_together() -> None:
    worse, better = (BetweenWindows(between=0.1, shift=shift, windows=60) for shift in (-0.4, 0.4))
    assert centre_of(AUC, worse) == pytest.approx(1 / (1 + np.exp(-(np.log(4) - 0.4))))
    assert centre_of(AUC, better) == pytest.approx(0.8)
    assert centre_of(AUC, None) == 0.8
    loss = Found("log_loss", 0.4, "lower", Interval(0.39, 0.41), Spread(any=0.1))
    assert centre_of(loss, BetweenWindows(between=0.0, shift=0.05, windows=60)) == pytest.approx(0.45)
    assert centre_of(loss, BetweenWindows(between=0.0, shift=-0.05, windows=60)) == pytest.approx(0.4)


def test_groups_that_all_move_by_one_rate_have_the_tail_of_their_sum() -> None:
    """Ten groups with one common effect: simulated, at the learnt law's own .01."""
    rng = np.random.default_rng(3)
    rows, between = 1_000.0, 0.02
    along = np.full(10, sqrt(rows * between / 10))
    sums = ((rng.normal(size=(40_000, 10)) + rng.normal(size=(40_000, 1)) * along) ** 2).sum(axis=1)
    variation = BetweenWindows(between=between, windows=60)
    alarms = np.mean([calibration_p(Surplus(x, 10, rows), variation) < 0.01 for x in sums.tolist()])
    assert 0.003 <= alarms <= 0.02
    assert calibration_p(Surplus(30.0, 10, rows)) == pytest.approx(stats.chi2.sf(30.0, 10))
    assert calibration_p(Surplus(30.0, 10, rows), BetweenWindows(between=0.0, windows=60)) == pytest.approx(
        stats.chi2.sf(30.0, 10)
    )


def test_a_window_of_another_length_than_was_learnt_from_is_told() -> None:
    natural = NaturalVariation(column="at", window_seconds=86_400, windows=60, learnt=True, performance_windows=60)
    baseline = msgspec.structs.replace(TAUGHT, natural=natural)
    assert reported(baseline, varying(1, 0.3)).notes == ()
    assert (
        "learnt from windows of 86400 s, this one has 3600 s" in reported(baseline, varying(1, 0.3), 3_600_000).notes[0]
    )
    why_not = msgspec.structs.replace(natural, performance_why_not="too few")
    told = msgspec.structs.replace(UNTAUGHT, natural=why_not)
    assert reported(told, varying(1, 0.3)).notes == ("natural variation of performance was not learnt: too few",)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({"between": -1.0}, "between is -1"), ({"shift": inf}, "shift is inf"), ({"windows": 1}, "learnt from 1 windows")],
)
def test_a_variation_that_cannot_be_is_refused(wrong: dict[str, float], why: str) -> None:
    with pytest.raises(InvalidBaseline, match=why):
        BetweenWindows(**{"between": 0.1, "windows": 60} | wrong)  # type: ignore[arg-type]
