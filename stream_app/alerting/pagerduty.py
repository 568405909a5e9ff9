"""The PagerDuty sink: Events API v2. One alert of PagerDuty's per incident, known by its `dedup_key`.

raise, escalate and remind are `trigger`: PagerDuty adds them to the alert that is open, or opens one. resolve is
`resolve`. `harmless` never triggers: nobody is called for a drift that hardly moves the model's answers.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Self

import msgspec
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.alerts import AlertFeature, DriftAlert, Severity
from stream_app.alerting.errors import Refused
from stream_app.alerting.http_post import HttpPost
from stream_app.alerting.http_settings import HttpSettings
from stream_app.alerting.particulars import cause, cut, expected_change, findings, first, instant
from stream_app.alerting.settings import load

SUMMARY, KEY, ROUTING_KEY, EVENT_BYTES = 1024, 255, 32, 512_000
"""Characters of a summary, of a dedup_key (at most) and of a routing key (exactly); bytes of an event.
Source: developer.pagerduty.com, Events API v2, "Send an Alert Event" and "API Limits" (512 KB)."""

_SEVERITIES: dict[Severity, str] = {"critical": "critical", "warning": "warning"}
"""Those that trigger; PagerDuty has `error` and `info` too, and `info` calls people like any other."""
_TOLD = 50
"""Features with all their particulars, at most."""
_log = logging.getLogger(__name__)


class PagerDutySettings(HttpSettings):
    """`SINK_PAGERDUTY_*`. The service region of the EU has its own URL: https://events.eu.pagerduty.com/v2/enqueue."""

    model_config = SettingsConfigDict(env_prefix="SINK_PAGERDUTY_")

    url: SecretStr = SecretStr("https://events.pagerduty.com/v2/enqueue")
    routing_key: SecretStr = Field(examples=["0123456789abcdef0123456789abcdef"])

    @field_validator("routing_key")
    @classmethod
    def _shaped(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value()
        if len(key) != ROUTING_KEY or not key.isascii() or not key.isalnum():
            raise ValueError(
                f"an integration key has {ROUTING_KEY} letters and digits: take it from the service's integration "
                "`Events API V2`"
            )
        return value


class PagerDutySink:
    """Sends events to one service: the one whose integration has the routing key."""

    name: ClassVar[str] = "pagerduty"
    settings: ClassVar[type[BaseSettings] | None] = PagerDutySettings
    newest_only: ClassVar[bool] = True

    def __init__(self, settings: PagerDutySettings) -> None:
        self._routing_key = settings.routing_key.get_secret_value()
        self._post = HttpPost(settings, explain=_explained)

    @classmethod
    def from_environment(cls) -> Self:
        """Raises SinkSettingsError."""
        return cls(load(PagerDutySettings))

    @property
    def destination(self) -> str:
        """Scheme, host and port."""
        return self._post.destination

    async def deliver(self, alert: DriftAlert, body: bytes) -> None:
        """One event, or none for a harmless alert. Raises Retry or Refused."""
        if len(alert.incident) > KEY:
            raise Refused(f"the incident's name is longer than the {KEY} characters of a dedup_key")
        what = event(alert, self._routing_key)
        if what is None:
            _log.info("alert %s: %s, which calls nobody: not sent", alert.id, alert.severity)
            return
        await self._post.send(msgspec.json.encode(what), {"content-type": "application/json"})

    async def close(self) -> None:
        """Close the connections."""
        await self._post.close()


def event(alert: DriftAlert, routing_key: str) -> dict[str, Any] | None:
    """The body of the POST, at most EVENT_BYTES long; None for what triggers nothing and resolves nothing."""
    key = {"routing_key": routing_key, "dedup_key": alert.incident}
    if alert.transition == "resolve":
        return {**key, "event_action": "resolve"}
    if alert.severity not in _SEVERITIES:
        return None
    told = _TOLD
    while True:
        trigger = {**key, "event_action": "trigger", "client": "Tidemark", "payload": _payload(alert, told)}
        if told == 0 or len(msgspec.json.encode(trigger)) <= EVENT_BYTES:
            return trigger
        told //= 2


def _payload(alert: DriftAlert, told: int) -> dict[str, Any]:
    named, more = first(alert.features, told)
    details: dict[str, Any] = {
        "alert": alert.id,
        "transition": alert.transition,
        "window_start": instant(alert.window_start),
        "window_end": instant(alert.window_end),
        "report": cut(alert.report, SUMMARY),
        "features": {feature.feature: _particulars(feature) for feature in named},
    }
    if more:
        details["features_left_out"] = more
    return {
        "summary": cut(alert.summary or alert.transition, SUMMARY),
        "source": cut(f"{alert.model}/{alert.version}", SUMMARY),
        "severity": _SEVERITIES[alert.severity],
        "timestamp": instant(alert.window_end),
        "component": cut(alert.model, SUMMARY),
        "class": "drift storm" if alert.storm else alert.subject,
        "custom_details": details,
    }


def _particulars(feature: AlertFeature) -> dict[str, Any]:
    change = expected_change(feature)
    about = {
        "findings": findings(feature),
        "cause": cause(feature),
        "expected_change": None if change is None else change.removeprefix("expected "),
        "since": instant(feature.since),
        "new": feature.new,
    }
    return {name: value for name, value in about.items() if value is not None}


def _explained(status: int, body: bytes) -> str:
    """
    >>> _explained(400, b'{"errors":["Length of \\'routing_key\\' is incorrect"]}')
    'it does not know the routing key: check SINK_PAGERDUTY_ROUTING_KEY'
    """
    unknown = status == 400 and any(name in body.lower() for name in (b"routing_key", b"routing key"))
    return "it does not know the routing key: check SINK_PAGERDUTY_ROUTING_KEY" if unknown else ""
