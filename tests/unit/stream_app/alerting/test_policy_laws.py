"""Laws of the policy over any sequence of windows, with any settings and any mutes."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contracts.alerts import DriftAlert
from contracts.mutes import Mute
from contracts.reports import DriftReport
from stream_app.alerting.policy import decide
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_rebuilt import rebuilt
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import a_mute, a_report, a_verdict, told

FEATURES = ("distance", "temp", "dewp", "seats", "wind", "humid")
SEVERITIES = ("info", "harmless", "warning", "critical")
VERDICTS = [
    a_verdict(name, p_value=p_value, effect=effect, findings=findings, change=change, harmless=harmless)
    for name in FEATURES
    for p_value in (1e-3, 1e-41)
    for effect, findings, change, harmless in [
        (0.1, ("values",), None, False),
        (0.3, ("values",), 0.02, False),
        (0.1, ("values",), -0.2, False),
        (0.1, ("values",), 0.001, True),
        (0.3, ("values",), 0.001, True),
        (0.1, ("missing",), 0.002, False),
    ]
]
alarming = st.lists(st.sampled_from(VERDICTS), unique_by=lambda verdict: verdict.feature, max_size=6)


@st.composite
def histories(draw: st.DrawFn) -> list[DriftReport]:
    windows = draw(st.lists(st.one_of(st.none(), *[alarming] * 5), min_size=1, max_size=20))
    return [
        a_report(number, status="insufficient") if some is None else a_report(number, *some)
        for number, some in enumerate(windows, 1)
    ]


@st.composite
def configs(draw: st.DrawFn) -> PolicyConfig:
    of_last = draw(st.integers(1, 5))
    return PolicyConfig(
        page_after=draw(st.integers(1, of_last)),
        of_last=of_last,
        resolve_after=draw(st.integers(1, 4)),
        page_harmless=draw(st.booleans()),
        remind_after_ms=draw(st.sampled_from([0, 1, 3_600_000, 5 * 3_600_000])),
    )


@st.composite
def mute(draw: st.DrawFn) -> Mute:
    first = draw(st.integers(1, 25))
    return a_mute(
        draw(st.sampled_from([None, *FEATURES])),
        first=first,
        last=draw(st.integers(first, 26)),
        version=draw(st.sampled_from([None, "3", "4"])),
    )


mutes = st.lists(mute(), max_size=4)


def said(alerts: list[tuple[DriftAlert, ...]]) -> list[DriftAlert]:
    return [alert for some in alerts for alert in some]


def is_muted(some: list[Mute], report: DriftReport, feature: str) -> bool:
    """Written anew, not the policy's."""
    return any(
        mute.feature in (None, feature)
        and mute.version in (None, report.version)
        and mute.since < report.window_end <= mute.until
        for mute in some
    )


def counts(report: DriftReport, feature: str, config: PolicyConfig) -> bool:
    """Written anew, not the policy's."""
    verdict = report.verdict(feature) if feature in report.alarms else None
    return verdict is not None and (config.page_harmless or not verdict.harmless)


@given(histories(), configs(), mutes)
def test_every_page_has_enough_alarms_behind_it_that_were_not_harmless(history, config, some_mutes) -> None:
    _, alerts = told(history, config, mutes=some_mutes)
    for i, some in enumerate(alerts):
        compared = [report for report in history[: i + 1] if report.status != "insufficient"][-config.of_last :]
        for alert in some:
            for feature in alert.features:
                count = sum(counts(report, feature.feature, config) for report in compared)
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


@given(histories(), configs(), mutes)
def test_raise_comes_first_and_one_resolve_ends_it(history, config, some_mutes) -> None:
    """So at most one incident of a version is open, and raise and resolve alternate."""
    state, alerts = told(history, config, mutes=some_mutes)
    assert all(len(some) <= 1 for some in alerts)
    incident = None
    for alert in said(alerts):
        if alert.transition == "raise":
            assert incident is None
            incident = alert.incident
        else:
            assert alert.incident == incident
            if alert.transition == "resolve":
                incident = None
    assert (state.incident.id if state.incident else None) == incident


@given(histories(), configs(), mutes)
def test_every_transition_has_an_id_of_its_own(history, config, some_mutes) -> None:
    ids = [alert.id for alert in said(told(history, config, mutes=some_mutes)[1])]
    assert len(ids) == len(set(ids))


@given(histories(), configs())
def test_a_feature_joins_an_incident_once_unless_it_had_as_many_clean_windows_as_resolve(
    history: list[DriftReport], config: PolicyConfig
) -> None:
    """Here nothing is muted."""
    clean: dict[str, int] = {}  # of what joined: the longest run of windows since, in which it did not alarm
    run: dict[str, int] = {}
    for report, some in zip(history, told(history, config)[1], strict=True):
        for name in clean if report.status != "insufficient" else ():
            run[name] = 0 if counts(report, name, config) else run[name] + 1
            clean[name] = max(clean[name], run[name])
        for alert in some:
            if alert.transition in ("raise", "resolve"):
                clean, run = {}, {}
            new = {feature.feature for feature in alert.features if feature.new}
            assert all(clean[name] >= config.resolve_after for name in new & clean.keys())
            assert not new or alert.transition in ("raise", "escalate") or alert.storm
            assert new or alert.transition != "raise"
            fresh = {feature.feature for feature in alert.features if feature.new or feature.feature not in clean}
            clean |= dict.fromkeys(fresh, 0)
            run |= dict.fromkeys(fresh, 0)


@given(histories(), configs(), mutes)
def test_what_still_pages_belongs_to_the_incident_and_what_is_clean_as_long_as_resolves_does_not(
    history, config, some_mutes
) -> None:
    state = PolicyState()
    for number, report in enumerate(history, 1):
        state, _ = decide(state, report, config, some_mutes)
        compared = [report for report in history[:number] if report.status != "insufficient"][-config.of_last :]
        for entry in state.tracked:
            count = sum(counts(report, entry.feature, config) for report in compared)
            if entry.in_incident:
                assert state.incident is not None
                assert entry.clean < config.resolve_after
                assert not entry.clean or (count < config.page_after)


@given(histories(), configs(), mutes)
def test_an_escalation_has_a_reason(history, config, some_mutes) -> None:
    before = None
    for alert in said(told(history, config, mutes=some_mutes)[1]):
        if before is not None and alert.transition in ("escalate", "remind"):
            rises = SEVERITIES.index(alert.severity) - SEVERITIES.index(before.severity)
            new = any(feature.new for feature in alert.features)
            assert rises >= 0
            assert alert.storm >= before.storm
            assert rises or new or alert.storm > before.storm or alert.transition == "remind"
        before = alert


@given(histories(), configs(), mutes)
def test_nobody_is_reminded_more_often_than_after_the_cooldown(history, config, some_mutes) -> None:
    before = None
    for alert in said(told(history, config, mutes=some_mutes)[1]):
        if alert.transition == "remind":
            assert config.remind_after_ms
            assert before is not None
            assert (alert.window_start - before.window_start).total_seconds() * 1000 >= config.remind_after_ms
        before = alert


@given(histories(), configs(), mutes)
def test_a_muted_feature_never_pages(history, config, some_mutes) -> None:
    for report, some in zip(history, told(history, config, mutes=some_mutes)[1], strict=True):
        for alert in some:
            assert not any(is_muted(some_mutes, report, feature.feature) for feature in alert.features)


@given(configs(), st.integers(1, 12), st.integers(1, 6), st.sampled_from([None, "distance"]))
def test_what_still_drifts_when_its_mute_ends_pages_then(config, length, first, muted) -> None:
    """The mute may begin before the first page or behind it."""
    end = first + length
    history = [a_report(number, "distance") for number in range(1, end + config.of_last + 1)]
    _, alerts = told(history, config, mutes=[a_mute(muted, first=first, last=end - 1)])
    behind = alerts[max(end, config.page_after) - 1]
    assert [alert.transition for alert in behind] == (["escalate"] if first > config.page_after else ["raise"])


@given(histories(), configs())
def test_harmless_drift_alone_never_pages(history: list[DriftReport], config: PolicyConfig) -> None:
    config = msgspec.structs.replace(config, page_harmless=False)
    quiet = []
    for report in history:
        drifting = [a_verdict(name, effect=0.9, change=0.001, harmless=True) for name in report.alarms]
        features = report.features and (*drifting, report.features[-1])
        quiet.append(msgspec.structs.replace(report, features=features))
    assert not any(told(quiet, config)[1])


@given(histories(), configs(), mutes)
def test_no_alert_has_what_a_harmless_alarm_said_unless_it_is_wanted(history, config, some_mutes) -> None:
    config = msgspec.structs.replace(config, page_harmless=False)
    for alert in said(told(history, config, mutes=some_mutes)[1]):
        assert alert.severity != "harmless"
        effects = [feature.model_effect for feature in alert.features]
        assert not any(effect is not None and effect.expected.score == 0.001 for effect in effects)


@given(histories(), configs(), mutes, st.data())
def test_the_same_reports_give_the_same_alerts_through_crashes_and_repeats(
    history, config, some_mutes, data: st.DataObject
) -> None:
    """After each window the state is stored, or the crash comes before that and the window is decided again."""
    state, plain = told(history, config, mutes=some_mutes)
    again, alerts = PolicyState(), []
    for report in history:
        if data.draw(st.booleans()):
            decide(again, report, config, some_mutes)  # lost with the process
        again, some = decide(PolicyState.from_bytes(again.to_bytes()), report, config, some_mutes)
        if report.status != "insufficient":
            assert decide(again, report, config, ()) == (again, some)  # decided is decided, whatever is muted since
        alerts.append(some)
    assert (again, alerts) == (state, plain)


@given(histories(), configs(), st.integers(0, 24))
def test_older_windows_change_nothing(history: list[DriftReport], config: PolicyConfig, which: int) -> None:
    state, _ = told(history, config)
    report = history[which % len(history)]
    repeated, alerts = decide(state, report, config)
    assert repeated == state
    assert not alerts or alerts == state.alerts


@given(histories(), configs(), mutes, st.data())
def test_a_policy_that_lost_its_state_knows_what_is_open_and_raises_nothing_twice(
    history, config, some_mutes, data: st.DataObject
) -> None:
    """The state is lost somewhere; what was written is read, and everything is counted again and goes on."""
    lost = data.draw(st.integers(0, len(history)))
    before, alerts = told(history[:lost], config, mutes=some_mutes)
    written = said(alerts)
    known = rebuilt(written, config.page_after).get(("flights", "3"), PolicyState())
    incident = None if before.incident is None else before.incident.id
    assert (None if known.incident is None else known.incident.id) == incident
    fresh = said(told(history, config, known, some_mutes)[1])
    for alert in fresh:
        assert all(alert.window_start > old.window_start for old in written)
        assert (incident is None) if alert.transition == "raise" else (alert.incident == incident)
        incident = None if alert.transition == "resolve" else alert.incident
