"""Laws of the policy over any sequence of windows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.reports import DriftReport
from stream_app.alerting.policy import decide
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import a_report, a_verdict, told

FEATURES = ("distance", "temp", "dewp", "seats")
alarming = st.lists(st.sampled_from(FEATURES), unique=True, max_size=4)
strength = st.sampled_from([1e-3, 1e-9, 1e-41, 0.0])


@st.composite
def histories(draw: st.DrawFn) -> list[DriftReport]:
    reports = []
    for number in range(1, draw(st.integers(1, 25)) + 1):
        if draw(st.integers(0, 5)) == 0:
            reports.append(a_report(number, status="insufficient"))
        else:
            verdicts = [a_verdict(name, p_value=draw(strength)) for name in draw(alarming)]
            reports.append(a_report(number, *verdicts))
    return reports


@st.composite
def configs(draw: st.DrawFn) -> PolicyConfig:
    of_last = draw(st.integers(1, 5))
    return PolicyConfig(
        page_after=draw(st.integers(1, of_last)), of_last=of_last, resolve_after=draw(st.integers(1, 4))
    )


@given(histories(), configs())
def test_every_page_has_enough_alarms_behind_it(history: list[DriftReport], config: PolicyConfig) -> None:
    _, alerts = told(history, config)
    for i, some in enumerate(alerts):
        compared = [report for report in history[: i + 1] if report.status != "insufficient"][-config.of_last :]
        for alert in some:
            for feature in alert.features:
                count = sum(feature.feature in report.alarms for report in compared)
                assert count >= config.page_after


@given(st.lists(st.sampled_from(FEATURES), max_size=8), configs())
def test_isolated_alarms_never_page(order: list[str], config: PolicyConfig) -> None:
    """Isolated: no other alarm of any feature within of_last windows."""
    if config.page_after == 1:
        return
    history, number = [], 1
    for feature in order:
        history.append(a_report(number, feature))
        history += [a_report(number + gap) for gap in range(1, config.of_last)]
        number += config.of_last
    assert not any(told(history, config)[1])


@given(histories(), configs())
def test_raise_comes_first_and_one_resolve_ends_it(history: list[DriftReport], config: PolicyConfig) -> None:
    _, alerts = told(history, config)
    assert all(len(some) <= 1 for some in alerts)
    incident = None
    for alert in (alert for some in alerts for alert in some):
        if alert.transition == "raise":
            assert incident is None
            incident = alert.incident
        else:
            assert alert.incident == incident
            if alert.transition == "resolve":
                incident = None


@given(histories(), configs())
def test_every_transition_has_an_id_of_its_own(history: list[DriftReport], config: PolicyConfig) -> None:
    _, alerts = told(history, config)
    ids = [alert.id for some in alerts for alert in some]
    assert len(ids) == len(set(ids))


@given(histories(), configs())
def test_a_feature_joins_an_incident_once(history: list[DriftReport], config: PolicyConfig) -> None:
    _, alerts = told(history, config)
    members: set[str] = set()
    for alert in (alert for some in alerts for alert in some):
        if alert.transition in ("raise", "resolve"):
            members = set()
        new = {feature.feature for feature in alert.features if feature.new}
        assert not new & members
        assert bool(new) == (alert.transition != "resolve")
        members |= new
        assert {feature.feature for feature in alert.features} <= members


@given(histories(), configs(), st.data())
def test_the_same_reports_give_the_same_alerts_through_crashes_and_repeats(
    history: list[DriftReport], config: PolicyConfig, data: st.DataObject
) -> None:
    """After each window the state is stored, or the crash comes before that and the window is decided again."""
    state, plain = told(history, config)
    again, alerts = PolicyState(), []
    for report in history:
        if data.draw(st.booleans()):
            decide(again, report, config)  # lost with the process
        again, some = decide(PolicyState.from_bytes(again.to_bytes()), report, config)
        if report.status != "insufficient":
            assert decide(again, report, config) == (again, some)
        alerts.append(some)
    assert (again, alerts) == (state, plain)


@given(histories(), configs(), st.integers(0, 24))
def test_older_windows_change_nothing(history: list[DriftReport], config: PolicyConfig, which: int) -> None:
    state, _ = told(history, config)
    report = history[which % len(history)]
    repeated, alerts = decide(state, report, config)
    assert repeated == state
    assert not alerts or alerts == state.alerts
