"""Each family of numeric causes, with data in which it is the truth."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.baseline import SCORE
from contracts.findings import Cause
from stream_app.drift.cause.numbers import number
from stream_app.drift.cause.units import UNITS
from tests.causes import cause_of, some

ROWS, WINDOW = 30_000, 4_000


def miles(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.5, 400, rows)


def pressures(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1013, 8, rows)


def counts(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).poisson(3, rows).astype(np.float64)


def found(before: np.ndarray, now: np.ndarray, **more: str) -> Cause:
    cause = cause_of(before, now, **more)
    assert cause is not None
    return cause


@pytest.mark.parametrize("share", [0.2, 0.33, 1.0])
@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.609344, "miles -> kilometres"),
        (100.0, "fraction -> percent, or units -> cents"),
        (0.01, "percent -> fraction, or cents -> units"),
        (1000.0, "thousands -> units"),
        (-1.0, "sign flipped"),
    ],
)
def test_a_unit_is_named_with_its_factor_and_its_share_of_rows(factor: float, words: str, share: float) -> None:
    fresh = miles(WINDOW, 2)
    cause = found(miles(ROWS, 1), some(share, factor * fresh, fresh))
    assert (cause.kind, cause.unit) == ("unit", words)
    assert cause.factor == pytest.approx(factor)
    assert cause.share == pytest.approx(share, abs=0.03)
    assert cause.of_data


def test_the_share_of_rows_is_within_a_hundredth_where_the_unit_is_clear() -> None:
    for share in (0.05, 0.2, 0.5, 0.8):
        fresh = pressures(9_600, 2)
        cause = found(pressures(ROWS, 1), some(share, fresh * 100, fresh))
        assert cause.share == pytest.approx(share, abs=0.01)


def test_degrees_are_converted_with_their_offset() -> None:
    fahrenheit = np.random.default_rng(1).normal(60, 15, ROWS)
    fresh = np.random.default_rng(2).normal(60, 15, WINDOW)
    cause = found(fahrenheit, some(0.4, (fresh - 32) * 5 / 9, fresh), name="temp")
    assert cause.unit == "Fahrenheit -> Celsius"
    assert cause.sentence.endswith(" of rows look converted (Fahrenheit -> Celsius?)")


def test_a_narrow_feature_thrown_whole_into_one_overflow_bin_is_told_by_the_extremes() -> None:
    before = pressures(ROWS, 1)
    fresh = pressures(WINDOW, 2)
    for unit in UNITS:
        if unit.factor in (100.0, 0.01, 1000.0, 60.0, 1 / 60):
            cause = found(before, fresh * unit.factor)
            assert cause.unit == unit.words, unit


@pytest.mark.parametrize("share", [0.1, 0.33, 1.0])
@pytest.mark.parametrize("value", [0.0, -1.0, 999.0, -9999.0, 1e9])
def test_a_default_fill_is_a_spike_at_its_value(value: float, share: float) -> None:
    fresh = miles(WINDOW, 2)
    cause = found(miles(ROWS, 1), some(share, np.full(WINDOW, value), fresh))
    assert (cause.kind, cause.value) == ("spike", value)
    assert cause.share == pytest.approx(share, abs=0.01)


def test_a_stuck_sensor_inside_the_range_is_a_spike_near_its_value() -> None:
    fresh = pressures(WINDOW, 2)
    cause = found(pressures(ROWS, 1), some(0.2, np.full(WINDOW, 1015.3), fresh))
    assert cause.kind == "spike"
    assert cause.value == pytest.approx(1015.3, abs=0.2)
    assert "about 1,015" in cause.sentence


def test_a_spike_on_a_value_that_was_frequent_before_tells_both_shares() -> None:
    cause = found(counts(ROWS, 1), some(0.2, np.zeros(WINDOW), counts(WINDOW, 2)), name="stops")
    assert cause.kind == "spike"
    assert cause.share == pytest.approx(0.2, abs=0.01)
    assert cause.sentence == "stops: 25 % of rows are 0 (5 % in the reference)"


@pytest.mark.parametrize("value", [2.0, 11.3, 100.0, -1.0])
def test_a_constant_that_takes_another_value_is_just_that_value_whatever_the_factor(value: float) -> None:
    cause = found(np.full(ROWS, 1.0), np.full(WINDOW, value), name="version")
    assert (cause.kind, cause.value, cause.share) == ("spike", value, 1.0)
    assert cause.sentence == f"version: all rows are {value:g}"


def test_what_lies_in_a_bin_beyond_the_reference_is_not_known_to_be_one_value() -> None:
    constant = found(np.full(ROWS, 7.0), some(0.3, np.full(WINDOW, 11.0), np.full(WINDOW, 7.0)), name="size")
    assert constant.kind == "out_of_range"
    assert constant.sentence == "size: 30 % of values are out of range, up to 11 (the reference: 7)"
    crowd = np.random.default_rng(3).uniform(1060, 1090, WINDOW)  # of many values, where a tenth could be one
    assert found(pressures(ROWS, 1), some(0.1, crowd, pressures(WINDOW, 2))).kind != "spike"


@pytest.mark.parametrize("sds", [3.0, 4.0, 5.0, 7.0, -5.0])
def test_a_shift_by_several_standard_deviations_is_no_spike_though_it_fills_one_bin(sds: float) -> None:
    temperatures = np.round(np.random.default_rng(1).normal(37, 10, ROWS) * 1.8) / 1.8
    fresh = np.round(np.random.default_rng(2).normal(37, 10, 1_000) * 1.8) / 1.8
    cause = found(temperatures, fresh + 10 * sds, name="temp")
    assert cause.kind == "shift"
    assert cause.value == pytest.approx(10 * sds, rel=0.1)
    ends = f"now {number(fresh.min() + 10 * sds)} to {number(fresh.max() + 10 * sds)} (the reference: "
    assert ends in cause.sentence


def test_one_day_of_another_season_is_shifted_to_where_its_values_lie() -> None:
    winter = np.round(np.random.default_rng(1).normal(25, 14, ROWS) * 1.8) / 1.8
    day = np.round(np.random.default_rng(2).normal(74, 2.5, 1_000) * 1.8) / 1.8 + 20
    cause = found(winter, day, name="dewp")
    assert cause.kind == "shift"
    assert isinstance(cause.value, float)
    assert day.min() <= np.median(winter) + cause.value <= day.max()
    assert not cause.of_data


def test_a_hill_of_values_near_one_another_is_not_told_as_one_value() -> None:
    rng = np.random.default_rng(2)
    reference = np.round(np.random.default_rng(1).normal(55, 18, ROWS), 2)
    hills = np.concatenate((rng.normal(93.6, 0.4, 200), rng.normal(83, 2, 400), rng.normal(50, 3, 400)))
    assert found(reference, np.round(hills, 2)).kind != "spike"


@pytest.mark.parametrize("by", [-8.0, 3.0, 20.0, 400.0])
def test_a_shift_is_told_by_its_size(by: float) -> None:
    cause = found(pressures(ROWS, 1), pressures(WINDOW, 2) + by)
    assert cause.kind == "shift"
    assert cause.value == pytest.approx(by, abs=1.0)
    assert not cause.of_data


def test_counts_shift_by_a_fraction_too() -> None:
    cause = found(counts(ROWS, 1), counts(WINDOW, 2) + 0.35)
    assert cause.kind == "shift"
    assert cause.value == pytest.approx(0.35, abs=0.01)


def test_values_that_move_and_are_rounded_again_are_shifted_all_the_same() -> None:
    readings = np.round(np.random.default_rng(1).normal(20, 5, ROWS) * 2) / 2
    moved = np.round((np.random.default_rng(2).normal(20, 5, WINDOW) + 3.2) * 2) / 2
    cause = found(readings, moved)
    assert cause.kind == "shift"
    assert cause.value == pytest.approx(3.2, abs=0.4)


def test_a_ratio_that_no_unit_has_is_told_without_one() -> None:
    cause = found(miles(ROWS, 1), miles(WINDOW, 2) * 1.35)
    assert (cause.kind, cause.unit) == ("ratio", None)
    assert cause.factor == pytest.approx(1.35, abs=0.05)
    assert not cause.of_data


@pytest.mark.parametrize("factor", [0.5, 1.4, 3.0])
def test_a_spread_about_the_median_is_told_by_its_factor(factor: float) -> None:
    cause = found(pressures(ROWS, 1), 1013 + factor * (pressures(WINDOW, 2) - 1013))
    assert cause.kind == "spread"
    assert cause.factor == pytest.approx(factor, rel=0.1)
    assert cause.value == pytest.approx(1013, abs=0.5)


@pytest.mark.parametrize("upper", [True, False])
def test_a_longer_tail_is_told_by_its_side(upper: bool) -> None:
    sign = 1 if upper else -1
    fresh = sign * np.random.default_rng(2).normal(0, 1, WINDOW)
    now = sign * np.where(fresh > 0.84, 0.84 + 2.5 * (fresh - 0.84), fresh)
    cause = found(np.random.default_rng(1).normal(0, 1, ROWS), now)
    assert cause.kind == "tail"
    assert f"the {'upper' if upper else 'lower'} tail is longer" in cause.sentence


@pytest.mark.parametrize("upper", [True, False])
def test_a_limit_is_told_exactly(upper: bool) -> None:
    fresh = miles(WINDOW, 2)
    now = np.minimum(fresh, 1500.25) if upper else np.maximum(fresh, 600.5)
    cause = found(miles(ROWS, 1), now)
    assert cause.kind == "clip"
    assert cause.value == (1500.25 if upper else 600.5)


def test_a_summer_after_a_winter_is_out_of_range_or_shifted_but_no_unit() -> None:
    summer = np.concatenate(
        (np.random.default_rng(2).normal(70, 9, WINDOW), np.random.default_rng(3).normal(50, 4, 900))
    )
    cause = found(np.random.default_rng(1).normal(35, 10, ROWS), summer, name="temp")
    assert cause.kind in ("shift", "out_of_range")


def test_values_beyond_the_range_in_no_simple_way_are_out_of_range() -> None:
    rng = np.random.default_rng(2)
    clumps = [rng.uniform(low, low + 0.06, 500) for low in (0.02, 0.3, 0.55, 0.9)]
    now = np.concatenate((*clumps, rng.uniform(-40, 90, 200)))
    cause = found(np.random.default_rng(1).uniform(0, 1, ROWS), now, name="ratio")
    assert cause.kind == "out_of_range"
    assert "9.1 % of values are out of range, down to -38.8 and up to 89.4" in cause.sentence


def test_a_change_that_nothing_explains_is_called_reshaped() -> None:
    rng = np.random.default_rng(2)
    now = np.concatenate([rng.uniform(low, low + 0.06, WINDOW // 4) for low in (0.02, 0.3, 0.55, 0.9)])
    cause = found(np.random.default_rng(1).uniform(0, 1, ROWS), now)
    assert cause.kind == "reshaped"
    assert cause.explained is not None
    assert cause.explained < 0.2


def test_the_score_of_a_model_has_no_unit() -> None:
    score = np.random.default_rng(1).beta(2, 5, ROWS)
    cause = found(score, np.random.default_rng(2).beta(2, 5, WINDOW) * 100, name=SCORE)
    assert cause.kind != "unit"
    assert cause.sentence.startswith("the score: ")
