"""Draft: a scored row that wants only its id and the time of its group to be an event.

An id may be given no earlier than in the append that commits it. So what is costly (the features' JSON) is done before,
part by part, and the rest for all rows of a batch at once: 2 us a row instead of 5, with nobody else served meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, NamedTuple, TypeVar

import msgspec

from api.idempotency.ticket import Ticket
from api.outbox.segments import Record
from api.requests.schemas import PredictionRequest
from contracts.baseline import Baseline
from contracts.events import Envelope, PredictionEvent, encode_event
from contracts.headers import Origin

Committed = TypeVar("Committed")
_encode = msgspec.json.Encoder().encode


class Draft(NamedTuple):
    """features: JSON. event_time: in UTC, None for now. time: the same in RFC 3339."""

    score: float
    latency_ms: float
    features: msgspec.Raw
    entity_id: str | None
    event_time: datetime | None
    time: str


@dataclass(frozen=True)
class Keep(Generic[Committed]):
    """What is kept of a batch under its idempotency key. render: the answer, of the committed rows."""

    ticket: Ticket
    render: Callable[[Sequence[Committed]], bytes]


def draft(request: PredictionRequest, score: float, latency_ms: float) -> Draft:
    """Of one scored request."""
    features, entity_id, event_time = msgspec.Raw(_encode(request.features)), request.entity_id, request.event_time
    if event_time is None:
        return Draft(score, latency_ms, features, entity_id, None, "")
    event_time = event_time.astimezone(UTC)
    return Draft(score, latency_ms, features, entity_id, event_time, event_time.isoformat())


def event_of(draft: Draft, id_: str, baseline: Baseline, now: datetime) -> Envelope:
    """The event of a draft."""
    threshold = baseline.threshold
    return PredictionEvent(
        id=id_,
        event_time=now if draft.event_time is None else draft.event_time,
        model=baseline.model,
        model_version=baseline.version,
        score=draft.score,
        decision=None if threshold is None else draft.score >= threshold,
        features=draft.features,
        entity_id=draft.entity_id,
        latency_ms=draft.latency_ms,
    )


def record_of(event: Envelope, time: str, origin: Origin | None) -> Record:
    """As the outbox takes it. time: the event time, RFC 3339. origin: of the request."""
    key = event.id if event.entity_id is None else event.entity_id
    return Record(key.encode(), event.id, time, encode_event(event), None, origin)
