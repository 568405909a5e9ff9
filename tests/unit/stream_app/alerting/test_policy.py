"""The policy, window by window: x is an alarm of `distance`, y of `temp`, . a quiet window, ? an insufficient one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.errors import InvalidMessage
from contracts.reports import DriftReport
from stream_app.alerting.policy import decide
from stream_app.alerting.policy_config import InvalidPolicy, PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import a_report, a_verdict, told, transitions, window

NAMES = {"x": ("distance",), "y": ("temp",), "z": ("distance", "temp"), ".": ()}


def windows(picture: str) -> list[DriftReport]:
    return [
        a_report(number, status="insufficient") if sign == "?" else a_report(number, *NAMES[sign])
        for number, sign in enumerate(picture, 1)
    ]


def said(picture: str, config: PolicyConfig | None = None) -> list[str]:
    return transitions(told(windows(picture), config)[1])


def test_a_lone_alarm_pages_nobody() -> None:
    assert said("x..x..x") == ["."] * 7


def test_the_second_alarm_within_three_windows_raises() -> None:
    assert said("xx") == [".", "raise"]
    assert said("x.x") == [".", ".", "raise"]


def test_alarms_of_different_features_do_not_add_up() -> None:
    assert said("xyxy")[:2] == [".", "."]
    assert said("xy.") == [".", ".", "."]


def test_an_incident_is_raised_once_however_long_it_lasts() -> None:
    assert said("xxxxxxxx") == [".", "raise", ".", ".", ".", ".", ".", "."]


def test_a_further_feature_escalates_when_it_pages_not_when_it_alarms() -> None:
    assert said("xxzz") == [".", "raise", ".", "escalate"]


def test_an_incident_resolves_after_three_clean_windows() -> None:
    # window 4 is not clean: distance still alarmed in two of the last three
    assert said("xxx.....") == [".", "raise", ".", ".", ".", ".", "resolve", "."]


def test_an_alarm_of_an_incidents_feature_starts_the_clean_count_anew() -> None:
    assert said("xx...x...") == [".", "raise", ".", ".", ".", ".", ".", ".", "resolve"]


def test_a_lone_alarm_of_a_stranger_does_not_keep_the_incident_open() -> None:
    assert said("xx...") == [".", "raise", ".", ".", "."]
    assert said("xx..y.") == [".", "raise", ".", ".", ".", "resolve"]


def test_insufficient_windows_count_neither_way() -> None:
    assert said("x?x") == [".", ".", "raise"]
    assert said("x??.??x") == [".", ".", ".", ".", ".", ".", "raise"]
    assert said("xx.?.?.?.") == [".", "raise", ".", ".", ".", ".", ".", ".", "resolve"]


def test_a_new_incident_may_follow_a_resolved_one_under_another_name() -> None:
    alerts = [some[0] for some in told(windows("xx....xx"))[1] if some]
    assert [alert.transition for alert in alerts] == ["raise", "resolve", "raise"]
    assert alerts[0].incident == alerts[1].incident != alerts[2].incident


def test_the_numbers_of_the_policy_are_settings() -> None:
    assert said("xx.", PolicyConfig(page_after=1, of_last=1, resolve_after=1)) == ["raise", ".", "resolve"]
    assert said("xxxx", PolicyConfig(page_after=4, of_last=4)) == [".", ".", ".", "raise"]


def test_the_alert_lists_all_that_page_now_strongest_first_and_flags_the_newly_joined() -> None:
    weak, strong = a_verdict("temp", p_value=1e-5), a_verdict("dewp", p_value=1e-30)
    tied = a_verdict("wind", p_value=1e-5, effect=0.4)
    _, alerts = told(
        [a_report(1, weak), a_report(2, weak), a_report(3, weak, strong, tied), a_report(4, weak, strong, tied)]
    )
    (escalation,) = alerts[3]
    assert [(f.feature, f.new) for f in escalation.features] == [("dewp", True), ("wind", True), ("temp", False)]
    assert escalation.features[2].since == window(1)
    assert escalation.features[0].since == window(3)


def test_a_feature_that_left_and_came_back_in_one_incident_does_not_escalate_again() -> None:
    both, temp = ("distance", "temp"), ("temp",)
    reports = [a_report(n, *names) for n, names in enumerate([both, both, temp, temp, temp, both, both], 1)]
    assert transitions(told(reports)[1]) == [".", "raise", *["."] * 5]


def test_a_feature_that_was_clean_as_long_as_resolves_is_news_when_it_comes_back_though_others_kept_it_open() -> None:
    both, temp = ("distance", "temp"), ("temp",)
    critical = (a_verdict("distance", effect=0.9), "temp")
    reports = [a_report(n, *names) for n, names in enumerate([both, both, *[temp] * 20, critical, critical, temp], 1)]
    _, alerts = told(reports)
    assert transitions(alerts) == [".", "raise", *["."] * 21, "escalate", "."]
    (alert,) = alerts[23]
    assert [(f.feature, f.new) for f in alert.features] == [("distance", True), ("temp", False)]
    assert alert.summary.startswith("flights/3: drift is back in distance (values: KS .90")


def test_a_lone_alarm_of_a_feature_that_has_recovered_does_not_keep_the_incident_open() -> None:
    assert said("zzyyyyy...x")[:10] == [".", "raise", *["."] * 8]  # temp still pages in the first quiet window
    assert said("zzyyyyy..x.") == [".", "raise", *["."] * 8, "resolve"]


def test_a_resolve_names_those_that_recovered_before_it_too() -> None:
    _, alerts = told(windows("zzyyyyy...."))
    assert alerts[10][0].summary.startswith("flights/3: drift in temp, distance is over after 3 clean windows in a row")


def test_a_resolve_names_what_recovered_and_came_back_once() -> None:
    _, alerts = told(windows("zzyyyyyzz...."))
    assert transitions(alerts)[8:] == ["escalate", ".", ".", ".", "resolve"]
    assert alerts[12][0].summary.startswith("flights/3: drift in distance, temp is over")


def test_a_feature_is_clean_long_enough_in_a_window_that_says_something_too() -> None:
    """distance has its third clean window in 6, when a reminder is due, and comes back at once."""
    _, alerts = told(windows("zzyyyyzz"), PolicyConfig(remind_after_ms=4 * 3_600_000))
    assert transitions(alerts) == [".", "raise", ".", ".", ".", "remind", ".", "escalate"]


def test_what_recovered_is_remembered_over_a_restart() -> None:
    state, _ = told(windows("zzyyyyy"))
    assert state.incident is not None
    assert state.incident.recovered == ("distance",)
    assert PolicyState.from_bytes(state.to_bytes()) == state


def test_a_run_of_alarms_begins_anew_when_no_alarm_is_left_in_memory() -> None:
    _, alerts = told(windows("x...xx"))
    assert alerts[5][0].features[0].since == window(5)
    _, alerts = told(windows("x.x"))
    assert alerts[2][0].features[0].since == window(1)


@pytest.mark.parametrize(
    ("verdict", "severity"),
    [
        (a_verdict(effect=0.24), "warning"),
        (a_verdict(effect=0.25), "critical"),
        (a_verdict(effect=0.0, findings=("missing",), rates={"missing": (0.45, 0.0)}), "warning"),
        (a_verdict(effect=0.0, findings=("missing",), rates={"missing": (0.55, 0.05)}), "critical"),
        (a_verdict(effect=0.0, findings=("unseen",), rates={"unseen": (0.6, 0.0)}), "critical"),
        # a rate that did not alarm, and one that fell, are no reason
        (a_verdict(effect=0.1, findings=("values",), rates={"missing": (0.9, 0.1)}), "warning"),
        (a_verdict(effect=0.0, findings=("missing",), rates={"missing": (0.0, 0.9)}), "warning"),
    ],
)
def test_severity_follows_the_size_of_the_effect(verdict, severity: str) -> None:
    _, alerts = told([a_report(1, verdict), a_report(2, verdict)])
    assert alerts[1][0].severity == severity


def test_the_severity_of_an_incident_never_falls_and_its_resolve_is_information() -> None:
    large = a_verdict("distance", effect=0.5)
    quiet = [a_report(n) for n in range(7, 11)]
    reports = [a_report(1, large), a_report(2, large), a_report(3), a_report(4, "temp"), a_report(5, "temp")]
    alerts = [some[0] for some in told([*reports, *quiet])[1] if some]
    assert [(a.transition, a.severity) for a in alerts] == [
        ("raise", "critical"),
        ("escalate", "critical"),
        ("resolve", "info"),
    ]


def test_the_last_decided_window_gives_back_its_alerts_and_leaves_the_state() -> None:
    reports = windows("xx")
    state, alerts = told(reports)
    assert decide(state, reports[1], PolicyConfig()) == (state, alerts[1])
    assert alerts[1][0].transition == "raise"


def test_an_older_window_changes_nothing_and_says_nothing() -> None:
    reports = windows("xxx")
    state, _ = told(reports)
    for report in reports[:2]:
        assert decide(state, report, PolicyConfig()) == (state, ())


def test_a_repeat_is_recognised_behind_an_insufficient_window_too() -> None:
    reports = windows("xx?")
    state, alerts = told(reports)
    assert decide(state, reports[1], PolicyConfig()) == (state, alerts[1])


def test_a_state_survives_being_stored() -> None:
    for length in range(1, 9):
        state, _ = told(windows("xxzz...."[:length]))
        assert PolicyState.from_bytes(state.to_bytes()) == state


@pytest.mark.parametrize("data", [b"", b"{", b'{"v":2}', b"[]", b'{"decided":"noon"}', b"\xff\xfe"])
def test_what_is_no_state_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="policy state"):
        PolicyState.from_bytes(data)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"page_after": 4}, "page_after=4 .* of_last=3.*lower page_after or raise of_last"),
        ({"page_after": 0}, "page_after=0"),
        ({"of_last": 0}, "of_last=0"),
        ({"resolve_after": -1}, "resolve_after=-1"),
        ({"critical_effect": 0.0}, "critical_effect=0"),
        ({"critical_rate_jump": 1.5}, "critical_rate_jump=1.5"),
        ({"critical_effect": float("nan")}, "critical_effect=nan"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_by_the_settings_name(settings, named: str) -> None:
    with pytest.raises(InvalidPolicy, match=named):
        PolicyConfig(**settings)


def test_the_summary_says_what_by_how_much_how_often_and_when() -> None:
    distance = a_verdict(
        "distance", p_value=3e-41, effect=0.21, findings=("values", "missing"), rates={"missing": (0.31, 0.01)}
    )
    carrier = a_verdict("carrier", kind="categorical", p_value=2e-5, effect=0.07)
    reports = [a_report(1, distance, carrier), a_report(2, distance, carrier), *windows("......")[2:]]
    alerts = [some[0] for some in told(reports)[1] if some]
    assert alerts[0].summary == (
        "flights/3: drift in distance (values: KS .21, p 3e-41; missing 1 % -> 31 %, p 1e-09), "
        "carrier (values: largest share change .07, p 2e-05) in at least 2 of the last 3 compared windows, "
        "window 2026-01-01T13:00:00Z to 2026-01-01T14:00:00Z"
    )
    assert alerts[1].summary == (
        "flights/3: drift in distance, carrier is over after 3 clean windows in a row, raised 2026-01-01T13:00:00Z, "
        "window 2026-01-01T17:00:00Z to 2026-01-01T18:00:00Z"
    )


def test_an_escalations_summary_names_the_new_ones() -> None:
    _, alerts = told(windows("xxzz"))
    assert alerts[3][0].summary.startswith("flights/3: drift spreads to temp (values: KS .20, p 1e-09); ")
    assert "features paging now: 2" in alerts[3][0].summary


def test_a_storm_is_one_alert_whose_sentence_stays_short() -> None:
    storm = [a_verdict(f"feature{i:03}", p_value=1e-50) for i in range(300)]
    state, alerts = told([a_report(1, *storm), a_report(2, *storm)])
    (alert,) = alerts[1]
    assert len(alert.features) == 300
    assert "and 297 more" in alert.summary
    assert len(alert.summary) < 400
    assert PolicyState.from_bytes(state.to_bytes()) == state


def test_an_alert_carries_the_window_and_report_that_made_it() -> None:
    report = windows("xx")[1]
    _, alerts = told(windows("xx"))
    (alert,) = alerts[1]
    assert (alert.model, alert.version, alert.report) == ("flights", "3", report.id)
    assert alert.window_end - alert.window_start == timedelta(hours=1)
