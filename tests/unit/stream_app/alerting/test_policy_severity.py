"""Severity: from the size of the effect, and from what it does to the model; and what harmless drift does."""

from __future__ import annotations

import msgspec
import pytest

from contracts.reports import FeatureVerdict
from stream_app.alerting.policy_config import PolicyConfig
from tests.alerting import a_report, a_verdict, harmless, told, transitions

WARNING, CRITICAL = a_verdict(effect=0.1, change=0.02), a_verdict(effect=0.3, change=0.02)
SPEAKS = PolicyConfig(page_harmless=True)


def severities(verdicts: list[FeatureVerdict | None], config: PolicyConfig | None = None) -> list[str]:
    reports = [a_report(n, *([verdict] if verdict else [])) for n, verdict in enumerate(verdicts, 1)]
    _, alerts = told(reports, config)
    return [f"{some[0].transition} {some[0].severity}" if some else "." for some in alerts]


@pytest.mark.parametrize(
    ("verdict", "severity"),
    [
        (a_verdict(effect=0.1, change=0.049), "warning"),
        (a_verdict(effect=0.1, change=0.05), "critical"),
        (a_verdict(effect=0.1, change=-0.06), "critical"),
        (a_verdict(effect=0.3, change=0.01), "critical"),
        (a_verdict(effect=0.1), "warning"),
    ],
)
def test_an_expected_change_of_the_mean_score_makes_a_drift_critical_whatever_its_size(verdict, severity) -> None:
    assert severities([verdict, verdict]) == [".", f"raise {severity}"]


def test_the_expected_change_that_is_critical_is_a_setting() -> None:
    assert severities([WARNING, WARNING], PolicyConfig(critical_score_change=0.02)) == [".", "raise critical"]


def test_a_severity_that_rises_escalates_and_one_that_falls_says_nothing() -> None:
    assert severities([WARNING, WARNING, CRITICAL, WARNING, CRITICAL]) == [
        ".",
        "raise warning",
        "escalate critical",
        ".",
        ".",
    ]


def test_an_escalation_by_severity_says_so_and_has_no_new_feature() -> None:
    _, alerts = told([a_report(n, v) for n, v in enumerate([WARNING, WARNING, CRITICAL], 1)])
    (alert,) = alerts[2]
    assert alert.summary.startswith("flights/3: drift was warning and is critical: distance (values: KS .30")
    assert [(feature.feature, feature.new) for feature in alert.features] == [("distance", False)]


def test_harmless_drift_pages_nobody_however_large_and_long_it_is() -> None:
    large = a_verdict(effect=0.9, change=0.001, harmless=True)
    assert severities([large] * 9) == ["."] * 9


def test_harmless_drift_that_becomes_harmful_raises_when_it_was_so_in_enough_windows() -> None:
    assert severities([*[harmless()] * 5, WARNING, *[harmless()] * 9]) == ["."] * 15
    assert severities([*[harmless()] * 5, WARNING, harmless(), WARNING]) == [*["."] * 7, "raise warning"]


def test_harmless_windows_are_clean_windows() -> None:
    # in window 3 it still pages: two of the last three were not harmless
    assert severities([WARNING, WARNING, *[harmless()] * 5]) == [".", "raise warning", *["."] * 3, "resolve info", "."]


def test_an_alert_has_the_numbers_of_the_last_alarm_that_was_not_harmless() -> None:
    other = a_verdict("temp")
    reports = [a_report(1, WARNING), a_report(2, WARNING, other), a_report(3, harmless(), other)]
    (alert,) = told(reports)[1][2]
    found = {feature.feature: feature.model_effect for feature in alert.features}
    assert found["distance"] == WARNING.model_effect
    assert found.keys() == {"distance", "temp"}


def test_harmless_alarms_that_an_older_version_counted_are_not_counted() -> None:
    state, _ = told([a_report(n, harmless()) for n in (1, 2, 3)], SPEAKS)
    tracked = tuple(msgspec.structs.replace(entry, in_incident=False) for entry in state.tracked)
    state = msgspec.structs.replace(state, incident=None, tracked=tracked)  # as it stored them: nothing was open
    _, alerts = told([a_report(4, WARNING), a_report(5), a_report(6, WARNING)], None, state)
    assert transitions(alerts) == [".", ".", "raise"]


def test_harmless_drift_pages_as_such_where_that_is_wanted_and_escalates_when_it_is_not_harmless_any_more() -> None:
    assert severities([harmless(), harmless(), harmless(), WARNING, CRITICAL], SPEAKS) == [
        ".",
        "raise harmless",
        ".",
        "escalate warning",
        "escalate critical",
    ]


def test_a_harmless_feature_does_not_join_the_incident_of_another() -> None:
    both = [a_report(n, a_verdict("temp"), harmless()) for n in (1, 2, 3)]
    _, alerts = told(both)
    assert transitions(alerts) == [".", "raise", "."]
    assert [feature.feature for feature in alerts[1][0].features] == ["temp"]


def test_an_incident_of_harmless_drift_goes_on_where_that_pages() -> None:
    assert severities([harmless()] * 9, SPEAKS) == [".", "raise harmless", *["."] * 7]
