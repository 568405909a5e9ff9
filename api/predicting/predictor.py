"""Predictor: holds the version that answers, and turns requests into committed prediction events.

A request carries the version that it was validated against and is scored by that one, so a swap drops nothing: what
arrived before it finishes with the old version, what comes after is read and scored by the new one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Container, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from prometheus_client import Counter

from api.errors import NoModel, ScoringFailed
from api.health import Health
from api.idempotency.ticket import Ticket
from api.models.compiled import is_compiled
from api.models.served import Served, score_each
from api.outbox.log import Outbox
from api.outbox.segments import Group, baseline_keys
from api.predicting.batcher import Batcher
from api.predicting.drafts import Draft, Event, Finished, Keep, finish
from api.predicting.lane import Lane, Trouble, score_beside
from api.requests.schemas import PredictionRequest, encode_answer
from api.telemetry import Telemetry
from contracts.events import EventIds
from contracts.headers import Origin
from contracts.rollout import Rollout

Committed = Event | ScoringFailed
Shadowed = Callable[[Sequence[Committed]], None]


class Shadow(Protocol):
    """What is asked of api.predicting.shadow.Shadow."""

    def offer(
        self,
        lane: Lane,
        requests: Sequence[PredictionRequest],
        origins: Sequence[Origin | None],
        committed: Sequence[Committed],
    ) -> None:
        """Rows and what was answered. Returns at once."""


class Job(msgspec.Struct, frozen=True, gc=False):
    """A validated request. received: reading of the stopwatch when its body was there. origin: as its client said.

    ticket: of its idempotency key.
    """

    served: Served
    request: PredictionRequest
    received: float
    origin: Origin | None = None
    ticket: Ticket | None = None


class Predictor:
    """source, epoch: of the event ids (see contracts.events.EventIds). sign: makes the receipt of an event.

    now: the wall clock. stopwatch: seconds, monotonic. settle: see Batcher.
    """

    def __init__(
        self,
        outbox: Outbox,
        telemetry: Telemetry,
        *,
        source: str,
        epoch: int,
        rows: int,
        sign: Callable[[Event], str],
        now: Callable[[], datetime],
        stopwatch: Callable[[], float] = time.perf_counter,
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._outbox = outbox
        self._telemetry = telemetry
        self._ids = EventIds(source, epoch)
        self.sign = sign
        self._now = now
        self._stopwatch = stopwatch
        self._served: Served | None = None
        self._counter: tuple[Served, Counter] | None = None
        self._rolling: tuple[Rollout, Served] | None = None
        self._lane: Lane | None = None
        self._shadow: Shadow | None = None
        self._trouble: Trouble = lambda version, role, why, rows: None
        self.process = f"{source}-{epoch:012x}"
        self._batcher: Batcher[Job, Event] = Batcher(self._work, rows, settle)

    @property
    def served(self) -> Served | None:
        """The champion, None before the first is loaded."""
        return self._served

    @property
    def health(self) -> Health:
        """Whether there is a model to answer with."""
        if self._served is None:
            return Health(False, "no version is loaded")
        origin = "from the local copy" if self._served.cached else "from the registry"
        return Health(True, f"{self._served.key}, {origin}")

    @property
    def waiting(self) -> int:
        """Rows that are not scored yet."""
        return self._batcher.waiting

    def current(self) -> Served:
        """The version to read the next request with. Raises NoModel."""
        if self._served is None:
            raise NoModel("No model is loaded yet.")
        return self._served

    @property
    def lane(self) -> Lane | None:
        """The version on its way, where one is and requests can be answered; None otherwise."""
        return self._lane

    def roll(self, rollout: Rollout | None, served: Served | None) -> None:
        """From now on this version is on its way; None: none is."""
        self._rolling = None if rollout is None or served is None else (rollout, served)
        self._set_lane()

    def _set_lane(self) -> None:
        before, self._lane = self._lane, self._lane_now()
        if before is not None:
            self._telemetry.rollout_info.remove(*_shown(before))
        if self._lane is not None:
            self._telemetry.rollout_info.labels(*_shown(self._lane)).set(1)
        canary = self._lane is not None and not self._lane.shadows
        self._telemetry.rollout_share.set(self._lane.rollout.share if self._lane is not None and canary else 0)

    def _lane_now(self) -> Lane | None:
        if self._rolling is None or self._served is None:
            return None
        rollout, served = self._rolling
        if served.key == self._served.key:  # it has arrived
            return None
        return Lane(
            rollout,
            served,
            self._served,
            self._telemetry,
            self._trouble,
            source=self.process,
            stopwatch=self._stopwatch,
        )

    def shadow_with(self, shadow: Shadow, trouble: Trouble) -> None:
        """Who scores in the background, and who is told of what the version on its way could not score."""
        self._shadow, self._trouble = shadow, trouble

    def shadowing(
        self, lane: Lane, requests: Sequence[PredictionRequest], origins: Sequence[Origin | None]
    ) -> Shadowed | None:
        """For `commit_beside`: has the answered rows scored again, where a shadow is to."""
        shadow = self._shadow
        if shadow is None or not lane.shadows:
            return None
        return lambda committed: shadow.offer(lane, requests, origins, committed)

    def swap(self, served: Served) -> None:
        """From now on this version answers."""
        before, self._served = self._served, served
        self._set_lane()
        if before is not None:
            self._telemetry.model_info.remove(before.baseline.model, before.baseline.version, before.scorer.kind)
        self._telemetry.model_info.labels(served.baseline.model, served.baseline.version, served.scorer.kind).set(1)
        self._telemetry.compiled.set(is_compiled(served.scorer))

    def answer(self, event: Event) -> bytes:
        """The answer that an event stands for, JSON."""
        return encode_answer(event, self.sign(event))

    def submit(self, job: Job) -> asyncio.Future[Event]:
        """The committed event of a request. Raises ScoringFailed or OutboxClosed, and then there is no event."""
        return self._batcher.submit(job)

    def commit(
        self, served: Served, drafts: Sequence[Draft | ScoringFailed], keep: Keep[Committed] | None = None
    ) -> list[Committed]:
        """Commit scored rows as one group, all or none: the event of each, in order. keep: one idempotency key of all.

        Raises OutboxClosed.
        """
        now = self._now()
        # an id is given also when the outbox then refuses: none is given twice
        finished = finish(drafts, self._ids.next, served.baseline, now, self.answer)
        return self._append(served.key, now, finished, ((self._answered_by(served), len(finished.records)),), keep)

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
        own = finish(rest, self._ids.next, champion.baseline, now, self.answer)
        its = finish(chosen, self._ids.next, other.baseline, now, self.answer, "canary")
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
        finished = finish(drafts, self._ids.next, served.baseline, now, self.answer, "shadow")
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
        if self._counter is not None and self._counter[0] is served:
            return self._counter[1]
        counter = self._telemetry.answered.labels(served.baseline.model, served.baseline.version)
        if served is self._served:
            self._counter = served, counter
        return counter

    def _work(self, jobs: list[Job]) -> list[Event | Exception]:
        self._telemetry.batch_rows.observe(len(jobs))
        if all(job.served is jobs[0].served for job in jobs):
            return self._answer(jobs[0].served, jobs)
        places: dict[Served, list[int]] = {}
        for place, job in enumerate(jobs):
            places.setdefault(job.served, []).append(place)
        answers: dict[int, Event | Exception] = {}
        for served, where in places.items():
            answers.update(zip(where, self._answer(served, [jobs[place] for place in where]), strict=True))
        return [answers[place] for place in range(len(jobs))]

    def _answer(self, served: Served, jobs: list[Job]) -> list[Event | Exception]:
        lane = self._lane
        if lane is not None and lane.champion is served:
            return self._answer_beside(lane, jobs)
        begun = self._stopwatch()
        scores = score_each(served.scorer, [job.request.features for job in jobs])
        scored = self._stopwatch()
        self._telemetry.score_seconds.observe(scored - begun)
        drafts = [
            score
            if isinstance(score, ScoringFailed)
            else Draft(
                score,
                round((scored - job.received) * 1000, 3),
                request.features,
                request.entity_id,
                request.event_time,
                job.origin,
                job.ticket,
            )
            for job, score in zip(jobs, scores, strict=True)
            for request in (job.request,)
        ]
        try:
            return list(self.commit(served, drafts))
        except Exception as error:  # of this version's rows alone: others of the batch may be committed
            return [draft if isinstance(draft, ScoringFailed) else error for draft in drafts]

    def _answer_beside(self, lane: Lane, jobs: list[Job]) -> list[Event | Exception]:
        requests = [job.request for job in jobs]
        found = score_beside(lane, requests, self._stopwatch)
        self._telemetry.score_seconds.observe(found.seconds)
        drafts = [
            score
            if isinstance(score, ScoringFailed)
            else Draft(
                score,
                found.latency_ms(place, job.received),
                found.features(place) or job.request.features,
                job.request.entity_id,
                job.request.event_time,
                job.origin,
                job.ticket,
            )
            for place, (job, score) in enumerate(zip(jobs, found.scores, strict=True))
        ]
        try:
            shadowed = self.shadowing(lane, requests, [job.origin for job in jobs])
            return list(self.commit_beside(lane, drafts, found.canary, shadowed=shadowed))
        except Exception as error:  # as in _answer
            return [draft if isinstance(draft, ScoringFailed) else error for draft in drafts]


def _shown(lane: Lane) -> tuple[str, str, str]:
    return lane.served.baseline.model, lane.rollout.version, lane.rollout.stage
