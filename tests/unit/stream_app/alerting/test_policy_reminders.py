"""Reminders: an incident that goes on is said again after the cooldown, by the windows' own time: an hour each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from contracts.alerts import DriftAlert
from contracts.mutes import Mute
from contracts.reports import FeatureVerdict
from stream_app.alerting.particulars import findings
from stream_app.alerting.policy_config import InvalidPolicy, PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import a_mute, a_report, a_verdict, harmless, told, transitions, window

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


def reminder_of(*verdicts: FeatureVerdict | str, mutes: Sequence[Mute] = ()) -> DriftAlert:
    """The reminder of window 3, where distance alarmed in windows 1 and 2 and these in window 3."""
    before = [a_report(n, a_verdict("distance", effect=0.1)) for n in (1, 2)]
    _, alerts = told([*before, a_report(3, *verdicts)], after(1), mutes=mutes)
    (alert,) = alerts[2]
    assert alert.transition == "remind"
    return alert


def reminded_of(*verdicts: FeatureVerdict | str, mutes: Sequence[Mute] = ()) -> str:
    """What it says."""
    return reminder_of(*verdicts, mutes=mutes).summary


def test_the_features_of_a_reminder_date_numbers_that_are_not_of_its_window() -> None:
    (earlier,) = reminder_of().features
    assert earlier.seen is not None
    assert earlier.seen < reminder_of().window_start
    assert findings(earlier).endswith("last seen 2026-01-01T13:00:00Z")
    (now,) = reminder_of(a_verdict("distance", effect=0.2)).features
    assert now.seen is None
    assert "last seen" not in findings(now)


def test_a_reminder_has_first_what_alarms_now_and_dates_the_numbers_of_what_does_not() -> None:
    assert reminded_of(a_verdict("country", effect=0.3)) == (
        "flights/3: drift goes on since 2026-01-01T13:00:00Z in country (does not page yet; values: KS .30, p 1e-09); "
        "still paging: distance (last seen in the window of 2026-01-01T13:00:00Z: values: KS .10, p 1e-09), "
        "window 2026-01-01T14:00:00Z to 2026-01-01T15:00:00Z"
    )


def test_a_reminder_of_a_window_without_alarms_says_which_one_had_them() -> None:
    assert reminded_of() == (
        "flights/3: drift goes on since 2026-01-01T13:00:00Z; "
        "still paging: distance (last seen in the window of 2026-01-01T13:00:00Z: values: KS .10, p 1e-09), "
        "window 2026-01-01T14:00:00Z to 2026-01-01T15:00:00Z"
    )


def test_a_reminder_tells_what_pages_and_alarms_with_its_numbers_of_now() -> None:
    said = reminded_of(a_verdict("distance", effect=0.2, change=0.03), harmless("temp"))
    assert "in distance (values: KS .20, p 1e-09; expected if the world moved: mean score +.030" in said
    assert "temp (does not page: harmless; values: KS .20" in said
    assert "last seen" not in said


def test_a_reminder_does_not_tell_what_is_muted() -> None:
    for verdict in (a_verdict("country"), harmless("country")):
        assert "country" in reminded_of(verdict)
        assert "country" not in reminded_of(verdict, mutes=[a_mute("country", first=1, last=9)])


def test_where_harmless_drift_pages_a_reminder_says_of_it_what_it_says_of_any_other() -> None:
    config = PolicyConfig(remind_after_ms=HOUR_MS, page_harmless=True)
    reports = [a_report(1, "temp"), a_report(2, "temp"), a_report(3, "temp", harmless("seats"))]
    (alert,) = told(reports, config)[1][2]
    assert alert.summary.count("seats") == 1
    assert "seats (does not page yet; values: KS .20" in alert.summary


def test_a_state_of_an_older_version_does_not_know_which_window_had_the_alarm() -> None:
    state, _ = told([a_report(n, "distance") for n in (1, 2)], after(1))
    stored = msgspec.json.decode(state.to_bytes())
    for entry in stored["tracked"]:
        del entry["seen"]
    _, alerts = told([a_report(3)], after(1), PolicyState.from_bytes(msgspec.json.encode(stored)))
    assert "still paging: distance (last seen in an earlier window: values: KS .20" in alerts[0][0].summary
