"""What the alert policy has to remember, rebuilt from the alerts that it has written. Pure.

Where the stored state is gone (another STREAM_APP_ID, a lost changelog) the topic `drift-alerts` still says which
incidents are open: they are not raised again, and are resolved when they are over. What it does not say is lost: alarms
that had not come to an alert by then, and clean windows since, where those are not counted again.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from contracts.alerts import AlertFeature, DriftAlert, Subject
from stream_app.alerting.number_words import p_words
from stream_app.alerting.performance_words import measure_words
from stream_app.alerting.policy_state import Incident, PolicyState, Tracked
from stream_app.alerting.wording import explanation
from stream_app.windowing.typed import Version


def rebuilt(alerts: Iterable[DriftAlert], page_after: int, subject: Subject = "drift") -> dict[Version, PolicyState]:
    """By model version, the state after its last alert. alerts: in any order, repeats among them.

    What was read from the topic is there: a window that is counted again does not repeat its alert. page_after: of the
    policy; the features of an alert had alarmed in so many windows, at least. subject: what the states are about;
    alerts about anything else are passed over.
    """
    states: dict[Version, PolicyState] = {}
    known = {alert.id: alert for alert in alerts if alert.subject == subject}
    for alert in sorted(known.values(), key=lambda alert: alert.window_start):
        version = alert.model, alert.version
        states[version] = _after(states.get(version, PolicyState()), alert, page_after)
    return states


def _after(state: PolicyState, alert: DriftAlert, page_after: int) -> PolicyState:
    before = state.incident
    same = before is not None and before.id == alert.incident
    if alert.transition == "resolve":  # perhaps of an incident that workers with another app id had open beside ours
        return PolicyState(decided=alert.window_start) if same else replace(state, decided=alert.window_start)
    # An escalation whose raise is not on the topic any more begins where it is first heard of.
    incident = Incident(
        id=alert.incident,
        opened=before.opened if before is not None and same else alert.window_start,
        severity=alert.severity,
        told=alert.window_start,
        storm=alert.storm,
    )
    paging = {feature.feature: _tracked(feature, alert, page_after) for feature in alert.features}
    earlier = (entry for entry in state.tracked if same and entry.feature not in paging)
    left = (replace(entry, alarms=(False,)) for entry in earlier)
    return PolicyState(decided=alert.window_start, incident=incident, tracked=(*paging.values(), *left))


def _tracked(feature: AlertFeature, alert: DriftAlert, page_after: int) -> Tracked:
    return Tracked(
        feature=feature.feature,
        alarms=(True,) * page_after,
        in_incident=True,
        since=feature.since,
        findings=feature.findings,
        p_value=feature.p_value,
        effect=feature.effect,
        critical=False,
        words="; ".join([_findings(feature), *explanation(feature.feature, feature.cause, feature.model_effect)]),
        cause=feature.cause,
        model_effect=feature.model_effect,
        seen=feature.seen or alert.window_start,
        value=feature.value,
        reference=feature.reference,
    )


def _findings(feature: AlertFeature) -> str:
    if "performance" not in feature.findings:
        return ", ".join(feature.findings)
    return measure_words(feature.feature, feature.reference, feature.value, p_words(feature.p_value))
