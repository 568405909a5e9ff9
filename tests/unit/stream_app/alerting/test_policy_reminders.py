"""Reminders: an incident that goes on is said again after the cooldown, by the windows' own time: an hour each."""

from __future__ import annotations

import pytest

from stream_app.alerting.policy_config import InvalidPolicy, PolicyConfig
from tests.alerting import a_mute, a_report, told, transitions, window

HOUR_MS = 3_600_000


def after(hours: float) -> PolicyConfig:
    return PolicyConfig(remind_after_ms=round(hours * HOUR_MS))


def said(picture: str, hours: float) -> list[str]:
    names = {"x": ("distance",), "z": ("distance", "temp"), ".": (), "?": ()}
    reports = [
        a_report(n, *names[sign], status="insufficient" if sign == "?" else None) for n, sign in enumerate(picture, 1)
    ]
    return transitions(told(reports, after(hours))[1])


def test_an_incident_that_goes_on_is_said_again_each_time_the_cooldown_has_passed() -> None:
    assert said("xxxxxxxxx", 3) == [".", "raise", ".", ".", "remind", ".", ".", "remind", "."]


def test_nought_is_never() -> None:
    assert said("x" * 40, 0) == [".", "raise", *["."] * 38]


def test_the_cooldown_counts_from_the_last_alert_of_any_kind() -> None:
    assert said("xxzzxxxx", 3) == [".", "raise", ".", "escalate", ".", ".", "remind", "."]


def test_a_window_in_which_nothing_pages_reminds_nobody_and_one_that_does_later_does() -> None:
    # in window 3 distance still pages: two of the last three
    assert said("xx...x", 2) == [".", "raise", ".", ".", ".", "."]
    assert said("xx..xx", 3) == [".", "raise", ".", ".", ".", "remind"]


def test_windows_too_thin_to_compare_remind_nobody() -> None:
    assert said("xx????x", 2) == [".", "raise", ".", ".", ".", ".", "remind"]


def test_a_reminder_has_what_pages_now_and_says_since_when() -> None:
    _, alerts = told([a_report(n, "distance", "temp") for n in range(1, 5)], after(2))
    (alert,) = alerts[3]
    assert (alert.transition, alert.incident) == ("remind", alerts[1][0].incident)
    assert alert.summary.startswith("flights/3: drift goes on since 2026-01-01T13:00:00Z in distance (values: KS .20")
    assert [(feature.feature, feature.new) for feature in alert.features] == [("distance", False), ("temp", False)]
    assert alert.features[0].since == window(1)


def test_nobody_is_reminded_of_what_is_muted() -> None:
    reports = [a_report(n, "distance") for n in range(1, 9)]
    _, alerts = told(reports, after(2), mutes=[a_mute(first=3, last=6)])
    assert transitions(alerts) == [".", "raise", ".", ".", ".", ".", "escalate", "."]


def test_a_cooldown_below_nought_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match=r"remind_after_ms=-1: .*0 \(never\)"):
        PolicyConfig(remind_after_ms=-1)
