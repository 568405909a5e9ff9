"""Reports, verdicts and alerts for the tests of alerting, with defaults you override by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from contracts.alerts import DriftAlert, alert_id, incident_id
from contracts.findings import Cause, ModelEffect, ScoreChange
from contracts.mutes import Mute
from contracts.reports import DriftReport, FeatureVerdict, Finding, Statistic, Status, report_id
from stream_app.alerting.policy import decide
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.drift.explain import ranked
from tests.builders import NOON

HOUR = timedelta(hours=1)


def window(number: int) -> datetime:
    """Start of the n-th window, n from 1."""
    return NOON + (number - 1) * HOUR


def a_verdict(
    feature: str = "distance",
    *,
    kind: Any = "numeric",
    findings: tuple[Finding, ...] = ("values",),
    p_value: float = 1e-9,
    effect: float = 0.2,
    rates: Mapping[str, tuple[float, float]] | None = None,
    change: float | None = None,
    harmless: bool = False,
    cause: Cause | None = None,
) -> FeatureVerdict:
    """rates: name -> (in the window, in the reference). change: expected, of the mean score."""
    return FeatureVerdict(
        feature=feature,
        kind=kind,
        rows=1000,
        missing=0,
        p_value=p_value,
        effect=effect,
        statistics=(
            Statistic("ks", effect, p_value),
            *(Statistic(name, now, 1e-9, before) for name, (now, before) in (rates or {}).items()),
        ),
        findings=findings,
        cause=cause,
        model_effect=None if change is None else ModelEffect(if_world_moved=ScoreChange(change, change / 2)),
        harmless=harmless,
    )


def harmless(feature: str = "distance") -> FeatureVerdict:
    """It drifts, and the model does not mind."""
    return a_verdict(feature, change=0.004, harmless=True)


def a_mute(feature: str | None = None, *, first: int, last: int, version: str | None = None) -> Mute:
    """Of the n-th to the m-th window."""
    since, until = window(first), window(last) + HOUR
    return Mute(model="flights", version=version, feature=feature, since=since, until=until)


def a_report(
    number: int,
    *alarming: str | FeatureVerdict,
    status: Status | None = None,
    model: str = "flights",
    version: str = "3",
) -> DriftReport:
    """The n-th window; features that alarm are given by name or as verdicts, `carrier` is always there and quiet."""
    verdicts = [verdict if isinstance(verdict, FeatureVerdict) else a_verdict(verdict) for verdict in alarming]
    quiet = a_verdict("carrier", findings=(), p_value=0.6, effect=0.01)
    return DriftReport(
        id=report_id(model, version, window(number)),
        model=model,
        version=version,
        baseline="0123456789abcdef",
        window_start=window(number),
        window_end=window(number) + HOUR,
        rows=1000,
        compared_rows=0 if status == "insufficient" else 1000,
        merged_windows=0,
        status=status or ("alarm" if verdicts else "quiet"),
        preset="calibrated",
        alarms=tuple(verdict.feature for verdict in ranked(verdicts)),
        features=() if status == "insufficient" else (*verdicts, quiet),
    )


def told(
    reports: Sequence[DriftReport],
    config: PolicyConfig | None = None,
    state: PolicyState | None = None,
    mutes: Sequence[Mute] = (),
) -> tuple[PolicyState, list[tuple[DriftAlert, ...]]]:
    """The policy over many reports: the last state, and the alerts of each."""
    state, alerts = state or PolicyState(), []
    for report in reports:
        state, some = decide(state, report, config or PolicyConfig(), mutes)
        alerts.append(some)
    return state, alerts


def transitions(alerts: Sequence[tuple[DriftAlert, ...]]) -> list[str]:
    """One word per window, "." where nothing was said."""
    return ["+".join(alert.transition for alert in some) or "." for some in alerts]


def an_alert(number: int = 1, *, model: str = "flights", version: str = "3", summary: str = "drift") -> DriftAlert:
    """A raise in the n-th window."""
    incident = incident_id(model, version, window(number))
    return DriftAlert(
        id=alert_id(incident, "raise", window(number)),
        incident=incident,
        transition="raise",
        severity="warning",
        model=model,
        version=version,
        window_start=window(number),
        window_end=window(number) + HOUR,
        report=report_id(model, version, window(number)),
        features=(),
        summary=summary,
    )
