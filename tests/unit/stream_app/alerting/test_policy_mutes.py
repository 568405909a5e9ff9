"""Mutes in the policy: what is muted pages nobody, goes on being remembered, and pages when the mute ends."""

from __future__ import annotations

import pytest

from contracts.mutes import Mute
from stream_app.alerting.policy_config import PolicyConfig
from tests.alerting import HOUR, a_mute, a_report, a_verdict, told, transitions, window

NAMES = {"x": ("distance",), "z": ("distance", "temp"), ".": (), "?": ()}


def said(picture: str, *mutes: Mute, config: PolicyConfig | None = None) -> list[str]:
    reports = [a_report(n, *NAMES[sign]) for n, sign in enumerate(picture, 1)]
    return transitions(told(reports, config, mutes=mutes)[1])


def test_a_muted_feature_pages_nobody_until_its_mute_ends_and_then_at_once() -> None:
    assert said("xxxxxx", a_mute("distance", first=1, last=4)) == [".", ".", ".", ".", "raise", "."]


def test_a_muted_model_says_nothing_whatever_drifts() -> None:
    assert said("xxzz", a_mute(first=1, last=9)) == ["."] * 4


def test_what_has_stopped_when_the_mute_ends_pages_nobody() -> None:
    assert said("xxx...", a_mute(first=1, last=3)) == ["."] * 6
    # page_after of the last three are there still, but it does not alarm any more
    assert said("xx.", a_mute(first=1, last=2)) == ["."] * 3


def test_another_feature_pages_meanwhile_and_the_muted_one_is_not_in_its_alert() -> None:
    reports = [a_report(n, "distance", "temp") for n in range(1, 6)]
    _, alerts = told(reports, mutes=[a_mute("distance", first=1, last=3)])
    assert transitions(alerts) == [".", "raise", ".", "escalate", "."]
    assert [feature.feature for feature in alerts[1][0].features] == ["temp"]
    assert [(f.feature, f.new) for f in alerts[3][0].features] == [("distance", True), ("temp", False)]
    assert "drift spreads to distance" in alerts[3][0].summary


def test_a_feature_that_was_told_of_and_is_muted_then_is_told_of_again_when_the_mute_ends() -> None:
    reports = [a_report(n, "distance") for n in range(1, 8)]
    _, alerts = told(reports, mutes=[a_mute("distance", first=3, last=5)])
    assert transitions(alerts) == [".", "raise", ".", ".", ".", "escalate", "."]
    assert "drift goes on, now that its mute has ended, in distance" in alerts[5][0].summary
    assert alerts[5][0].incident == alerts[1][0].incident


def test_a_mute_keeps_its_incident_open_while_it_drifts_and_the_resolve_is_sent_in_it() -> None:
    assert said("xxxxxx....", a_mute(first=3, last=99)) == [".", "raise", *["."] * 7, "resolve"]


def test_a_feature_that_is_muted_before_it_belongs_to_an_incident_does_not_keep_it_open() -> None:
    reports = [a_report(n, *names) for n, names in enumerate([("temp",), ("temp",), *[("distance",)] * 5], 1)]
    _, alerts = told(reports, mutes=[a_mute("distance", first=1, last=99)])
    assert transitions(alerts) == [".", "raise", ".", ".", ".", "resolve", "."]


def test_what_was_critical_while_muted_and_is_quiet_since_neither_escalates_nor_lets_the_incident_end() -> None:
    """In window 4 temp is clean, and distance, muted until then, still pages: two of the last three. In 5 nothing."""
    large = a_verdict("distance", effect=0.9)
    reports = [a_report(n, *some) for n, some in enumerate([("temp",), ("temp", large), (large,), (), (), ()], 1)]
    _, alerts = told(reports, PolicyConfig(resolve_after=1), mutes=[a_mute("distance", first=1, last=3)])
    assert transitions(alerts) == [".", "raise", ".", ".", "resolve", "."]
    assert alerts[1][0].severity == "warning"


def test_a_mute_is_about_windows_that_end_after_its_beginning_and_not_after_its_end() -> None:
    start, end = window(2), window(2) + HOUR
    for since, until, muted in [
        (start, end, True),
        (end, end + HOUR, False),
        (start, end - HOUR / 60, False),
        (end - HOUR / 60, end, True),
    ]:
        mute = Mute(model="flights", since=since, until=until)
        assert said("xx", mute) == [".", "." if muted else "raise"], (since, until)


@pytest.mark.parametrize(
    ("mute", "muted"),
    [
        (Mute(model="flights", version="3", since=window(1), until=window(9)), True),
        (Mute(model="flights", version="4", since=window(1), until=window(9)), False),
        (Mute(model="payments", since=window(1), until=window(9)), False),
        (Mute(model="flights", feature="temp", since=window(1), until=window(9)), False),
        (Mute(model="flights", version="3", feature="distance", since=window(1), until=window(9)), True),
    ],
)
def test_a_mute_is_about_its_model_version_and_feature_alone(mute: Mute, muted: bool) -> None:
    assert said("xx", mute) == [".", "." if muted else "raise"]
