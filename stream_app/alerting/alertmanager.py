"""The Alertmanager sink: API v2, one firing alert per incident, known by its labels.

Alertmanager forgets an alert that nobody sends again, unless the alert says when it ends. Each transition therefore
says an end far ahead (`SINK_ALERTMANAGER_HOLD_SECONDS`), every reminder of the policy moves it, and a resolve sets it
to now. The severity is a label, so that routes can use it, and an alert with another label is another alert: with a
new severity the one before is ended in the same request. What came before is remembered per incident. After a restart
it is not known: then every other severity is ended, which changes nothing but that Alertmanager's next notification
lists those as resolved that never fired.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import msgspec
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.alerts import DriftAlert, Severity, Subject
from stream_app.alerting.http_post import HttpPost
from stream_app.alerting.http_settings import HttpSettings
from stream_app.alerting.particulars import first, instant, line, window
from stream_app.alerting.settings import load

ALERTNAMES: dict[Subject, str] = {"drift": "TidemarkDrift", "performance": "TidemarkPerformance"}
PATH = "/api/v2/alerts"
FIRING: tuple[Severity, ...] = ("harmless", "warning", "critical")
"""Severities that an open incident may have."""
_WEEK, _CENTURY = 7 * 86400.0, 100 * 366 * 86400.0
_REMEMBERED = 1000
_TOLD = 20
"""Features that the annotation has, at most: it ends up in mails and messages."""


class AlertmanagerSettings(HttpSettings):
    """`SINK_ALERTMANAGER_*`. url: of Alertmanager itself, with its prefix if it has one; the path is appended."""

    model_config = SettingsConfigDict(env_prefix="SINK_ALERTMANAGER_")

    url: SecretStr = Field(examples=["https://alertmanager.example.com"])
    # Longer than the time between two reminders: an incident that is silent for so long stops firing.
    hold_seconds: float = Field(_WEEK, gt=0, le=_CENTURY)


class AlertmanagerSink:
    """Posts to one Alertmanager. clock: seconds since the epoch; Alertmanager's own may differ by a little."""

    name: ClassVar[str] = "alertmanager"
    settings: ClassVar[type[BaseSettings] | None] = AlertmanagerSettings
    newest_only: ClassVar[bool] = True

    def __init__(self, settings: AlertmanagerSettings, clock: Callable[[], float] = time.time) -> None:
        self._hold = timedelta(seconds=settings.hold_seconds)
        self._clock = clock
        self._severity: dict[str, Severity] = {}  # by incident, as Alertmanager has it from this process
        self._post = HttpPost(settings, path=PATH, explain=_explained, clock=clock)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises SinkSettingsError."""
        return cls(load(AlertmanagerSettings))

    @property
    def destination(self) -> str:
        """Scheme, host and port."""
        return self._post.destination

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        """One POST. Raises Retry or Refused."""
        before = self._severity.get(alert.incident)
        alerts = posted(alert, ended(alert, before), datetime.fromtimestamp(self._clock(), UTC), self._hold)
        await self._post.send(msgspec.json.encode(alerts), {"content-type": "application/json"})
        if alert.transition != "resolve":  # one that is repeated ends the same alert again
            self._severity.pop(alert.incident, None)
            self._severity[alert.incident] = alert.severity
            if len(self._severity) > _REMEMBERED:
                del self._severity[next(iter(self._severity))]

    async def close(self) -> None:
        """Close the connections."""
        await self._post.close()


def ended(alert: DriftAlert, before: Severity | None) -> tuple[Severity, ...]:
    """The severities whose alerts end now. before: the one that was firing, None when it is not known.

    An incident begins with its raise, so nothing of it was firing before.
    """
    if before is not None:
        firing: tuple[Severity, ...] = (before,)
    else:
        firing = () if alert.transition == "raise" else FIRING
    still = None if alert.transition == "resolve" else alert.severity
    return tuple(severity for severity in firing if severity != still)


def posted(alert: DriftAlert, ending: Sequence[Severity], now: datetime, hold: timedelta) -> list[dict[str, Any]]:
    """The body of the POST: the firing alert, unless this is a resolve, and those that end."""
    # Without a start, which could lie behind the end: Alertmanager keeps the one that it knows.
    alerts: list[dict[str, Any]] = [
        {"labels": _labels(alert, severity), "annotations": _annotations(alert), "endsAt": instant(now)}
        for severity in ending
    ]
    if alert.transition == "resolve":
        return alerts
    firing = {
        "labels": _labels(alert, alert.severity),
        "annotations": _annotations(alert),
        # Of two posts with the same labels Alertmanager keeps the earlier start.
        "startsAt": instant(min(alert.window_end, now)),
        "endsAt": instant(now + hold),
    }
    return [firing, *alerts]


def _labels(alert: DriftAlert, severity: Severity) -> dict[str, str]:
    return {
        "alertname": ALERTNAMES[alert.subject],
        "model": alert.model,
        "version": alert.version,
        "incident": alert.incident,
        "severity": severity,
    }


def _annotations(alert: DriftAlert) -> dict[str, str]:
    named, more = first(alert.features, _TOLD)
    lines = [line(feature) for feature in named] + ([f"and {more} more"] if more else [])
    about = {
        "summary": alert.summary,
        "features": "\n".join(lines),
        "transition": alert.transition,
        "storm": "true" if alert.storm else "",
        "window": window(alert),
        "alert": alert.id,
    }
    return {name: text for name, text in about.items() if text}


def _explained(status: int, body: bytes) -> str:
    return "is it the URL of an Alertmanager, with its prefix? check SINK_ALERTMANAGER_URL" if status == 404 else ""
