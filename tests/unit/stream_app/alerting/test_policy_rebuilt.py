"""The state rebuilt from alerts: what is open is not raised again, and is resolved when it is over."""

from __future__ import annotations

from contracts.alerts import DriftAlert
from contracts.reports import DriftReport
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_rebuilt import rebuilt
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import a_report, a_verdict, told, transitions

FLIGHTS = ("flights", "3")
NAMES = {"x": ("distance",), "y": ("temp",), "z": ("distance", "temp"), ".": ()}


def windows(picture: str) -> list[DriftReport]:
    return [a_report(number, *NAMES[sign]) for number, sign in enumerate(picture, 1)]


def written(picture: str) -> list[DriftAlert]:
    return [alert for some in told(windows(picture))[1] for alert in some]


def after(picture: str, more: str) -> list[str]:
    """What is said of `more` by a policy that has lost its state, and counts everything again."""
    state = rebuilt(written(picture), page_after=2).get(FLIGHTS, PolicyState())
    return transitions(told(windows(picture + more), state=state)[1])


def live(picture: str, more: str) -> list[str]:
    return transitions(told(windows(picture + more))[1])


def test_without_alerts_there_is_nothing() -> None:
    assert rebuilt([], page_after=2) == {}


def test_an_open_incident_is_not_raised_again_though_all_its_windows_are_counted_again() -> None:
    assert after("xx", "xxx") == ["."] * 5


def test_an_incident_that_is_over_meanwhile_is_resolved_as_it_would_have_been() -> None:
    for more in ("....", "x....", "..x....", "zz......"):
        assert after("xx", more)[2:] == live("xx", more)[2:], more


def test_a_feature_that_joins_escalates_and_one_that_had_joined_does_not() -> None:
    assert after("xx", "zz") == [".", ".", ".", "escalate"]
    assert after("xxzz", "yyyxx") == ["."] * 9


def test_after_a_resolve_nothing_is_open_and_older_windows_raise_nothing() -> None:
    assert after("xxx....", "..xx") == [*["."] * 10, "raise"]
    state = rebuilt(written("xxx...."), page_after=2)[FLIGHTS]
    assert state.incident is None


def test_the_incident_keeps_its_id_beginning_and_highest_severity() -> None:
    large = a_verdict("temp", effect=0.6)
    reports = [a_report(1, "distance"), a_report(2, "distance"), a_report(3, large), a_report(4, large)]
    state, alerts = told(reports)
    again = rebuilt([alert for some in alerts for alert in some], page_after=2)[FLIGHTS]
    assert again.incident == state.incident
    assert {entry.feature for entry in again.tracked} == {"distance", "temp"}


def test_repeats_and_another_order_make_no_difference() -> None:
    alerts = written("xxzz")
    assert rebuilt([*alerts, *alerts], page_after=2) == rebuilt(alerts, page_after=2)
    assert rebuilt([*reversed(alerts), alerts[0]], page_after=2) == rebuilt(alerts, page_after=2)


def test_an_incident_whose_raise_is_not_on_the_topic_any_more_is_taken_up_where_it_is_heard_of() -> None:
    (_, escalation) = written("xxzz")
    state = rebuilt([escalation], page_after=2)[FLIGHTS]
    assert state.incident is not None
    assert (state.incident.id, state.incident.opened) == (escalation.incident, escalation.window_start)
    said = transitions(told(windows("xxzz....."), state=state)[1])
    assert said == [*["."] * 7, "resolve", "."]


def test_versions_are_told_apart() -> None:
    other = [a_report(n, "distance", version="4") for n in (1, 2)]
    alerts = written("xx....") + [alert for some in told(other)[1] for alert in some]
    states = rebuilt(alerts, page_after=2)
    assert states[FLIGHTS].incident is None
    assert states["flights", "4"].incident is not None


def test_a_reminder_comes_after_the_cooldown_since_the_last_alert() -> None:
    config = PolicyConfig(remind_after_ms=3 * 3_600_000)
    state = rebuilt(written("xx"), page_after=2)[FLIGHTS]
    assert transitions(told(windows("xxxxxx"), config, state)[1]) == [*["."] * 4, "remind", "."]


def test_a_resolve_ends_its_own_incident_and_no_other() -> None:
    """Two app ids, for a while: A raised in window 2, B in 3 (it had lost the state), A resolves in 6."""
    _, first = told(windows("xx...."))
    _, second = told([a_report(n, "distance") for n in (3, 4)], PolicyConfig(page_after=1))
    raised, resolved = (some[0] for some in first if some)
    other = second[0][0]
    assert other.incident != raised.incident
    assert resolved.transition == "resolve"
    state = rebuilt([raised, other, resolved], page_after=2)[FLIGHTS]
    assert state.incident is not None
    assert (state.incident.id, state.decided) == (other.incident, resolved.window_start)
    assert {entry.feature for entry in state.tracked if entry.in_incident} == {"distance"}


def test_what_joins_a_storm_is_silent_though_the_state_was_lost() -> None:
    storm = [a_report(n, *(f"feature{i}" for i in range(4 + n))) for n in range(1, 6)]
    alerts = [alert for some in told(storm[:3])[1] for alert in some]
    assert [(alert.transition, alert.storm) for alert in alerts] == [("raise", True)]
    state = rebuilt(alerts, page_after=2)[FLIGHTS]
    assert transitions(told(storm, state=state)[1]) == ["."] * 5


def test_a_rebuilt_state_survives_being_stored() -> None:
    state = rebuilt(written("xxzz"), page_after=2)[FLIGHTS]
    assert PolicyState.from_bytes(state.to_bytes()) == state
