"""What must hold of every cause, and histograms that are out of the ordinary."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.baseline import DECISION, SCORE, Reference
from contracts.binning import Bins, Levels
from contracts.findings import Cause
from contracts.histogram import Histogram
from contracts.reports import Finding
from stream_app.drift.cause.infer import infer
from tests.causes import VALUES, cause_of, levels, reference_of
from tests.drift import counted

ALL: tuple[Finding, ...] = ("values", "missing", "out_of_range", "unseen")
DRAWS: dict[str, Any] = {
    "normal": lambda rng, rows: rng.normal(0, 1, rows),
    "lognormal": lambda rng, rows: rng.lognormal(3, 1, rows),
    "heavy tails": lambda rng, rows: rng.standard_t(3, rows),
    "mostly zero": lambda rng, rows: np.where(rng.random(rows) < 0.7, 0.0, rng.gamma(2, 30, rows)),
    "counts": lambda rng, rows: rng.poisson(3, rows).astype(np.float64),
    "uniform": lambda rng, rows: rng.random(rows),
    "two humps": lambda rng, rows: np.where(rng.random(rows) < 0.6, rng.normal(8, 1, rows), rng.normal(17, 1.5, rows)),
    "levels": lambda rng, rows: rng.choice(["a", "b", "c", "d"], rows, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
}


def drawn(kind: str, rows: int, *seed: int) -> Any:
    return DRAWS[kind](np.random.default_rng(list(seed)), rows)


@pytest.mark.parametrize("kind", DRAWS)
def test_without_a_change_nobody_is_told_of_a_unit_or_of_broken_data(kind: str) -> None:
    reference = reference_of(drawn(kind, 30_000, 0))
    for seed in range(12):
        for rows in (1_000, 9_600):
            cause = infer(reference, counted(reference.bins, drawn(kind, rows, 1, seed)), VALUES, "feature")
            assert cause is None or not cause.of_data, cause


def test_without_a_change_and_without_a_finding_there_is_no_cause() -> None:
    for kind in ("normal", "levels"):
        assert cause_of(drawn(kind, 20_000, 0), drawn(kind, 1_000, 1), findings=()) is None


def test_identical_histograms_have_no_cause_but_their_finding() -> None:
    for kind in DRAWS:
        reference = reference_of(drawn(kind, 5_000, 0))
        assert infer(reference, reference.histogram, (), "feature") is None


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(sorted(DRAWS)),
    cuts=st.lists(st.integers(0, 900), max_size=5),
    change=st.sampled_from(["unit", "spike", "missing", "none"]),
    order=st.randoms(use_true_random=False),
)
def test_the_cause_is_the_same_however_the_window_was_cut_into_parts(
    kind: str, cuts: list[int], change: str, order: Any
) -> None:
    reference = REFERENCES[kind]
    column = list(drawn(kind, 900, 7))
    changed = {"unit": lambda v: v * 100, "spike": lambda v: -1.0, "missing": lambda v: None, "none": lambda v: v}
    if kind != "levels" or change == "missing":
        column[:250] = [changed[change](value) for value in column[:250]]
    whole = counted(reference.bins, column)
    bounds = [0, *sorted(cuts), len(column)]
    parts = [counted(reference.bins, column[a:b]) for a, b in itertools.pairwise(bounds)]
    order.shuffle(parts)
    merged = Histogram(reference.bins)
    for part in parts:
        merged.merge(part)
    assert infer(reference, merged, ALL, "feature") == infer(reference, whole, ALL, "feature")


REFERENCES = {kind: reference_of(drawn(kind, 5_000, 0)) for kind in DRAWS}


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("kind", ["normal", "lognormal", "uniform", "two humps"])
def test_the_share_of_a_spike_is_within_a_hundredth(kind: str, share: float) -> None:
    now = drawn(kind, 10_000, 3)
    now[: round(share * now.size)] = -999.0
    cause = cause_of(drawn(kind, 50_000, 0), now)
    assert cause is not None
    assert (cause.kind, cause.value) == ("spike", -999.0)
    assert cause.share == pytest.approx(share, abs=0.01)


def test_missing_comes_first_whatever_else_happened() -> None:
    now = np.concatenate((np.full(600, np.nan), drawn("normal", 1_400, 1) * 100))
    cause = cause_of(drawn("normal", 20_000, 0), now, ALL, "temp")
    assert cause == Cause(kind="missing", sentence="temp: missing 0 % -> 30 %", share=0.3)


def test_a_column_gone_empty_is_missing() -> None:
    for kind in DRAWS:
        cause = cause_of(drawn(kind, 5_000, 0), [None] * 1_000, ("missing",), "temp")
        assert cause == Cause(
            kind="missing", sentence="temp: all rows are missing (0 % in the reference)", share=1.0
        ), kind


def test_nulls_that_are_filled_by_a_default_are_a_spike_there() -> None:
    rng = np.random.default_rng(1)
    before = np.where(rng.random(20_000) < 0.4, np.nan, rng.lognormal(1, 0.5, 20_000))
    now = np.where(rng.random(2_000) < 0.4, 0.0, rng.lognormal(1, 0.5, 2_000))
    cause = cause_of(before, now, ("values", "missing"))
    assert cause is not None
    assert (cause.kind, cause.value) == ("spike", 0.0)


def test_fewer_missing_than_before_is_told_as_such_when_the_values_are_the_same() -> None:
    rng = np.random.default_rng(1)
    before = np.where(rng.random(20_000) < 0.4, np.nan, rng.normal(0, 1, 20_000))
    cause = cause_of(before, rng.normal(0, 1, 2_000), ("missing",), "temp")
    assert cause is not None
    assert cause.sentence == "temp: missing 40 % -> 0 %"


def test_one_stray_value_hides_no_cause() -> None:
    now = drawn("lognormal", 4_000, 1)
    now[:1_300] *= 100
    now[-1] = 1e15
    cause = cause_of(drawn("lognormal", 30_000, 0), now)
    assert cause is not None
    assert (cause.kind, cause.factor) == ("unit", 100.0)


@pytest.mark.parametrize("name", ["feature", SCORE, DECISION])
@pytest.mark.parametrize(
    "before",
    [
        np.full(100, 7.0),
        np.array([1.0]),
        np.array([0.0, 1e308, -1e308]),
        np.array([5e-324, 1e-300, 0.0]),
        np.array([np.nan, 3.0, np.nan]),
        np.array([0.0, 1.0] * 50),
        np.arange(10.0),
        np.random.default_rng(0).normal(1e15, 1, 500),
    ],
    ids=["constant", "one row", "huge", "tiny", "mostly missing", "two values", "ten rows", "far off"],
)
def test_no_reference_and_no_window_of_numbers_is_too_odd(before: np.ndarray, name: str) -> None:
    reference = reference_of(before)
    windows: list[list[float | None]] = [
        [],
        [None],
        [None] * 500,
        before.tolist(),
        [0.0] * 500,
        [7.0] * 499 + [8.0],
        [math.inf] * 300 + [-math.inf] * 300,
        [1e308, -1e308] * 200,
        [5e-324] * 300,
        np.random.default_rng(1).normal(3, 2, 700).tolist(),
        [1e9] * 200 + [None] * 200 + [math.nan] * 200,
    ]
    for window in windows:
        cause = infer(reference, counted(reference.bins, window), ALL, name)
        assert cause is None or _is_sound(cause)


def test_a_baseline_of_one_bin_or_without_a_value_tells_nothing_and_does_not_fail() -> None:
    everything = Bins((0.0,), -1e300, 1e300)
    empty = Reference.empty(everything)
    for window in ([], [1.0] * 300, [None] * 300):
        cause = infer(empty, counted(everything, window), ALL, SCORE)
        assert cause is None or _is_sound(cause)
    two = Reference(everything, (500, 500), 0, -5.0, 5.0)
    cause = infer(two, counted(everything, [1.0] * 300), VALUES, "feature")
    assert cause is None or _is_sound(cause)


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.5), (0.999, 0.001)])
def test_no_window_of_levels_is_too_odd(shares: tuple[float, ...]) -> None:
    reference = reference_of(levels(5_000, 1, shares))
    for window in ([], [None], [None] * 300, ["x"] * 300, ["a"] * 300, ["b"] * 300, ["a", None, "x"] * 100):
        cause = infer(reference, counted(reference.bins, window), ALL, "feature")
        assert cause is None or _is_sound(cause)


def test_ten_thousand_levels_are_no_more_work_than_their_bins() -> None:
    rng = np.random.default_rng(1)
    names = np.array([f"user-{i}" for i in range(10_000)])
    reference = reference_of(rng.choice(names, 100_000).tolist())
    assert reference.bins.size == 52
    window = counted(reference.bins, ["somebody else"] * 500 + rng.choice(names, 1_500).tolist())
    cause = infer(reference, window, ("unseen",), "user")
    assert cause is not None
    assert cause.kind == "new_level"
    assert cause.share == pytest.approx(0.25, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=40),
    now=st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=40),
    times=st.sampled_from([1, 30]),
)
def test_whatever_is_counted_something_sound_is_said(before: list[float], now: list[float | None], times: int) -> None:
    reference = reference_of(np.array(before * times))
    cause = infer(reference, counted(reference.bins, now * times), ALL, "feature")
    assert cause is None or _is_sound(cause)


def test_the_cause_of_an_unknown_boolean_is_new() -> None:
    reference = Reference.of(counted(Levels(("false",)), [False] * 500))
    cause = infer(reference, counted(reference.bins, [True] * 200 + [False] * 300), ALL, "is_new")
    assert cause is not None
    assert cause.kind == "new_level"


def _is_sound(cause: Cause) -> bool:
    numbers = (cause.share, cause.explained, cause.factor)
    assert cause.sentence
    assert "nan" not in cause.sentence.lower()
    assert all(number is None or math.isfinite(number) for number in numbers), cause
    assert cause.share is None or 0 <= cause.share <= 1, cause
    assert cause.explained is None or 0 <= cause.explained <= 1, cause
    return True
