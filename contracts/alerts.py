"""DriftAlert: one transition of an incident. The topic `drift-alerts` is the outbox of every sink."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.findings import Cause, ModelEffect
from contracts.reports import Finding
from contracts.times import UtcTime

Transition = Literal["raise", "escalate", "remind", "resolve"]
"""remind: the incident is still open, said again after a while."""
Subject = Literal["drift", "performance"]
"""What an incident is about: what the model sees and says, or how good it turned out to be."""
Severity = Literal["info", "harmless", "warning", "critical"]
"""info: of a resolve. harmless: the drift is real and the model's answers hardly move."""


class AlertFeature(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of an incident. since: start of the first window of its present run of alarms; new: joined now.

    Harmless alarms count here only where harmless drift pages. cause, model_effect: as the report of its newest alarm
    has them. seen: start of the window of that alarm and so of all numbers, where it is not the alert's own. Of a
    measure of performance: value, reference: then and in the baseline; effect: the share of the model's skill that is
    lost.
    """

    feature: str
    findings: tuple[Finding, ...]
    p_value: float
    effect: float
    since: UtcTime
    new: bool
    cause: Cause | None = None
    model_effect: ModelEffect | None = None
    seen: UtcTime | None = None
    value: float | None = None
    reference: float | None = None


class DriftAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What a person or a program is told.

    id: the same for every repetition of the same transition: the receiver's idempotency key. incident: the same from
    raise to resolve. features: most important first; empty on resolve. summary: one sentence. storm: most of
    the watched features page at once, or did earlier in this incident. subject: performance has incidents of its own,
    whose `features` are measures such as `performance:auc`.
    """

    id: str
    incident: str
    transition: Transition
    severity: Severity
    model: str
    version: str
    window_start: UtcTime
    window_end: UtcTime
    report: str
    features: tuple[AlertFeature, ...]
    summary: str
    storm: bool = False
    subject: Subject = "drift"
    v: Literal[1] = 1


def incident_id(model: str, version: str, window_start: datetime, subject: Subject = "drift") -> str:
    """Names an incident by the window that raised it; 24 hex digits."""
    about = "" if subject == "drift" else f"{subject}/"
    return hashlib.sha256(f"{about}{model}/{version}/{window_start.isoformat()}".encode()).hexdigest()[:24]


def alert_id(incident: str, transition: Transition, window_start: datetime) -> str:
    """Names one transition of an incident; the same however often it is computed."""
    return hashlib.sha256(f"{incident}/{transition}/{window_start.isoformat()}".encode()).hexdigest()[:32]


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(DriftAlert)


def encode_alert(alert: DriftAlert) -> bytes:
    """JSON of an alert."""
    return _encode(alert)


def decode_alert(data: bytes) -> DriftAlert:
    """Read an alert. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a drift alert: {error}") from error
