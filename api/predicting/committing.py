"""Committer: scored rows become events of one group of the outbox, all or none, whichever versions scored them."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import NamedTuple, cast

import msgspec
from prometheus_client import Counter

from api.errors import EventTooLarge, ScoringFailed
from api.models.served import Served
from api.outbox.log import Outbox
from api.outbox.segments import Group, baseline_keys
from api.predicting.drafts import Draft, Event, Finished, Keep, draft, finish, finish_rows, joined
from api.predicting.lane import Lane
from api.requests.schemas import PredictionRequest
from api.telemetry import Telemetry
from contracts.events import EventIds
from contracts.headers import Origin

Committed = Event | ScoringFailed | EventTooLarge
Shadowed = Callable[[Sequence[Committed]], None]


class Made(NamedTuple):
    """Rows that are events but for being committed. rows: how many each version answered, by version."""

    finished: Finished
    rows: tuple[tuple[Served, int], ...]


class Committer:
    """next_id: of an event, none is given twice. answer: to an event, JSON. now: the wall clock."""

    def __init__(
        self,
        outbox: Outbox,
        telemetry: Telemetry,
        *,
        next_id: Callable[[], str],
        answer: Callable[[Event], bytes],
        now: Callable[[], datetime],
    ) -> None:
        self.now = now
        self._outbox = outbox
        self._telemetry = telemetry
        self._next_id = next_id
        self._answer = answer
        self._counter: tuple[Served, Counter] | None = None

    def commit(self, served: Served, drafts: Sequence[Draft | ScoringFailed]) -> list[Committed]:
        """Commit scored rows as one group, all or none: the event of each, in order. Raises OutboxClosed."""
        # an id is given also when the outbox then refuses: none is given twice
        return self.put([self.make(served, drafts, self.now(), self._next_id)])

    def commit_beside(
        self,
        lane: Lane,
        drafts: Sequence[Draft | ScoringFailed],
        canary: Container[int],
        shadowed: Shadowed | None = None,
    ) -> list[Committed]:
        """As commit, where a rollout is under way. canary: places of the rows that its version answers. shadowed:
        called with the result once nothing takes it back.
        """
        return self.put([self.make_beside(lane, drafts, canary, self.now(), self._next_id)], shadowed=shadowed)

    def make(
        self, served: Served, drafts: Sequence[Draft | ScoringFailed], now: datetime, next_id: Callable[[], str]
    ) -> Made:
        """The events of scored rows. next_id: as they are put, ids of one source have to rise."""
        finished = finish(drafts, next_id, served.baseline, now, self._answer)
        return Made(finished, ((served, len(finished.records)),))

    def make_rows(
        self,
        served: Served,
        requests: Sequence[PredictionRequest],
        scores: Sequence[float | ScoringFailed],
        latency_ms: float,
        origin: Origin | None,
        now: datetime,
        ids: EventIds,
    ) -> Made:
        """The same of a part of a batch, whose rows have more in common."""
        if ScoringFailed in map(type, scores):
            drafts = [
                score if isinstance(score, ScoringFailed) else draft(request, score, latency_ms, origin)
                for request, score in zip(requests, scores, strict=True)
            ]
            return self.make(served, drafts, now, ids.next)
        numbers = cast(Sequence[float], scores)
        finished = finish_rows(requests, numbers, latency_ms, origin, ids, served.baseline, now)
        return Made(finished, ((served, len(finished.records)),))

    def make_beside(
        self,
        lane: Lane,
        drafts: Sequence[Draft | ScoringFailed],
        canary: Container[int],
        now: datetime,
        next_id: Callable[[], str],
    ) -> Made:
        """The same where a rollout is under way; see commit_beside. The champion's ids come before the canary's, whose
        latencies are compared by that (training.rollout.latencies).
        """
        champion, other = lane.champion, lane.served
        rest = (one for i, one in enumerate(drafts) if i not in canary)
        chosen = (one for i, one in enumerate(drafts) if i in canary)
        own = finish(rest, next_id, champion.baseline, now, self._answer)
        its = finish(chosen, next_id, other.baseline, now, self._answer, "canary")
        owned, theirs = iter(own.committed), iter(its.committed)
        committed = [next(theirs if i in canary else owned) for i in range(len(drafts))]
        both = Finished(committed, own.records + its.records, own.tickets + its.tickets)
        return Made(both, ((champion, len(own.records)), (other, len(its.records))))

    def put(
        self, parts: Sequence[Made], keep: Keep[Committed] | None = None, shadowed: Shadowed | None = None
    ) -> list[Committed]:
        """Commit all of these as one group: the event of each row, in order. keep: one idempotency key of all.

        Raises OutboxClosed.
        """
        rows = dict[Served, int]()
        for part in parts:
            for served, count in part.rows:
                if count:
                    rows[served] = rows.get(served, 0) + count
        key = baseline_keys(*(served.key for served in rows))  # all of them must be on Kafka before the group
        counted = [(self._counted(served), count) for served, count in rows.items()]
        return self._append(key, self.now(), joined([part.finished for part in parts]), counted, keep, shadowed)

    def commit_shadow(self, served: Served, drafts: Sequence[Draft], scored: Counter) -> int:
        """Commit what a shadow has scored: so many events, without those that are too large. scored: counts them.

        Raises OutboxClosed.
        """
        now = self.now()
        finished = finish(drafts, self._next_id, served.baseline, now, self._answer, "shadow")
        self._append(served.key, now, finished, ((scored, len(finished.records)),), None)
        return len(finished.records)

    def _append(
        self,
        key: str,
        now: datetime,
        finished: Finished,
        counted: Sequence[tuple[Counter, int]],
        keep: Keep[Committed] | None,
        shadowed: Shadowed | None = None,
    ) -> list[Committed]:
        committed, records, tickets = finished
        if not records:
            return committed
        if keep is not None:
            outcome = keep.ticket.outcome(keep.render(committed))
            records[0] = msgspec.structs.replace(records[0], outcome=outcome)
            tickets.append(keep.ticket)

        def settled() -> None:
            for counter, rows in counted:
                counter.inc(rows)
            for ticket in tickets:
                ticket.committed = True
            if shadowed is not None:
                shadowed(committed)

        self._outbox.append(Group(key, int(now.timestamp() * 1000), records), settled)
        return committed

    def _counted(self, served: Served) -> Counter:
        if self._counter is None or self._counter[0] is not served:
            found = self._telemetry.answered.labels(served.baseline.model, served.baseline.version)
            self._counter = served, found
        return self._counter[1]
