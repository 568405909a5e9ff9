"""A storm: most features page at once. One alert says so, and what joins it later says nothing."""

from __future__ import annotations

import msgspec

from contracts.findings import Cause
from contracts.reports import DriftReport, FeatureVerdict
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import a_mute, a_report, a_verdict, told, transitions

BROKEN = Cause(kind="missing", sentence="31 % of rows are missing")


def features(count: int, cause: Cause | None = None) -> list[FeatureVerdict]:
    """`carrier` is watched too, and quiet: see a_report."""
    return [a_verdict(f"feature{i:02}", cause=cause) for i in range(count)]


def quiet(count: int) -> list[FeatureVerdict]:
    return [a_verdict(f"quiet{i:02}", findings=(), p_value=0.5, effect=0.0) for i in range(count)]


def of(number: int, alarming: list[FeatureVerdict], calm: int = 0) -> DriftReport:
    """A report in which these alarm, and so many more are watched."""
    report = a_report(number, *alarming)
    return msgspec.structs.replace(report, features=(*report.features, *quiet(calm)))


def test_more_than_half_of_the_watched_features_are_a_storm_and_half_of_them_are_none() -> None:
    _, alerts = told([of(n, features(6), calm=4) for n in (1, 2)])  # 6 of 11
    assert alerts[1][0].storm
    assert alerts[1][0].summary.startswith("flights/3: storm: 6 of 11 features drift at once")
    _, alerts = told([of(n, features(6), calm=5) for n in (1, 2)])  # 6 of 12
    assert not alerts[1][0].storm


def test_fewer_than_five_features_are_no_storm_though_they_are_all() -> None:
    _, alerts = told([of(n, features(4)) for n in (1, 2)])
    assert not alerts[1][0].storm
    _, alerts = told([of(n, features(5)) for n in (1, 2)])
    assert alerts[1][0].storm


def test_the_score_and_the_decisions_do_not_make_a_storm() -> None:
    beside = [a_verdict("prediction:score", kind="score"), a_verdict("prediction:decision", kind="decision")]
    _, alerts = told([of(n, [*features(4), *beside]) for n in (1, 2)])
    assert not alerts[1][0].storm
    assert len(alerts[1][0].features) == 6


def test_what_joins_a_storm_says_nothing_and_belongs_to_it() -> None:
    reports = [of(n, features(6 + n), calm=2) for n in (1, 2, 3, 4, 5)]
    state, alerts = told(reports)
    assert transitions(alerts) == [".", "raise", ".", ".", "."]
    assert state.incident is not None
    assert state.incident.storm
    assert {entry.feature for entry in state.tracked if entry.in_incident} == {f"feature{i:02}" for i in range(10)}


def test_an_incident_that_becomes_a_storm_says_so_once() -> None:
    few, most = features(2), features(8)
    _, alerts = told([of(n, some, 2) for n, some in enumerate([few, few, most, most, most], 1)])
    assert transitions(alerts) == [".", "raise", ".", "escalate", "."]
    assert [alerts[1][0].storm, alerts[3][0].storm] == [False, True]
    assert "storm: 8 of 11 features" in alerts[3][0].summary


def test_a_storm_that_becomes_critical_escalates_once() -> None:
    worse = [a_verdict("feature00", effect=0.9), *features(8)[1:]]
    _, alerts = told([of(n, some) for n, some in enumerate([features(8), features(8), worse, worse], 1)])
    assert transitions(alerts) == [".", "raise", "escalate", "."]
    assert alerts[2][0].severity == "critical"


def test_a_storm_is_over_with_one_alert_too_and_the_next_incident_is_none() -> None:
    calm = [of(n, []) for n in range(3, 8)]
    again = [of(n, features(2), calm=6) for n in (8, 9)]
    _, alerts = told([of(1, features(8)), of(2, features(8)), *calm, *again])
    assert transitions(alerts) == [".", "raise", ".", ".", ".", "resolve", ".", ".", "raise"]
    assert [some[0].storm for some in alerts if some] == [True, True, False]


def test_a_storms_sentence_says_what_is_likely_behind_it() -> None:
    _, alerts = told([of(n, features(6, BROKEN)) for n in (1, 2)])
    assert (
        "most causes look like broken data (an upstream source, a join, the pipeline) rather than a changed world: feat"
        in (alerts[1][0].summary)
    )
    _, alerts = told([of(n, features(6)) for n in (1, 2)])
    assert "an upstream source, a join or the pipeline broke, or the world has changed" in alerts[1][0].summary


def test_a_muted_feature_does_not_make_a_storm_and_pages_when_its_mute_ends_in_one() -> None:
    reports = [of(n, features(6), calm=1) for n in range(1, 6)]  # 6 of 8
    mutes = [a_mute(f"feature{i:02}", first=1, last=3) for i in (0, 1)]
    _, alerts = told(reports, mutes=mutes)
    assert transitions(alerts) == [".", "raise", ".", "escalate", "."]
    assert [alerts[1][0].storm, alerts[3][0].storm] == [False, True]
    late = [a_mute("feature05", first=1, last=3)]
    _, alerts = told([of(n, features(6)) for n in range(1, 6)], mutes=late)  # 5 of 7, then 6
    assert transitions(alerts) == [".", "raise", ".", "escalate", "."]
    assert alerts[1][0].storm


def test_what_drifts_when_a_storm_has_passed_is_said_though_the_incident_is_still_open() -> None:
    storm = [a_verdict(f"feature{i:02}", effect=0.9) for i in range(8)]
    amount = [a_verdict("feature00", effect=0.9), a_verdict("amount", effect=0.9)]
    windows = [storm, storm, *[storm[:1]] * 20, *[amount] * 7]
    _, alerts = told([of(n, some, 8 - len(some)) for n, some in enumerate(windows, 1)])
    assert transitions(alerts) == [".", "raise", *["."] * 21, "escalate", *["."] * 5]
    (alert,) = alerts[23]
    assert [feature.feature for feature in alert.features if feature.new] == ["amount"]
    assert alert.summary.startswith("flights/3: drift spreads to amount")


def test_what_joins_in_the_first_window_that_is_no_storm_any_more_is_said() -> None:
    windows = [features(8), features(8), *[[*features(1), a_verdict("amount")]] * 3]  # in 3 they still page
    _, alerts = told([of(n, some, 9 - len(some)) for n, some in enumerate(windows, 1)])
    assert transitions(alerts) == [".", "raise", ".", "escalate", "."]


def test_a_second_storm_of_an_open_incident_is_said_once_too() -> None:
    windows = [features(8), features(8), *[features(1)] * 6, *[features(8)] * 4]
    reports = [of(n, some, 8 - len(some)) for n, some in enumerate(windows, 1)]
    state, alerts = told(reports[:7])
    assert transitions(alerts) == [".", "raise", *["."] * 5]
    _, alerts = told(reports[7:], state=PolicyState.from_bytes(state.to_bytes()))
    assert transitions(alerts) == [".", ".", "escalate", ".", "."]
    assert alerts[2][0].summary.startswith("flights/3: storm: 8 of 9 features drift at once")


def test_a_reminder_in_which_a_storm_is_back_is_a_reminder() -> None:
    windows = [features(8), features(8), features(1), features(1), features(8), features(8)]
    config = PolicyConfig(remind_after_ms=4 * 3_600_000)
    _, alerts = told([of(n, some, 8 - len(some)) for n, some in enumerate(windows, 1)], config)
    assert transitions(alerts) == [".", "raise", ".", ".", ".", "remind"]
    assert alerts[5][0].summary.startswith("flights/3: drift goes on since")


def test_a_storm_is_remembered_over_a_restart() -> None:
    state, _ = told([of(n, features(8)) for n in (1, 2)])
    assert PolicyState.from_bytes(state.to_bytes()) == state
    _, alerts = told([of(n, features(12)) for n in (3, 4)], PolicyConfig(), PolicyState.from_bytes(state.to_bytes()))
    assert transitions(alerts) == [".", "."]
