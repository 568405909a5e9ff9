"""What a person reads: numbers, the likely cause, and what it does to the model's answers."""

from __future__ import annotations

import msgspec

from contracts.alerts import DriftAlert
from contracts.baseline import SCORE
from contracts.findings import Cause, ModelEffect, ScoreChange
from contracts.reports import FeatureVerdict, Statistic
from stream_app.alerting.wording import explanation, verdict_words
from tests.alerting import a_report, a_verdict, told

UNIT = Cause(
    kind="unit",
    sentence="distance: 33 % of rows look multiplied by 1.61 (miles -> kilometres?)",
    factor=1.609344,
    unit="miles -> kilometres",
)
BROKE_WORDS = (
    "expected if the data broke: mean score -.061, positive rate -4.4 points; "
    "if the world moved: mean score +.012, positive rate +.8 points"
)
BROKE = ModelEffect(
    if_world_moved=ScoreChange(0.012, 0.008), if_data_broke=ScoreChange(-0.0614, -0.0442), headline="data"
)


def raised(*verdicts: FeatureVerdict) -> DriftAlert:
    _, alerts = told([a_report(1, *verdicts), a_report(2, *verdicts)])
    (alert,) = alerts[1]
    return alert


def test_the_cause_is_said_without_the_features_name_which_is_there_already() -> None:
    assert explanation("distance", UNIT, None) == ["33 % of rows look multiplied by 1.61 (miles -> kilometres?)"]
    assert explanation("temp", UNIT, None) == [UNIT.sentence]


def test_the_expected_change_is_that_of_the_reading_which_the_cause_speaks_for() -> None:
    broke = ModelEffect(if_world_moved=ScoreChange(0.04), if_data_broke=ScoreChange(0.031), headline="data")
    assert explanation("distance", None, broke) == ["expected if the data broke: mean score +.031"]
    world = msgspec.structs.replace(broke, headline="world")
    assert explanation("distance", None, world) == ["expected if the world moved: mean score +.040"]
    asked = ModelEffect(if_world_moved=ScoreChange(0.25, 0.1))
    assert explanation("distance", None, asked) == [
        "expected if the world moved: mean score +.250, positive rate +10.0 points"
    ]
    assert explanation("distance", None, None) == []


def test_both_readings_are_told_where_they_differ_in_sign_or_by_more_than_a_factor_of_two() -> None:
    assert explanation("distance", None, BROKE) == [BROKE_WORDS]
    for world in (-0.031, 0.07, 0.0):
        effect = ModelEffect(if_world_moved=ScoreChange(world), if_data_broke=ScoreChange(0.031))
        (words,) = explanation("distance", None, effect)
        assert words.startswith("expected if the world moved: mean score ")
        assert words.endswith("; if the data broke: mean score +.031")
    positives = ModelEffect(if_world_moved=ScoreChange(0.03, 0.01), if_data_broke=ScoreChange(0.03, -0.01))
    assert "; if the data broke: " in explanation("distance", None, positives)[0]


def test_what_hardly_changes_is_said_in_words_and_two_readings_of_nothing_are_one() -> None:
    nothing = ModelEffect(if_world_moved=ScoreChange(0.0004, 0.0), if_data_broke=ScoreChange(-0.0003, 0.0002))
    assert explanation("distance", None, nothing) == [
        "expected if the world moved: mean score changes by less than .001, "
        "positive rate changes by less than .1 points"
    ]


def test_broken_data_of_unknown_effect_is_not_given_the_other_readings_number() -> None:
    unknown = ModelEffect(if_world_moved=ScoreChange(0.0), headline="data")
    assert explanation("distance", UNIT, unknown)[1] == "expected effect if the data broke: not known"


def test_the_score_is_told_without_its_name_and_with_what_is_not_what_is_expected() -> None:
    cause = Cause(kind="ratio", sentence="the score: all rows look multiplied by 0.933", factor=0.933)
    words = explanation(SCORE, cause, ModelEffect(if_world_moved=ScoreChange(-0.0144, -0.011)))
    assert words == ["all rows look multiplied by 0.933", "mean score -.014, positive rate -1.1 points"]


def test_each_finding_is_told_with_its_own_p_and_size() -> None:
    verdict = a_verdict(
        findings=("values", "out_of_range"), p_value=8e-110, effect=0.31, rates={"out_of_range": (0.31, 0)}
    )
    ks, rate = verdict.statistics
    statistics = (
        msgspec.structs.replace(ks, value=0.1, p_value=2e-5),
        Statistic("peak", 3.0, 1e-7),
        Statistic("psi", 0.1),
        msgspec.structs.replace(rate, p_value=8e-110),
    )
    verdict = msgspec.structs.replace(verdict, statistics=statistics)
    assert verdict_words(verdict) == "values: KS .10, p 1e-07; out of range 0 % -> 31 %, p 8e-110"
    alone = msgspec.structs.replace(verdict, findings=("values",), p_value=2e-7, effect=0.1)
    assert verdict_words(alone) == "values: KS .10, p 2e-07"


def test_a_page_says_what_by_how_much_why_and_what_it_does() -> None:
    verdict = FeatureVerdict(
        feature="distance",
        kind="numeric",
        rows=1000,
        missing=0,
        p_value=3e-41,
        effect=0.21,
        statistics=(),
        findings=("values",),
        cause=UNIT,
        model_effect=BROKE,
    )
    words = f"values: KS .21, p 3e-41; 33 % of rows look multiplied by 1.61 (miles -> kilometres?); {BROKE_WORDS}"
    assert verdict_words(verdict) == words
    alert = raised(verdict)
    assert f"drift in distance ({words}) in at least 2 of the last 3" in alert.summary
    assert (alert.features[0].cause, alert.features[0].model_effect) == (UNIT, BROKE)


def test_cause_and_effect_are_those_of_the_newest_alarm() -> None:
    first, later = a_verdict(change=0.02, cause=UNIT), a_verdict(change=0.03)
    _, alerts = told([a_report(1, first), a_report(2, later)])
    (feature,) = alerts[1][0].features
    assert feature.cause is None
    assert feature.model_effect is not None
    assert feature.model_effect.expected == ScoreChange(0.03, 0.015)


def test_features_are_ranked_as_the_report_ranks_them() -> None:
    alert = raised(a_verdict("strong", p_value=1e-90, change=0.011), a_verdict("harmful", p_value=1e-5, change=-0.3))
    assert [feature.feature for feature in alert.features] == ["harmful", "strong"]
    assert alert.summary.index("harmful") < alert.summary.index("strong")
