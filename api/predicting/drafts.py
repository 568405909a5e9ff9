"""Draft: a scored row that wants only its id and the time of its group to be an event.

In the outbox the ids of one source have to rise, so one is given no earlier than what is put there before it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from api.errors import EventTooLarge, FieldError, ScoringFailed
from api.idempotency.ticket import Ticket
from api.outbox.segments import Outcome, Record
from api.requests.diagnosis import pointer
from api.requests.schemas import PredictionRequest
from contracts.baseline import Baseline
from contracts.events import EventIds, PredictionEvent, Role, encode_event
from contracts.headers import Origin
from contracts.topics import MOST_EVENT_BYTES

Committed = TypeVar("Committed")
Event = PredictionEvent[Any]
Unmade = (ScoringFailed, EventTooLarge)
"""Why a row has no event."""
_encode = msgspec.json.Encoder().encode


class Draft(msgspec.Struct, frozen=True, gc=False):
    """features: a struct, or its JSON. event_time: as the request gave it, None for now. origin: as its client said.

    ticket: of the idempotency key of this row alone.
    """

    score: float
    latency_ms: float
    features: Any
    entity_id: str | None
    event_time: datetime | None
    origin: Origin | None = None
    ticket: Ticket | None = None


@dataclass(frozen=True)
class Keep(Generic[Committed]):
    """What is kept of a batch under its idempotency key. render: the answer, of the committed rows."""

    ticket: Ticket
    render: Callable[[Sequence[Committed]], bytes]


def draft(
    request: PredictionRequest,
    score: float,
    latency_ms: float,
    origin: Origin | None,
    features: msgspec.Struct | None = None,
) -> Draft:
    """Of one scored row of a batch. features: as scored, where that is not as the request has them."""
    scored = request.features if features is None else features
    return Draft(score, latency_ms, scored, request.entity_id, request.event_time, origin)


def shadow_draft(event: Event, features: msgspec.Struct, score: float, took_ms: float, origin: Origin | None) -> Draft:
    """Of an answered event whose row was scored once more. took_ms: the scoring alone."""
    said = origin or Origin()
    named = Origin(said.request_id, said.traceparent, said.tracestate, event.id)
    return Draft(score, took_ms, msgspec.Raw(_encode(features)), event.entity_id, event.event_time, named)


class Finished(NamedTuple):
    """committed: of each draft, in order. records: as the outbox takes them. tickets: of the rows' keys."""

    committed: list[Event | ScoringFailed | EventTooLarge]
    records: list[Record]
    tickets: list[Ticket]


def finish(
    drafts: Iterable[Draft | ScoringFailed],
    next_id: Callable[[], str],
    baseline: Baseline,
    now: datetime,
    answer: Callable[[Event], bytes],
    role: Role = "champion",
) -> Finished:
    """The events of drafts; EventTooLarge for one that Kafka might not take. answer: to one of them, JSON. One loop and
    no call for each row: this is on the way of every prediction.
    """
    committed: list[Event | ScoringFailed | EventTooLarge] = []
    records: list[Record] = []
    tickets: list[Ticket] = []
    written, threshold, most = now.isoformat(), baseline.threshold, MOST_EVENT_BYTES
    model, version = baseline.model, baseline.version
    for draft in drafts:
        if isinstance(draft, ScoringFailed):
            committed.append(draft)
            continue
        given, entity_id, score = draft.event_time, draft.entity_id, draft.score
        event_time = now if given is None else given.astimezone(UTC)
        id_ = next_id()
        decision = None if threshold is None else score >= threshold
        event = PredictionEvent(
            id_,
            event_time,
            model,
            version,
            score,
            draft.features,
            entity_id,
            role,
            decision,
            draft.latency_ms,
        )
        value = encode_event(event)
        if len(value) > most:
            committed.append(too_large(draft.features, len(value)))
            continue
        committed.append(event)
        outcome: Outcome | None = None
        if draft.ticket is not None:
            outcome = draft.ticket.outcome(answer(event))
            tickets.append(draft.ticket)
        time = written if given is None else event_time.isoformat()
        key = id_ if entity_id is None else entity_id
        records.append(Record(key.encode(), id_, time, value, outcome, draft.origin))
    return Finished(committed, records, tickets)


def finish_rows(
    requests: Sequence[PredictionRequest],
    scores: Sequence[float],
    latency_ms: float,
    origin: Origin | None,
    ids: EventIds,
    baseline: Baseline,
    now: datetime,
) -> Finished:
    """What finish makes of the drafts of a batch's rows, without any draft: all have a score, and none has a ticket."""
    model, version, threshold = baseline.model, baseline.version, baseline.threshold
    committed: list[Event | ScoringFailed | EventTooLarge] = []
    records: list[Record] = []
    written, most = now.isoformat(), MOST_EVENT_BYTES
    for id_, request, score in zip(ids.take(len(requests)), requests, scores, strict=True):
        given, entity_id = request.event_time, request.entity_id
        event_time = now if given is None else given.astimezone(UTC)
        decision = None if threshold is None else score >= threshold
        event = PredictionEvent(
            id_,
            event_time,
            model,
            version,
            score,
            request.features,
            entity_id,
            "champion",
            decision,
            latency_ms,
        )
        value = _encode(event)
        if len(value) > most:
            committed.append(too_large(request.features, len(value)))
            continue
        committed.append(event)
        time = written if given is None else event_time.isoformat()
        key = id_ if entity_id is None else entity_id
        records.append(Record(key.encode(), id_, time, value, None, origin))
    return Finished(committed, records, [])


def too_large(features: Any, size: int) -> EventTooLarge:
    """features: of the row, which its longest text makes large. size: of its event, bytes."""
    texts: dict[str, str] = {}
    if isinstance(features, msgspec.Struct):
        values = ((field.encode_name, getattr(features, field.name)) for field in msgspec.structs.fields(features))
        texts = {name: value for name, value in values if isinstance(value, str)}
    longest = max(texts, key=lambda name: len(texts[name]), default=None)
    where = pointer("features") if longest is None else pointer("features", longest)
    told = f"makes an event of {size} bytes, and Kafka is sure to take {MOST_EVENT_BYTES}: shorten what is longest"
    fault = FieldError(where, told, "too-large")
    return EventTooLarge("too-large", "The event of this request would be too large.", (fault,))


def joined(parts: Sequence[Finished]) -> Finished:
    """All of them, in order."""
    if len(parts) == 1:
        return parts[0]
    return Finished(
        list(chain.from_iterable(part.committed for part in parts)),
        list(chain.from_iterable(part.records for part in parts)),
        list(chain.from_iterable(part.tickets for part in parts)),
    )
