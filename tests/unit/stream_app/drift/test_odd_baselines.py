"""Baselines of odd data: they are made, quiet windows are quiet, and what changes is found or said to be missed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.baseline import Baseline
from contracts.reports import DriftReport, decode_report, encode_report
from contracts.schema import Feature, FeatureSchema
from contracts.window import WindowCounts
from stream_app.drift.report import report
from tests.builders import NOON_MS, a_baseline

LEVELS = np.array([f"level {i}" for i in range(10_000)], dtype=object)


def of_one(kind: str, values: Any) -> Baseline:
    schema = FeatureSchema((Feature("x", kind),))  # type: ignore[arg-type]
    return a_baseline(schema=schema, columns={"x": values}, rows=len(values))


def closed(baseline: Baseline, values: Any) -> DriftReport:
    window = WindowCounts(baseline)
    window.add_columns([values], np.random.default_rng(1).random(len(values)), [None] * len(values))
    found = report(
        baseline,
        window,
        window_start=NOON_MS,
        window_end=NOON_MS + 1,
        rows=window.rows,
        merged_windows=0,
        partitions={},
    )
    assert decode_report(encode_report(found)) == found  # all of it finite: JSON has neither NaN nor infinity
    return found


def findings(found: DriftReport) -> tuple[str, ...]:
    verdict = found.verdict("x")
    assert verdict is not None
    return verdict.findings


def test_a_constant_feature_is_quiet_while_it_stays_so_and_found_when_it_does_not() -> None:
    baseline = of_one("numeric", np.full(5_000, 7.0))
    assert closed(baseline, np.full(1_000, 7.0)).status == "quiet"
    assert findings(closed(baseline, np.full(1_000, 8.0))) == ("values", "out_of_range")
    assert closed(baseline, np.r_[np.full(999, 7.0), 8.0]).status == "quiet"
    assert closed(baseline, np.r_[np.full(999, 7.0), np.nan]).status == "quiet"


@pytest.mark.parametrize("rows", [1, 10, 50])
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_handful_of_rows_makes_no_false_alarms_and_a_note_in_every_report(kind: str, rows: int) -> None:
    rng = np.random.default_rng(rows)

    def drawn(n: int) -> Any:
        return rng.normal(size=n) if kind == "numeric" else rng.choice(LEVELS[:4], n).tolist()

    reports = [closed(of_one(kind, drawn(rows)), drawn(2_000)) for _ in range(40)]
    assert sum(found.status == "alarm" for found in reports) <= 3
    assert all(f"the baseline has {rows} row" in " ".join(found.notes) for found in reports)


def test_ten_thousand_levels_are_quiet_and_a_new_one_is_found() -> None:
    rng = np.random.default_rng(0)
    values = rng.choice(LEVELS, 100_000).tolist()
    baseline = of_one("categorical", values)
    once = sum(amount == 1 for amount in Counter(values).values())
    known = msgspec.structs.replace(baseline.features["x"], singles=once)
    baseline = msgspec.structs.replace(baseline, features={"x": known})
    windows = [rng.choice(LEVELS, 2_000).tolist() for _ in range(10)]
    assert [closed(baseline, window).status for window in windows] == ["quiet"] * 10
    assert "unseen" in findings(closed(baseline, windows[0][:1_900] + ["new"] * 100))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e9, np.nan])
def test_one_value_from_nowhere_is_counted_and_does_not_alarm(value: float) -> None:
    rng = np.random.default_rng(0)
    baseline = of_one("numeric", rng.normal(size=20_000))
    found = closed(baseline, np.r_[rng.normal(size=999), value])
    verdict = found.verdict("x")
    assert found.status == "quiet"
    assert verdict is not None
    assert (verdict.missing if np.isnan(value) else verdict.out_of_range) >= 1


def test_many_infinities_are_out_of_range() -> None:
    rng = np.random.default_rng(0)
    window = rng.normal(size=1_000)
    window[:50], window[50:100] = np.inf, -np.inf
    assert "out_of_range" in findings(closed(of_one("numeric", rng.normal(size=20_000)), window))


def test_a_feature_that_was_nearly_always_missing_is_found_when_it_comes_and_when_it_goes() -> None:
    rng = np.random.default_rng(0)
    rare = np.where(rng.random(20_000) < 0.99, np.nan, rng.normal(size=20_000))
    baseline = of_one("numeric", rare)
    assert closed(baseline, rare[:2_000]).status == "quiet"
    assert findings(closed(baseline, rng.normal(size=2_000))) == ("missing",)
    assert findings(closed(of_one("numeric", rng.normal(size=20_000)), np.full(2_000, np.nan))) == ("missing",)
