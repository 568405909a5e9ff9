"""Committer: scored rows become events of one group of the outbox, all or none, whichever versions scored them."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from datetime import datetime

import msgspec
from prometheus_client import Counter

from api.errors import ScoringFailed
from api.models.served import Served
from api.outbox.log import Outbox
from api.outbox.segments import Group, baseline_keys
from api.predicting.drafts import Draft, Event, Finished, Keep, finish
from api.predicting.lane import Lane
from api.telemetry import Telemetry

Committed = Event | ScoringFailed
Shadowed = Callable[[Sequence[Committed]], None]


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
        self._outbox = outbox
        self._telemetry = telemetry
        self._next_id = next_id
        self._answer = answer
        self._now = now
        self._counter: tuple[Served, Counter] | None = None

    def commit(
        self, served: Served, drafts: Sequence[Draft | ScoringFailed], keep: Keep[Committed] | None = None
    ) -> list[Committed]:
        """Commit scored rows as one group, all or none: the event of each, in order. keep: one idempotency key of all.

        Raises OutboxClosed.
        """
        now = self._now()
        # an id is given also when the outbox then refuses: none is given twice
        finished = finish(drafts, self._next_id, served.baseline, now, self._answer)
        if self._counter is None or self._counter[0] is not served:
            self._counter = served, self._answered_by(served)
        return self._append(served.key, now, finished, ((self._counter[1], len(finished.records)),), keep)

    def commit_beside(
        self,
        lane: Lane,
        drafts: Sequence[Draft | ScoringFailed],
        canary: Container[int],
        keep: Keep[Committed] | None = None,
        shadowed: Shadowed | None = None,
    ) -> list[Committed]:
        """As commit, where a rollout is under way. canary: places of the rows that its version answers. shadowed:
        called with the result once nothing takes it back.
        """
        now, champion, other = self._now(), lane.champion, lane.served
        rest = (one for i, one in enumerate(drafts) if i not in canary)
        chosen = (one for i, one in enumerate(drafts) if i in canary)
        own = finish(rest, self._next_id, champion.baseline, now, self._answer)
        its = finish(chosen, self._next_id, other.baseline, now, self._answer, "canary")
        owned, theirs = iter(own.committed), iter(its.committed)
        committed = [next(theirs if i in canary else owned) for i in range(len(drafts))]
        # one group, all or none: both baselines must be on Kafka before it
        there = [(one, len(part.records)) for one, part in ((champion, own), (other, its)) if part.records]
        key = baseline_keys(*(one.key for one, _ in there))
        answered = [(self._answered_by(one), rows) for one, rows in there]
        both = Finished(committed, own.records + its.records, own.tickets + its.tickets)
        return self._append(key, now, both, answered, keep, shadowed)

    def commit_shadow(self, served: Served, drafts: Sequence[Draft], scored: Counter) -> None:
        """Commit what a shadow has scored. scored: counts the events. Raises OutboxClosed."""
        now = self._now()
        finished = finish(drafts, self._next_id, served.baseline, now, self._answer, "shadow")
        self._append(served.key, now, finished, ((scored, len(finished.records)),), None)

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

    def _answered_by(self, served: Served) -> Counter:
        return self._telemetry.answered.labels(served.baseline.model, served.baseline.version)
