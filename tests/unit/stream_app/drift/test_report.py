"""From window to report: what alarms, what stays quiet, and what the report says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.baseline import DECISION, SCORE, Baseline
from contracts.reports import DriftReport, decode_report, encode_report
from contracts.schema import Feature, FeatureSchema
from contracts.variation import LearntNull
from contracts.window import WindowCounts
from stream_app.drift.natural import LEARNABLE
from stream_app.drift.report import compare, report
from stream_app.drift.rule import CALIBRATED, CLASSIC
from tests.builders import NOON_MS, a_baseline, a_schema, reference_columns

SCHEMA = a_schema(numeric=tuple(f"n{i}" for i in range(8)), categorical=("c0", "c1"))
BASELINE = a_baseline(schema=SCHEMA, rows=20_000)
Columns = dict[str, Any]


def a_window(
    baseline: Baseline = BASELINE,
    rows: int = 1_000,
    *,
    seed: int = 77,
    change: Callable[[Columns], object] = lambda _: None,
    scores: Any = None,
    decided: bool = True,
) -> WindowCounts:
    columns = reference_columns(baseline.schema, rows, seed)
    change(columns)
    scores = np.random.default_rng(seed + 1).random(rows) if scores is None else scores
    window = WindowCounts(baseline)
    decisions = (scores >= 0.5).tolist() if decided else [None] * rows
    window.add_columns([columns[feature.name] for feature in baseline.schema.monitored], scores, decisions)
    return window


def a_report(window: WindowCounts, baseline: Baseline = BASELINE, **fields: Any) -> DriftReport:
    times = {"window_start": NOON_MS, "window_end": NOON_MS + 3_600_000}
    plain = {"rows": window.rows, "merged_windows": 0, "partitions": {3: 41}}
    return report(baseline, window, **{**times, **plain, **fields})


def test_a_quiet_window_has_a_verdict_on_everything_watched_and_no_alarm() -> None:
    found = a_report(a_window())
    assert found.status == "quiet"
    assert found.alarms == ()
    assert [verdict.feature for verdict in found.features] == [*SCHEMA.names, SCORE, DECISION]
    assert [verdict.kind for verdict in found.features[-4:]] == ["categorical", "categorical", "score", "decision"]
    assert decode_report(encode_report(found)) == found


def test_quiet_windows_seldom_alarm() -> None:
    alarms = sum(any(v.alarm for v in compare(BASELINE, a_window(rows=500, seed=seed))) for seed in range(300))
    assert alarms <= 9  # 1.5 % are 4.5; more than 9 have a chance of 2 %


def test_the_classic_preset_alarms_on_many_quiet_windows() -> None:
    alarms = sum(any(v.alarm for v in compare(BASELINE, a_window(seed=seed), CLASSIC)) for seed in range(40))
    assert alarms > 8


def taught(baseline: Baseline = BASELINE) -> Baseline:
    """With nulls that were learnt from windows which vary a lot."""
    nulls = dict.fromkeys(LEARNABLE, LearntNull(True, 0.01, 0.5, 0.6, 60))
    features = {name: msgspec.structs.replace(of, natural=nulls) for name, of in baseline.features.items()}
    positives = {"positives": nulls["positives"]}
    return msgspec.structs.replace(baseline, features=features, natural_positives=positives)


def test_the_classic_preset_does_not_use_what_was_learnt() -> None:
    window = a_window(change=shift("n3", 1.0))
    assert compare(taught(), window, CLASSIC) == compare(BASELINE, window, CLASSIC)
    assert compare(taught(), window) != compare(BASELINE, window)


def test_decisions_are_held_against_their_learnt_null() -> None:
    window = a_window(scores=np.random.default_rng(3).random(1_000) ** 0.6)
    by_sampling, learnt = (compare(baseline, window)[-1] for baseline in (BASELINE, taught()))
    assert by_sampling.feature == learnt.feature == DECISION
    assert by_sampling.statistics[0].null == "sampling"
    assert learnt.statistics[0].null == "learnt"
    assert by_sampling.alarm
    assert learnt.p_value > 0.005
    assert not learnt.alarm


def shift(name: str, by: float) -> Callable[[Columns], object]:
    def change(columns: Columns) -> None:
        columns[name] = columns[name] + by

    return change


def test_a_shifted_feature_alarms_alone_and_says_so() -> None:
    found = a_report(a_window(change=shift("n3", 3.0)))
    assert (found.status, found.alarms) == ("alarm", ("n3",))
    verdict = found.verdict("n3")
    assert verdict is not None
    assert verdict.findings == ("values",)
    assert verdict.significant
    assert verdict.material
    assert verdict.effect == next(s.value for s in verdict.statistics if s.name == "ks") > 0.1


def test_alarms_are_ordered_by_p() -> None:
    def change(columns: Columns) -> None:
        for name, by in (("n1", 3.0), ("n5", 9.0), ("n7", 5.0)):
            columns[name] = columns[name] + by

    assert a_report(a_window(change=change)).alarms == ("n5", "n7", "n1")


def test_an_immaterial_change_does_not_alarm_however_many_rows_show_it() -> None:
    verdict = compare(BASELINE, a_window(rows=200_000, change=shift("n3", 0.6)))[3]
    assert verdict.significant
    assert not verdict.material
    assert not verdict.alarm


def put(name: str, value: Any, rows: int = 1) -> Callable[[Columns], object]:
    def change(columns: Columns) -> None:
        columns[name][:rows] = [value] * rows

    return change


@pytest.mark.parametrize(
    ("name", "value", "counter"),
    [
        ("n0", np.nan, "missing"),
        ("c0", "never seen", "unseen"),
        ("n0", 1e9, "out_of_range"),
        ("n0", np.inf, "out_of_range"),
    ],
)
def test_one_odd_value_moves_a_counter_and_alarms_nobody(name: str, value: Any, counter: str) -> None:
    found = a_report(a_window(change=put(name, value)))
    verdict = found.verdict(name)
    assert found.status == "quiet"
    assert verdict is not None
    assert getattr(verdict, counter) == 1


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [("n0", np.nan, "missing"), ("c0", None, "missing"), ("n0", 1e9, "out_of_range"), ("c1", "never seen", "unseen")],
)
def test_many_odd_values_alarm_by_name(name: str, value: Any, finding: str) -> None:
    found = a_report(a_window(change=put(name, value, 200)))
    verdict = found.verdict(name)
    assert found.alarms == (name,)
    assert verdict is not None
    assert finding in verdict.findings


def test_a_column_gone_empty_alarms_by_its_missing_rate_with_the_largest_effect() -> None:
    found = a_report(a_window(change=put("n0", np.nan, 1_000)))
    verdict = found.verdict("n0")
    assert found.alarms == ("n0",)
    assert verdict is not None
    assert verdict.findings == ("missing",)
    assert verdict.effect == 1.0
    assert verdict.p_value < 1e-9


def test_a_drifted_score_and_the_decisions_that_follow_alarm() -> None:
    found = a_report(a_window(scores=np.random.default_rng(3).random(1_000) ** 0.6))
    assert set(found.alarms) == {SCORE, DECISION}
    decision = found.verdict(DECISION)
    assert decision is not None
    assert decision.findings == ("positives",)
    assert decision.statistics[0].reference == pytest.approx(0.5, abs=0.02)
    assert decision.effect == pytest.approx(decision.statistics[0].value - decision.statistics[0].reference)


def test_decisions_are_watched_only_where_both_sides_have_some() -> None:
    without = a_baseline(schema=SCHEMA, threshold=None)
    for baseline, window in ((BASELINE, a_window(decided=False)), (without, a_window(without))):
        assert [verdict.feature for verdict in compare(baseline, window)][-1] == SCORE


def test_the_share_of_positives_is_of_the_rows_with_a_decision() -> None:
    window = WindowCounts(BASELINE)
    columns = reference_columns(SCHEMA, 1_000, seed=77)
    scores = np.random.default_rng(78).random(1_000)
    decisions = [None if i % 2 else score >= 0.5 for i, score in enumerate(scores.tolist())]
    window.add_columns([columns[name] for name in SCHEMA.names], scores, decisions)
    decision = compare(BASELINE, window)[-1]
    assert decision.rows == 500
    assert not decision.alarm


def test_a_thin_window_is_insufficient_and_compares_nothing() -> None:
    found = a_report(a_window(rows=CALIBRATED.n_min - 1))
    assert (found.status, found.compared_rows, found.rows) == ("insufficient", 0, 199)
    assert found.features == ()
    assert a_report(a_window(rows=CALIBRATED.n_min)).compared_rows == 200


def test_a_report_tells_its_own_rows_from_those_merged_in() -> None:
    window = a_window(rows=120)
    window.merge(a_window(rows=150, seed=78))
    found = a_report(window, rows=150, merged_windows=1)
    assert (found.rows, found.compared_rows, found.merged_windows) == (150, 270, 1)
    assert found.partitions == {3: 41}


def test_times_are_exact_to_the_millisecond_and_in_utc() -> None:
    found = a_report(a_window(), window_start=1_735_689_600_123, window_end=1_735_693_200_123)
    assert found.window_start == datetime(2025, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)
    assert found.id == "flights/1/2025-01-01T00:00:00.123000+00:00"
    assert found.baseline == BASELINE.digest
    assert found.preset == "calibrated"


def test_a_baseline_of_odd_features_is_compared_without_warnings(recwarn: pytest.WarningsRecorder) -> None:
    names = ("constant", "nearly empty", "binary", "few rows")
    flag = Feature("flag", "boolean")
    schema = FeatureSchema(
        (*(Feature(name, "numeric") for name in names), flag, Feature("silent", "numeric", monitored=False))
    )
    rng = np.random.default_rng(0)
    columns: Columns = {
        "constant": np.ones(300),
        "nearly empty": np.r_[[4.2], np.full(299, np.nan)],
        "binary": (rng.random(300) < 0.5).astype(float),
        "few rows": rng.normal(size=300),
        "flag": (rng.random(300) < 0.5).tolist(),
    }
    baseline = a_baseline(schema=schema, columns=columns, rows=300)
    for value in (1.0, 7.0, np.nan, -np.inf):
        window = WindowCounts(baseline)
        window.add_columns([np.full(250, value)] * 4 + [[None] * 250], np.full(250, 0.3), [None] * 250)
        verdicts = compare(baseline, window)
        assert [verdict.feature for verdict in verdicts] == [*names, "flag", SCORE]
        assert all(np.isfinite([verdict.p_value, verdict.effect]).all() for verdict in verdicts)
    assert not recwarn.list
