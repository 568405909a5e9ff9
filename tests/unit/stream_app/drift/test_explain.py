"""What is said of alarming features, in which order, and what is called harmless."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from contracts.baseline import SCORE, Baseline
from contracts.binning import Bins
from contracts.dependence import ScoreDependence
from contracts.reports import DriftReport
from contracts.variation import NaturalVariation
from contracts.window import WindowCounts
from stream_app.drift.effect import HARMLESS
from stream_app.drift.explain import MOST
from stream_app.drift.report import report
from stream_app.drift.rule import CALIBRATED, CLASSIC
from tests.builders import NOON_MS, a_baseline, a_schema, reference_columns

SCHEMA = a_schema(numeric=("strong", "weak", "unknown"), categorical=())
HOUR_MS = 3_600_000


def known(slope: float, baseline: Baseline, name: str) -> ScoreDependence:
    """The score rises by `slope` over 40 units of the feature."""
    bins = baseline.features[name].bins
    assert isinstance(bins, Bins)
    values = np.clip(bins.edge_array, bins.lowest - 30, bins.highest + 30)
    ends = (float(values[0]), float(values[-1]))
    low, *means = (0.5 + slope * (values - 100) / 40).tolist()
    return ScoreDependence(
        bin_starts=tuple(range(bins.size)),
        bin_scores=(low, low, *means),
        at=ends,
        partial=(low, means[-1]),
        sample_score=0.5,
    )


def with_dependence(slopes: dict[str, float]) -> Baseline:
    plain = a_baseline(schema=SCHEMA, rows=20_000)
    features = dict(plain.features)
    for name, slope in slopes.items():
        features[name] = msgspec.structs.replace(features[name], dependence=known(slope, plain, name))
    return msgspec.structs.replace(plain, features=features)


def closed(baseline: Baseline, change: dict[str, Any], rows: int = 1_000, **fields: Any) -> DriftReport:
    columns = reference_columns(baseline.schema, rows, seed=5)
    for name, by in change.items():
        columns[name] = by(columns[name])
    scores = np.random.default_rng(6).random(rows)
    window = WindowCounts(baseline)
    window.add_columns([columns[feature.name] for feature in baseline.schema.monitored], scores, [None] * rows)
    times = {"window_start": NOON_MS, "window_end": NOON_MS + HOUR_MS, "rows": rows}
    return report(baseline, window, **{**times, "merged_windows": 0, "partitions": {}, **fields})


def moved(x: Any) -> Any:
    return x + 8


def test_alarms_are_ranked_by_their_effect_on_the_score_and_unknown_ones_come_before_harmless_ones() -> None:
    baseline = with_dependence({"strong": 0.5, "weak": 0.001})
    found = closed(baseline, {"weak": lambda x: x + 20, "strong": lambda x: x + 5, "unknown": lambda x: x + 12})
    assert found.alarms == ("strong", "unknown", "weak")  # by p alone the other way round
    effects = {verdict.feature: verdict.model_effect for verdict in found.features}
    assert effects["unknown"] is None
    assert effects["strong"] is not None
    assert effects["strong"].expected is not None
    assert abs(effects["strong"].expected.score - 0.5 * 5 / 40) < 0.02
    assert {verdict.feature for verdict in found.features if verdict.harmless} == {"weak"}


def test_broken_data_whose_effect_is_not_known_ranks_as_unknown_and_not_by_what_the_world_would_do() -> None:
    baseline = with_dependence({"strong": 0.5, "weak": 0.001, "unknown": 0.0})
    told = msgspec.structs.replace(known(0.0, baseline, "unknown"), at=(), partial=None, sample_score=None)
    features = dict(baseline.features)
    features["unknown"] = msgspec.structs.replace(features["unknown"], dependence=told)
    found = closed(
        msgspec.structs.replace(baseline, features=features),
        {"weak": lambda x: x + 20, "strong": lambda x: x + 5, "unknown": lambda x: x * 100},
    )
    assert found.alarms == ("strong", "unknown", "weak")
    verdict = found.verdict("unknown")
    assert verdict is not None
    assert verdict.cause is not None
    assert verdict.cause.of_data
    assert verdict.model_effect is not None
    assert (verdict.model_effect.headline, verdict.model_effect.expected) == ("data", None)
    assert not verdict.harmless


def test_what_does_not_alarm_has_neither_cause_nor_effect_and_is_not_called_harmless() -> None:
    found = closed(with_dependence({"strong": 0.5, "weak": 0.0}), {"strong": moved})
    for verdict in found.features:
        assert verdict.alarm == (verdict.feature == "strong")
        assert (verdict.model_effect is not None) == verdict.alarm
        assert (verdict.cause is not None) == verdict.alarm
        assert not verdict.harmless


def test_harmless_never_silences_missing_or_out_of_range() -> None:
    baseline = with_dependence({"weak": 0.0})

    def emptied(x: Any) -> Any:
        return np.where(np.arange(x.size) < 300, np.nan, x)

    def far(x: Any) -> Any:
        return np.where(np.arange(x.size) < 300, 1e6, x)

    for change in (emptied, far):
        verdict = closed(baseline, {"weak": change}).verdict("weak")
        assert verdict is not None
        assert verdict.alarm
        assert not verdict.harmless


def test_the_score_ranks_behind_the_features_that_move_it() -> None:
    baseline = with_dependence({"strong": 0.5})
    window = WindowCounts(baseline)
    columns = reference_columns(SCHEMA, 1_000, seed=5)
    scores = np.random.default_rng(6).random(1_000) ** 3
    window.add_columns([moved(columns["strong"]), columns["weak"], columns["unknown"]], scores, [None] * 1_000)
    found = report(baseline, window, window_start=0, window_end=HOUR_MS, rows=1_000, merged_windows=0, partitions={})
    assert found.alarms == ("strong", SCORE)


def test_the_change_of_the_score_itself_ranks_it_before_no_feature_that_matters() -> None:
    baseline = with_dependence({"strong": 0.1})
    bins = baseline.score.bins
    assert isinstance(bins, Bins)
    own = ScoreDependence(bin_starts=tuple(range(bins.size)), bin_scores=(0.0, *bins.edge_array.tolist()))
    baseline = msgspec.structs.replace(baseline, score=msgspec.structs.replace(baseline.score, dependence=own))
    window, columns = WindowCounts(baseline), reference_columns(SCHEMA, 1_000, seed=5)
    scores = np.random.default_rng(6).random(1_000) ** 3
    window.add_columns([moved(columns["strong"]), columns["weak"], columns["unknown"]], scores, [None] * 1_000)
    found = report(baseline, window, window_start=0, window_end=HOUR_MS, rows=1_000, merged_windows=0, partitions={})
    changes = {verdict.feature: verdict.model_effect for verdict in found.features if verdict.alarm}
    of_score, of_feature = changes[SCORE], changes["strong"]
    assert of_score is not None
    assert of_feature is not None
    assert abs(of_score.expected.score) > 5 * abs(of_feature.expected.score) > 5 * HARMLESS
    assert found.alarms == ("strong", SCORE)


def test_in_a_storm_only_the_strongest_are_explained_and_the_report_says_so() -> None:
    names = tuple(f"n{i}" for i in range(MOST + 5))
    baseline = a_baseline(schema=a_schema(numeric=names, categorical=()), rows=5_000)
    found = closed(baseline, dict.fromkeys(names, moved))
    assert len(found.alarms) == len(names)
    assert sum(verdict.cause is not None for verdict in found.features) == MOST
    assert f"{MOST + 5} features alarm: causes and effects are of the strongest {MOST}" in found.notes


def test_notes_say_what_the_verdicts_lack() -> None:
    baseline = a_baseline(schema=SCHEMA, rows=2_000)
    assert closed(baseline, {}).notes == (
        "natural variation was not learnt: the baseline was made without --window",
        "no model effects: the baseline was fitted without scores",
    )
    assert closed(baseline, {}, rule=CLASSIC).notes[0] == CLASSIC.known_false_alarms
    assert "59 % of the windows" in CLASSIC.known_false_alarms


def test_notes_say_why_natural_variation_was_not_learnt_or_that_windows_differ_in_length() -> None:
    baseline = with_dependence({"strong": 0.5})
    few = NaturalVariation(column="t", window_seconds=3600, windows=7, learnt=False, why_not="7 windows are too few")
    plenty = msgspec.structs.replace(few, windows=90, learnt=True, why_not="")
    for natural, said in (
        (few, ("natural variation was not learnt: 7 windows are too few",)),
        (plenty, ()),
        (
            msgspec.structs.replace(plenty, window_seconds=86_400),
            (
                "natural variation was learnt from windows of 86400 s, this one has 3600 s: "
                "what varies from window to window may differ",
            ),
        ),
    ):
        assert closed(msgspec.structs.replace(baseline, natural=natural), {}, rule=CALIBRATED).notes == said


def test_without_a_model_to_ask_the_notes_say_so() -> None:
    baseline = a_baseline(schema=SCHEMA, rows=2_000)
    world = ScoreDependence(bin_starts=(0,), bin_scores=(0.5,))
    features = {name: msgspec.structs.replace(of, dependence=world) for name, of in baseline.features.items()}
    notes = closed(msgspec.structs.replace(baseline, features=features), {}).notes
    assert notes[-1] == "no effect of broken data on the model: the baseline was fitted without a model to ask"
