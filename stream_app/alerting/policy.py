"""The alert policy: reports in, transitions of incidents out. Pure; the only time is that of the reports' windows.

One state per model version, and at most one open incident in it:

    compared window    1  2      3  4         5  6  7  8         page_after=2, of_last=3, resolve_after=3
    distance alarms    x  x      x  .         .  .  .  .
    temp alarms        .  .      x  x         .  .  .  .
    transition            raise     escalate           resolve

A feature *pages* when it alarmed in `page_after` of the last `of_last` compared windows; windows whose status is
`insufficient` count neither way. An incident is *raised* when the first feature pages, *escalated* when a feature
pages that did not belong to it yet, *resolved* after `resolve_after` clean windows in a row. A window is clean when no
feature pages and none of the incident's features alarms. Both are asked for: while a feature still pages, a resolve
would be followed by a raise at its next alarm; and a lone alarm of a feature that never paged says nothing about the
incident, so it must not keep it open (one window in a hundred has such an alarm when all is well).

A report may come twice, because a crash may strike after its alerts were written and before the state was. The rule:
the last decided window gives back its alerts unchanged, ids included, and any older window gives none; neither changes
the state.
"""

from __future__ import annotations

import msgspec

from contracts.alerts import AlertFeature, DriftAlert, Severity, Transition, alert_id, incident_id
from contracts.reports import DriftReport, FeatureVerdict
from stream_app.alerting import wording
from stream_app.alerting.policy_state import Incident, PolicyState, Tracked

_QUALITY = ("missing", "out_of_range", "unseen")


class InvalidPolicy(ValueError):
    """A policy that contradicts itself; the text names the setting and the fix."""


class PolicyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When to page and to resolve, in compared windows, and what is critical.

    critical_effect: a feature whose effect (KS distance, or largest change of a level's share) reaches this is
    critical. critical_rate_jump: so is one whose rate of missing, out-of-range or unseen values rose by this much.
    """

    page_after: int = 2
    of_last: int = 3
    resolve_after: int = 3
    critical_effect: float = 0.25
    critical_rate_jump: float = 0.5

    def __post_init__(self) -> None:
        for name in ("page_after", "of_last", "resolve_after"):
            if (value := getattr(self, name)) < 1:
                raise InvalidPolicy(f"{name}={value}: it counts windows and must be at least 1")
        if self.page_after > self.of_last:
            raise InvalidPolicy(
                f"page_after={self.page_after} is greater than of_last={self.of_last}: a feature cannot alarm in "
                f"{self.page_after} of {self.of_last} windows; lower page_after or raise of_last"
            )
        for name in ("critical_effect", "critical_rate_jump"):
            if not 0 < (size := getattr(self, name)) <= 1:
                raise InvalidPolicy(f"{name}={size}: it must be above 0 and at most 1")


def decide(state: PolicyState, report: DriftReport, config: PolicyConfig) -> tuple[PolicyState, tuple[DriftAlert, ...]]:
    """The state after one report of this model version, and the alerts to write (none or one)."""
    if state.decided is not None and report.window_start <= state.decided:
        return state, state.alerts if report.window_start == state.decided else ()
    if report.status == "insufficient":
        return state, ()
    tracked = _track(state.tracked, report, config)
    incident, tracked, alerts = _transition(state.incident, tracked, report, config)
    return PolicyState(decided=report.window_start, alerts=alerts, incident=incident, tracked=tracked), alerts


def _track(tracked: tuple[Tracked, ...], report: DriftReport, config: PolicyConfig) -> tuple[Tracked, ...]:
    """The features worth remembering after this window, strongest first."""
    before = {entry.feature: entry for entry in tracked}
    alarming = {verdict.feature: verdict for verdict in report.features if verdict.alarm}
    after = []
    for feature in before.keys() | alarming.keys():
        old, verdict = before.get(feature), alarming.get(feature)
        alarms = ((*old.alarms, verdict is not None) if old else (True,))[-config.of_last :]
        in_incident = old is not None and old.in_incident
        if verdict is not None:
            since = old.since if old is not None and any(old.alarms) else report.window_start
            entry = Tracked(
                feature=feature,
                alarms=alarms,
                in_incident=in_incident,
                since=since,
                findings=verdict.findings,
                p_value=verdict.p_value,
                effect=verdict.effect,
                critical=_critical(verdict, config),
                words=wording.finding_words(verdict),
            )
            after.append(entry)
        elif old is not None and (in_incident or any(alarms)):
            after.append(msgspec.structs.replace(old, alarms=alarms))
    return tuple(sorted(after, key=lambda entry: (entry.p_value, -entry.effect, entry.feature)))


def _critical(verdict: FeatureVerdict, config: PolicyConfig) -> bool:
    jumps = (
        statistic.value - statistic.reference
        for statistic in verdict.statistics
        if statistic.name in _QUALITY and statistic.name in verdict.findings and statistic.reference is not None
    )
    return verdict.effect >= config.critical_effect or any(jump >= config.critical_rate_jump for jump in jumps)


def _transition(
    incident: Incident | None, tracked: tuple[Tracked, ...], report: DriftReport, config: PolicyConfig
) -> tuple[Incident | None, tuple[Tracked, ...], tuple[DriftAlert, ...]]:
    paging = [entry for entry in tracked if sum(entry.alarms) >= config.page_after]
    new = [entry for entry in paging if not entry.in_incident]
    if new:
        opened = incident or Incident(
            id=incident_id(report.model, report.version, report.window_start),
            opened=report.window_start,
            severity="warning",
        )
        critical = opened.severity == "critical" or any(entry.critical for entry in paging)
        opened = msgspec.structs.replace(opened, clean=0, severity="critical" if critical else "warning")
        if incident is None:
            summary = wording.raised(report, _described(paging), config.page_after, config.of_last)
        else:
            summary = wording.escalated(report, _described(new), len(paging))
        features = tuple(_alert_feature(entry) for entry in paging)
        transition: Transition = "raise" if incident is None else "escalate"
        members = {entry.feature for entry in paging}
        joined = tuple(
            msgspec.structs.replace(entry, in_incident=True) if entry.feature in members else entry for entry in tracked
        )
        return opened, joined, (_alert(opened, transition, opened.severity, report, features, summary),)
    if incident is None:
        return None, tracked, ()
    clean = not paging and not any(entry.alarms[-1] for entry in tracked if entry.in_incident)
    incident = msgspec.structs.replace(incident, clean=incident.clean + 1 if clean else 0)
    if incident.clean < config.resolve_after:
        return incident, tracked, ()
    belonged = [entry.feature for entry in tracked if entry.in_incident]
    summary = wording.resolved(report, belonged, incident.opened, incident.clean)
    left = (msgspec.structs.replace(entry, in_incident=False) for entry in tracked if any(entry.alarms))
    return None, tuple(left), (_alert(incident, "resolve", "info", report, (), summary),)


def _described(entries: list[Tracked]) -> list[tuple[str, str]]:
    return [(entry.feature, entry.words) for entry in entries]


def _alert_feature(entry: Tracked) -> AlertFeature:
    return AlertFeature(
        feature=entry.feature,
        findings=entry.findings,
        p_value=entry.p_value,
        effect=entry.effect,
        since=entry.since,
        new=not entry.in_incident,
    )


def _alert(
    incident: Incident,
    transition: Transition,
    severity: Severity,
    report: DriftReport,
    features: tuple[AlertFeature, ...],
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
        features=features,
        summary=summary,
    )
