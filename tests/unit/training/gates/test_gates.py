"""Every gate lets an honest version through, and stops what it is there to stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON, a_baseline, a_schema
from tests.gated import FEW, blurred, evidence, found, report_of, with_evaluation
from training.errors import GateError
from training.evaluation.record import ScorerSize
from training.gate import GATES, Override, decode_gate_report, encode_gate_report, judge
from training.gates.rules import Fairness, Floor, Leak, NoDegradation, Rules, TrainingData
from training.reports.gate_words import gate_lines, gate_markdown


def test_an_honest_challenger_passes_every_gate_and_the_report_says_so() -> None:
    report = report_of(evidence())
    assert report.status == "passed", gate_lines(report)
    assert report.may_go_on
    assert report.champion == "1"
    assert [finding.gate for finding in report.findings] == [name for name, _ in GATES]


def test_a_first_version_has_nobody_to_be_compared_with_and_is_told_so() -> None:
    report = report_of(evidence(champion_blur=None))
    said = {finding.gate: finding.says for finding in report.findings}
    assert report.status == "passed"
    assert {gate for gate, text in said.items() if text.startswith("no champion")} == {
        "schema",
        "no-degradation",
        "training-data",
    }


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_challenger_with_shuffled_labels_never_passes(seed: int) -> None:
    honest = evidence(seed=seed)
    order = np.random.default_rng(seed).permutation(honest.labels.size)
    fitted_to_noise = replace(honest, scores=honest.scores[order])
    noise_all_through = replace(honest, labels=honest.labels[order])
    for made in (fitted_to_noise, noise_all_through):
        assert "quality" in report_of(made).failed
        assert "quality" in report_of(replace(made, champion=None)).failed
    assert "no-degradation" in report_of(fitted_to_noise).failed


def leaking(kind: str, seed: int = 3) -> Any:
    """A column of the challenger's rows that knows the label, in one of the ways that columns do."""
    made, draw = evidence(seed=seed), np.random.default_rng(seed)
    told = made.labels.astype(np.float64)
    wrong = draw.random(told.size) < 0.06
    column: Any = {
        "a copy": told,
        "a copy with errors": np.where(wrong, 1 - told, told),
        "the other way round": -told + draw.normal(0, 0.1, told.size),
        "only by being missing": np.where(told == 1, np.nan, draw.normal(0, 1, told.size)),
        "by a level": np.where(told == 1, "won", "lost"),
        "from both sides": np.where(told == 1, draw.choice([-3.0, 3.0], told.size), 0) + draw.normal(0, 0.3, told.size),
    }[kind]
    return made, pd.Series(column)


@pytest.mark.parametrize(
    "kind",
    ["a copy", "a copy with errors", "the other way round", "only by being missing", "by a level", "from both sides"],
)
def test_a_challenger_with_a_leaked_column_never_passes(kind: str) -> None:
    made, column = leaking(kind)
    leaked = replace(
        made, features=made.features.assign(settled=column), scores=np.clip(made.labels * 0.98 + 0.01, 0, 1)
    )
    assert "leak" in report_of(leaked).failed
    assert "'settled' alone has AUC" in found(leaked, "leak").says


def test_a_feature_that_beats_the_whole_champion_alone_is_a_leak_however_weak_it_is() -> None:
    made, _ = leaking("a copy")
    wrong = np.random.default_rng(0).random(made.labels.size) < 0.11
    hint = np.where(wrong, 1 - made.labels, made.labels).astype(np.float64)
    leaked = replace(made, features=made.features.assign(settled=hint))
    assert "more than the 0.863 of the whole champion" in found(leaked, "leak").says
    assert found(leaked, "leak").status == "failed"


def test_a_feature_that_is_all_the_champion_goes_by_does_not_beat_it() -> None:
    made = evidence()
    assert made.champion is not None
    one = replace(
        made, champion=replace(made.champion, scores=made.scores), features=pd.DataFrame({"risk": made.scores})
    )
    assert found(one, "leak").status == "passed"
    assert found(one, "leak").figures["alone"] >= found(one, "leak").figures["auc"] > 0.85


def test_of_a_first_version_a_feature_may_tell_less_as_there_is_nobody_to_hold_it_against() -> None:
    made, _ = leaking("a copy")

    def hinted(errors: float) -> Any:
        wrong = np.random.default_rng(0).random(made.labels.size) < errors
        hint = np.where(wrong, 1 - made.labels, made.labels).astype(np.float64)
        return replace(made, features=made.features.assign(settled=hint), champion=None)

    assert "'settled' alone has AUC 0.899 (more than 0.85)" in found(hinted(0.1), "leak").says
    assert found(hinted(0.1), "leak").status == "failed"
    assert found(hinted(0.2), "leak").status == "passed"
    assert found(hinted(0.1), "leak", Rules(leak=Leak(first=0.95))).status == "passed"
    assert found(hinted(0.1), "leak", Rules(leak=Leak(alone=0.8))).status == "failed"


def test_a_feature_that_tells_far_more_than_any_did_for_the_champion_is_a_leak() -> None:
    made, _ = leaking("a copy")
    wrong = np.random.default_rng(0).random(made.labels.size) < 0.2
    hint = np.where(wrong, 1 - made.labels, made.labels).astype(np.float64)
    hinted = replace(made, features=made.features.assign(settled=hint))
    assert made.champion is not None
    assert found(hinted, "leak").status == "passed"  # it tells less than the whole champion
    known = replace(hinted, champion=replace(made.champion, strongest=0.68))
    assert found(known, "leak").status == "failed"
    assert "'settled' alone has AUC 0.797" in found(known, "leak").says
    assert found(replace(made, champion=replace(made.champion, strongest=0.68)), "leak").status == "passed"


def test_a_worse_challenger_fails_and_so_does_one_that_may_be_worse_for_all_one_knows() -> None:
    worse = evidence(champion_blur=0.0)
    worse = replace(worse, scores=blurred(worse.scores, 1.5))
    assert found(worse, "no-degradation").status == "failed"
    assert found(worse, "no-degradation").figures["auc_high"] < 0
    few = evidence(rows=150, champion_blur=1.0)
    few = replace(few, scores=blurred(few.scores, 1.0, seed=6))
    assert found(few, "no-degradation").figures["auc_high"] > 0
    assert found(few, "no-degradation").status == "failed"
    lenient = Rules(no_degradation=NoDegradation(auc_margin=0.2, average_precision_margin=0.3))
    assert found(few, "no-degradation", lenient).status == "passed"


def test_the_margin_of_average_precision_is_a_share_of_the_champions() -> None:
    made = evidence()
    rare = (np.random.default_rng(4).random(made.labels.size) < made.scores**6 / 4).astype(np.int64)
    worse = replace(made, labels=rare, scores=blurred(made.scores, 0.8))
    said = found(worse, "no-degradation", Rules(no_degradation=NoDegradation(auc_margin=0.5, resamples=200)))
    champions = said.figures["average_precision"] - said.figures["average_precision_gain"]
    assert champions < 0.2
    assert -0.06 < said.figures["average_precision_low"] < -0.15 * champions
    assert said.status == "failed"
    assert f"it may be worse by more than {0.15 * champions:.3g}" in said.says


def test_a_champion_that_cannot_score_the_rows_is_no_reason_to_pass() -> None:
    made = evidence()
    assert made.champion is not None
    blind = replace(made, champion=replace(made.champion, scores=None, refused="it takes 'age', which is not there"))
    assert found(blind, "no-degradation").status == "failed"
    assert "it takes 'age'" in found(blind, "no-degradation").says


def test_floors_hold_for_precision_and_recall() -> None:
    made = evidence()
    strict = Rules(precision=Floor(0.99), recall=Floor(0.99))
    assert found(made, "precision", strict).status == found(made, "recall", strict).status == "failed"
    silent = with_evaluation(made, threshold=2.0)
    assert "nothing is ever decided" in found(silent, "precision").says
    assert found(silent, "recall").figures == {"recall": 0.0}
    assert found(silent, "balance").status == "failed"


def test_a_version_that_calls_everything_positive_is_out_of_balance() -> None:
    assert "specificity 0.000" in found(with_evaluation(evidence(), threshold=0.0), "balance").says


def test_folds_that_disagree_and_folds_that_are_not_there_fail() -> None:
    apart = with_evaluation(evidence(), folds=({"auc": 0.9}, {"auc": 0.9}, {"auc": 0.7}))
    assert "the worst fold is 0.133 below their mean" in found(apart, "stability").says
    assert found(with_evaluation(evidence(), folds=()), "stability").status == "failed"


def test_scores_that_are_no_probabilities_fail_on_calibration() -> None:
    made = evidence()
    assert found(made, "calibration").figures["error"] < 0.03
    assert found(replace(made, scores=made.scores**3), "calibration").status == "failed"


def test_a_scorer_that_is_slow_or_large_fails_and_says_which() -> None:
    slow = ScorerSize(kind="model", bytes=200_000_000, one_row=30_000.0, batch_row=500.0)
    said = found(with_evaluation(evidence(), scorer=slow), "scorer")
    assert said.status == "failed"
    assert said.says.startswith("one row takes 3e+04 us") or "30,000" in said.says
    assert "its file takes 200 MB" in said.says


def test_training_data_that_has_moved_is_said_and_broken_data_fails() -> None:
    made = evidence()
    warmer = replace(made, features=made.features.assign(distance=made.features["distance"] + 8))
    said = found(warmer, "training-data")
    assert said.status == "passed"
    assert said.says.startswith("1 of 3 features have moved since version 1: distance")
    assert found(warmer, "training-data", Rules(training_data=TrainingData(drifted=0.2))).status == "failed"
    miles = replace(made, features=made.features.assign(distance=made.features["distance"] * 1.609344))
    assert found(miles, "training-data").status == "failed"
    assert "looks broken: distance" in found(miles, "training-data").says
    gaps = made.features["distance"].where(np.arange(len(made.features)) % 5 > 0)
    assert found(replace(made, features=made.features.assign(distance=gaps)), "training-data").status == "failed"


def test_what_callers_send_must_still_be_taken() -> None:
    def schema(*features: Feature) -> FeatureSchema:
        return FeatureSchema(features)

    a, b = Feature("a", "numeric"), Feature("b", "categorical", nullable=False)
    before = a_baseline(version="1", schema=schema(a, b))
    for after, says in (
        (schema(a, b, Feature("c", "numeric", nullable=False)), "'c' is new and required"),
        (schema(a, Feature("b", "boolean", nullable=False)), "'b' was categorical and is boolean now"),
        (schema(Feature("a", "numeric", nullable=False), b), "'a' could be missing and is required now"),
        (schema(b), "'a' is gone"),
    ):
        made = evidence()
        assert made.champion is not None
        changed = replace(
            made, champion=replace(made.champion, baseline=before), baseline=a_baseline(version="2", schema=after)
        )
        assert found(changed, "schema").status == "failed"
        assert says in found(changed, "schema").says
    wider = schema(Feature("a", "numeric"), replace_nullable(b), Feature("c", "numeric"))
    made = evidence()
    assert made.champion is not None
    may = replace(
        made, champion=replace(made.champion, baseline=before), baseline=a_baseline(version="2", schema=wider)
    )
    assert found(may, "schema").status == "passed"
    assert "new and optional: c" in found(may, "schema").says


def test_features_of_another_kind_cannot_be_compared_and_those_that_may_be_missing_now_can() -> None:
    made = evidence()
    assert made.champion is not None
    distance, seats, carrier = a_schema().features
    required = FeatureSchema(tuple(msgspec.structs.replace(one, nullable=False) for one in (distance, seats, carrier)))
    strict = replace(made.champion, baseline=a_baseline(version="1", schema=required))
    assert found(replace(made, champion=strict), "training-data").status == "passed"
    other = FeatureSchema((distance, Feature("seats", "boolean"), carrier))
    moved = replace(made, baseline=a_baseline(version="2", schema=other))
    assert "cannot be compared: seats" in found(moved, "training-data").says
    assert found(moved, "training-data").status == "failed"


def replace_nullable(feature: Feature) -> Feature:
    return msgspec.structs.replace(feature, nullable=True)


def test_a_segment_that_is_treated_otherwise_is_named() -> None:
    made = evidence()
    north = np.where(np.arange(made.labels.size) % 3 == 0, "north", "south")
    scores = np.where(north == "north", blurred(made.scores, 4.0), made.scores)
    unfair = replace(made, segments=pd.DataFrame({"region": north}), scores=scores)
    assert found(unfair, "fairness").says.startswith("no segments are named")
    asked = Rules(fairness=Fairness(segments=("region",), auc_gap=0.05))
    assert found(unfair, "fairness", asked).status == "failed"
    assert "region north: AUC" in found(unfair, "fairness", asked).says
    assert "south" not in found(unfair, "fairness", asked).says
    fair = replace(made, segments=pd.DataFrame({"region": north}))
    assert found(fair, "fairness", asked).status == "passed"
    assert found(fair, "fairness", asked).figures == {"judged": 2.0, "small": 0.0}


def test_in_segments_of_the_training_config_a_version_must_be_as_good_and_may_decide_otherwise() -> None:
    made = evidence()
    near = made.features["distance"] < 95
    segments = pd.DataFrame({"near": np.where(near, "yes", "no")})
    differs = with_evaluation(replace(made, segments=segments), segments=("near",))
    said = found(differs, "fairness", Rules(fairness=Fairness(auc_gap=0.15)))
    assert (said.status, said.figures["judged"]) == ("passed", 2)  # fewer of those who are near are positive
    asked = found(differs, "fairness", Rules(fairness=Fairness(segments=("near",), auc_gap=0.15)))
    assert "near yes: rate of positive decisions" in asked.says
    assert asked.figures["judged"] == 2
    worse = replace(differs, scores=np.where(near, blurred(made.scores, 5.0), made.scores))
    assert "near yes: AUC" in found(worse, "fairness").says
    assert "no: AUC" not in found(worse, "fairness").says


def test_segments_may_be_features_numbers_are_cut_and_small_or_unknown_ones_are_said() -> None:
    made = evidence()
    asked = Rules(fairness=Fairness(segments=("carrier", "seats"), rows=500, auc_gap=0.5, recall_gap=1, positive_gap=1))
    said = found(made, "fairness", asked)
    assert said.figures["judged"] + said.figures["small"] == 3 + 4
    assert said.figures["small"] == 1  # carrier c has a tenth of the rows
    assert "1 of fewer than 500 rows were not judged" in said.says or said.status == "failed"
    unknown = found(made, "fairness", Rules(fairness=Fairness(segments=("country",))))
    assert unknown.status == "failed"
    assert "no column 'country'" in unknown.says


def test_an_override_lets_a_failed_gate_through_and_stays_in_every_later_report() -> None:
    made, strict = evidence(), Rules(recall=Floor(0.99))
    mine = Override("recall", "we only want the surest", "ann", NOON)
    report = judge(made, strict, at=NOON, by="ann", overrides=[mine])
    assert report.status == "overridden"
    assert report.may_go_on
    assert next(f for f in report.findings if f.gate == "recall").status == "overridden"
    again = judge(made, strict, at=NOON, by="bob", former=report.overrides)
    assert again.status == "failed"
    assert again.overrides == (mine,)
    assert "we only want the surest" in gate_markdown(again)


def test_an_override_of_a_gate_that_passes_changes_nothing_and_an_unknown_gate_is_named() -> None:
    made = evidence()
    report = judge(made, FEW, at=NOON, by="ann", overrides=[Override("recall", "-", "ann", NOON)])
    assert report.status == "passed"
    with pytest.raises(GateError, match="--override speed: no gate of this name: choose one of schema, leak"):
        judge(made, FEW, at=NOON, by="ann", overrides=[Override("speed", "-", "ann", NOON)])


def test_a_report_is_read_as_it_was_written_and_says_the_same_as_a_page() -> None:
    report = report_of(with_evaluation(evidence(), folds=()))
    assert decode_gate_report(encode_gate_report(report)) == report
    page = gate_markdown(report)
    assert "| stability | FAILED |" in page
    assert page.count("\n| ") == len(GATES) + 1
    assert gate_lines(report)[-1] == "flights/2 against champion 1: 1 of 12 gates failed: stability"


def test_the_same_evidence_gives_the_same_report() -> None:
    assert report_of(evidence()) == report_of(evidence())
    assert a_schema() == evidence().baseline.schema
