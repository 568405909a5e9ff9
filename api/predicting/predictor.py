"""Predictor: holds the version that answers, and turns requests into committed prediction events.

A request carries the version that it was validated against and is scored by that one, so a swap drops nothing: what
arrived before it finishes with the old version, what comes after is read and scored by the new one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from api.errors import NoModel, ScoringFailed
from api.health import Health
from api.idempotency.ticket import Ticket
from api.models.compiled import is_compiled
from api.models.served import Served, score_each
from api.outbox.log import Outbox
from api.predicting.batcher import Batcher
from api.predicting.committing import Committer
from api.predicting.drafts import Draft, Event
from api.predicting.lane import Lane, score_beside
from api.predicting.lanes import Lanes
from api.requests.schemas import PredictionRequest, encode_answer
from api.telemetry import Telemetry
from contracts.events import BATCH_SOURCE, EventIds
from contracts.headers import Origin


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
    """source, epoch: of the event ids (see contracts.events.EventIds); those of batches have a source of their own.
    sign: makes the receipt of an event.

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
        self._telemetry = telemetry
        self.sign = sign
        self._stopwatch = stopwatch
        self._served: Served | None = None
        self.lacking = ""
        """Why there is nothing to load, and what to do, as the registry's follower knows it."""
        self.lanes = Lanes(telemetry, f"{source}-{epoch:012x}", stopwatch)
        self.commits = Committer(outbox, telemetry, next_id=EventIds(source, epoch).next, answer=self.answer, now=now)
        self.row_ids = EventIds(source + BATCH_SOURCE, epoch)
        self._batcher: Batcher[Job, Event] = Batcher(self._work, rows, settle)

    @property
    def served(self) -> Served | None:
        """The champion, None before the first is loaded."""
        return self._served

    @property
    def health(self) -> Health:
        """Whether there is a model to answer with."""
        if self._served is None:
            return Health(False, f"no version is loaded: {self.lacking}" if self.lacking else "no version is loaded")
        origin = "from the local copy" if self._served.cached else "from the registry"
        return Health(True, f"{self._served.key}, {origin}")

    @property
    def waiting(self) -> int:
        """Rows that are not scored yet."""
        return self._batcher.waiting

    def current(self) -> Served:
        """The version to read the next request with. Raises NoModel."""
        if self._served is None:
            raise NoModel(f"No model is loaded: {self.lacking}." if self.lacking else "No model is loaded yet.")
        return self._served

    def swap(self, served: Served) -> None:
        """From now on this version answers."""
        before, self._served = self._served, served
        self.lanes.answered_by(served)
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
        lane = self.lanes.lane
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
            return list(self.commits.commit(served, drafts))
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
            shadowed = self.lanes.shadowing(lane, requests, [job.origin for job in jobs])
            return list(self.commits.commit_beside(lane, drafts, found.canary, shadowed=shadowed))
        except Exception as error:  # as in _answer
            return [draft if isinstance(draft, ScoringFailed) else error for draft in drafts]
