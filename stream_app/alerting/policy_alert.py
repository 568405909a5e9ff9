"""The alerts of the policy: which sentence a transition is said with, and what goes into it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts.alerts import AlertFeature, DriftAlert, Severity, Transition, alert_id
from stream_app.alerting import wording
from stream_app.alerting.policy_case import Case
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import Incident, Tracked


class Paging(NamedTuple):
    """The features that page in a window, most important first: those that alarm in it, then others. new: those of them
    that alarm in it and that nobody was told of. waiting, harmless: what alarms in it and does not page yet, or does
    not because it is harmless, without what is muted. number: how many features page, of so many that are watched; the
    score and the decisions are none.
    """

    all: list[Tracked]
    new: list[Tracked]
    waiting: list[Tracked]
    harmless: list[Tracked]
    number: int
    watched: int


def untold(entry: Tracked) -> bool:
    """Whether nobody was told of this feature: it is new to the incident, or was muted."""
    return entry.owed or not entry.in_incident


def spoken(
    transition: Transition,
    before: Incident | None,
    incident: Incident,
    paging: Paging,
    report: Case,
    config: PolicyConfig,
) -> DriftAlert:
    """Of an incident that begins or goes on. before: the incident until now, None where it begins."""
    if incident.storms and (before is None or not before.storms) and transition != "remind":
        summary = wording.storm(report, paging.all, paging.number, paging.watched)
    elif before is None:
        summary = wording.raised(report, paging.all, config.page_after, config.of_last)
    elif transition == "remind":
        summary = wording.reminded(report, paging.all, paging.waiting, paging.harmless, incident.opened)
    elif paging.new:
        summary = wording.escalated(report, paging.new, len(paging.all), before.recovered)
    else:
        summary = wording.worsened(report, paging.all, before.severity, incident.severity)
    return _alert(incident, transition, incident.severity, report, paging.all, summary)


def resolved(incident: Incident, belonged: Sequence[str], report: Case) -> DriftAlert:
    """Of an incident that is over. belonged: its features."""
    summary = wording.resolved(report, belonged, incident.opened, incident.clean)
    return _alert(incident, "resolve", "info", report, (), summary)


def _alert(
    incident: Incident,
    transition: Transition,
    severity: Severity,
    report: Case,
    features: Sequence[Tracked],
    summary: str,
) -> DriftAlert:
    return DriftAlert(
        id=alert_id(incident.id, transition, report.window_start),
        incident=incident.id,
        transition=transition,
        severity=severity,
        model=report.model,
        version=report.version,
        window_start=report.window_start,
        window_end=report.window_end,
        report=report.id,
        features=tuple(map(_feature, features)),
        summary=summary,
        storm=incident.storm,
        subject=report.subject,
    )


def _feature(entry: Tracked) -> AlertFeature:
    return AlertFeature(
        feature=entry.feature,
        findings=entry.findings,
        p_value=entry.p_value,
        effect=entry.effect,
        since=entry.since,
        new=untold(entry),
        cause=entry.cause,
        model_effect=entry.model_effect,
        seen=None if entry.alarms[-1] else entry.seen,
        value=entry.value,
        reference=entry.reference,
    )
