"""The alert policy: reports in, transitions of incidents out. Pure; the only time is that of the reports' windows.

One state per model version, and at most one open incident in it:

    compared window    1  2      3  4         5  6  7  8         page_after=2, of_last=3, resolve_after=3
    distance alarms    x  x      x  .         .  .  .  .
    temp alarms        .  .      x  x         .  .  .  .
    transition            raise     escalate           resolve

A feature *pages* when it alarmed in `page_after` of the last `of_last` compared windows and is not muted. A harmless
alarm is none, here and below, unless those page too; windows whose status is `insufficient` count neither way.

    raise      a feature pages and no incident is open
    escalate   a feature pages that does not belong to the incident, or was muted since it was told of; or the
               severity rises; or the incident has become a storm: then most features page at once, which is said
               once: what joins while it storms joins silently
    remind     a feature still pages, and `remind_after_ms` have passed since the incident's last alert
    resolve    `resolve_after` clean windows in a row; also while muted, for it pages nobody

A window is clean when no feature pages and none of the incident's features alarms, muted ones included. Both are asked
for: while a feature still pages, a resolve would be followed by a raise at its next alarm; and a lone alarm of a
feature that never paged says nothing about the incident, so it must not keep it open (one window in a hundred has such
an alarm when all is well). A feature of the incident that has been clean for `resolve_after` windows while others keep
it open belongs to it no more: when it pages again that is news.

A report may come twice, because a crash may strike after its alerts were written and before the state was. The rule:
the last decided window gives back its alerts unchanged, ids included, and any older window gives none; neither changes
the state. (Before the state was written the same mutes decide again: see Merger.announce.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace

from contracts.alerts import DriftAlert, Severity, Transition, incident_id
from contracts.baseline import DECISION, SCORE
from contracts.mutes import Mute, in_force
from stream_app.alerting.policy_alert import Paging, resolved, spoken, untold
from stream_app.alerting.policy_case import Case
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import Incident, PolicyState, Tracked
from stream_app.alerting.policy_tracking import harmless, persists, track

STORM_FEATURES = 5
"""Fewer features than this are no storm, even where they are most."""
_SEVERITIES: tuple[Severity, ...] = ("info", "harmless", "warning", "critical")
_NOT_FEATURES = (SCORE, DECISION)


class _Now(NamedTuple):
    """What a window shows. severity: the highest of those that page, and rising: of those that alarm too. storm: most
    of the watched features page.
    """

    paging: Paging
    severity: Severity
    rising: Severity
    storm: bool


def decide(
    state: PolicyState, report: Case, config: PolicyConfig, mutes: Collection[Mute] = ()
) -> tuple[PolicyState, tuple[DriftAlert, ...]]:
    """The state after one report of this model version, and the alerts to write (none or one)."""
    if state.decided is not None and report.window_start <= state.decided:
        return state, state.alerts if report.window_start == state.decided else ()
    if report.status == "insufficient":
        return state, ()
    muted = {mute.feature for mute in in_force(mutes, report.model, report.version, report.window_end)}

    def is_muted(feature: str) -> bool:
        return None in muted or feature in muted

    tracked = track(state.tracked, report, config, is_muted)
    heard = [entry for entry in tracked if not is_muted(entry.feature)]
    passed_over = [entry for entry in harmless(report, config) if not is_muted(entry.feature)]
    now = _now(heard, passed_over, report, config)
    incident, tracked, alerts = _next(state.incident, tracked, now, report, config)
    return PolicyState(decided=report.window_start, alerts=alerts, incident=incident, tracked=tracked), alerts


def _now(heard: list[Tracked], passed_over: list[Tracked], report: Case, config: PolicyConfig) -> _Now:
    """heard: the tracked features that are not muted; passed_over: those whose alarm is harmless."""
    paging = [entry for entry in heard if persists(entry.alarms, config)]
    pages = {entry.feature for entry in paging}
    alarming = [entry for entry in paging if entry.alarms[-1]]
    watched = sum(verdict.feature not in _NOT_FEATURES for verdict in report.features)
    count = sum(entry.feature not in _NOT_FEATURES for entry in paging)
    return _Now(
        paging=Paging(
            all=paging,
            new=[entry for entry in alarming if untold(entry)],
            waiting=[entry for entry in heard if entry.alarms[-1] and entry.feature not in pages],
            harmless=[entry for entry in passed_over if entry.feature not in pages],
            number=count,
            watched=watched,
        ),
        severity=_highest(paging),
        rising=_highest(alarming),
        storm=report.subject == "drift" and count >= STORM_FEATURES and 2 * count > watched,
    )


def _next(
    incident: Incident | None, tracked: tuple[Tracked, ...], now: _Now, report: Case, config: PolicyConfig
) -> tuple[Incident | None, tuple[Tracked, ...], tuple[DriftAlert, ...]]:
    transition = _transition_of(incident, now, report, config)
    if transition is not None:
        opened = incident or Incident(
            id=incident_id(report.model, report.version, report.window_start, report.subject),
            opened=report.window_start,
            severity=now.severity,
        )
        told = replace(
            opened,
            clean=0,
            severity=max(opened.severity, now.severity, key=_SEVERITIES.index),
            told=report.window_start,
            storm=opened.storm or now.storm,
            calm=opened.storm and not now.storm,
        )
        alert = spoken(transition, incident, told, now.paging, report, config)
        return *_without_recovered(told, _joined(tracked, now.paging.all, told=True), config), (alert,)
    if incident is None:
        return None, tracked, ()
    tracked = _joined(tracked, now.paging.new, told=False)
    clean = not now.paging.all and all(entry.clean for entry in tracked if entry.in_incident)
    incident = replace(incident, clean=incident.clean + 1 if clean else 0, calm=incident.storm and not now.storm)
    if incident.clean < config.resolve_after:
        return *_without_recovered(incident, tracked, config), ()
    members = [entry.feature for entry in tracked if entry.in_incident]
    belonged = members + [feature for feature in incident.recovered if feature not in members]
    left = tuple(replace(entry, in_incident=False, owed=False) for entry in tracked if any(entry.alarms))
    return None, left, (resolved(incident, belonged, report),)


def _transition_of(incident: Incident | None, now: _Now, report: Case, config: PolicyConfig) -> Transition | None:
    """What is to be said of an incident that goes on, if anything."""
    if incident is None:
        return "raise" if now.paging.new else None
    joined = [entry for entry in now.paging.new if entry.owed or not (incident.storms and now.storm)]
    rises = _SEVERITIES.index(now.rising) > _SEVERITIES.index(incident.severity)
    if joined or rises or (now.storm and not incident.storm):
        return "escalate"
    silence = report.window_start - (incident.told or incident.opened)
    is_due = config.remind_after_ms and silence >= timedelta(milliseconds=config.remind_after_ms)
    return "remind" if now.paging.all and is_due else None


def _joined(tracked: tuple[Tracked, ...], joining: Sequence[Tracked], *, told: bool) -> tuple[Tracked, ...]:
    """These belong to the incident from now on. told: somebody hears of them."""
    names = {entry.feature for entry in joining}
    return tuple(
        replace(entry, in_incident=True, owed=entry.owed and not told) if entry.feature in names else entry
        for entry in tracked
    )


def _without_recovered(
    incident: Incident, tracked: tuple[Tracked, ...], config: PolicyConfig
) -> tuple[Incident, tuple[Tracked, ...]]:
    """Features that had clean windows enough do not belong to the incident any more."""
    over = [entry.feature for entry in tracked if entry.in_incident and entry.clean >= config.resolve_after]
    recovered = (*incident.recovered, *(feature for feature in over if feature not in incident.recovered))
    left = (replace(entry, in_incident=False) if entry.feature in over else entry for entry in tracked)
    return replace(incident, recovered=recovered), tuple(e for e in left if e.in_incident or any(e.alarms))


def _highest(entries: list[Tracked]) -> Severity:
    return max((entry.severity for entry in entries), key=_SEVERITIES.index, default="info")
