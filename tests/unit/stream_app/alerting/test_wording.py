"""What a person reads: numbers, the likely cause, and what it does to the model's answers."""

from __future__ import annotations

from contracts.alerts import DriftAlert
from contracts.findings import Cause, ModelEffect, ScoreChange
from contracts.reports import FeatureVerdict
from stream_app.alerting.wording import explanation, verdict_words
from tests.alerting import a_report, a_verdict, told

UNIT = Cause(
    kind="unit",
    sentence="distance: 33 % of rows look multiplied by 1.61 (miles -> kilometres?)",
    factor=1.609344,
    unit="miles -> kilometres",
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
    assert explanation("distance", None, BROKE) == ["expected: mean score -.061, positive rate -4.4 points"]
    world = ModelEffect(if_world_moved=ScoreChange(0.25), if_data_broke=ScoreChange(-0.0614))
    assert explanation("distance", None, world) == ["expected: mean score +.250"]
    assert explanation("distance", None, None) == []


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
    words = (
        "values: KS .21, p 3e-41; 33 % of rows look multiplied by 1.61 (miles -> kilometres?); "
        "expected: mean score -.061, positive rate -4.4 points"
    )
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
    assert feature.model_effect.expected.score == 0.03


def test_features_are_ranked_as_the_report_ranks_them() -> None:
    alert = raised(a_verdict("strong", p_value=1e-90, change=0.011), a_verdict("harmful", p_value=1e-5, change=-0.3))
    assert [feature.feature for feature in alert.features] == ["harmful", "strong"]
    assert alert.summary.index("harmful") < alert.summary.index("strong")
