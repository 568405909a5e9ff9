"""RowsPredictor: many rows of one request, scored some hundred at a time and committed together.

A batch is one append to the outbox: all of its events are there or none is, so there is nothing to define for a half of
it, and a batch that is refused can be sent again whole. Between its parts the event loop is let go, so a batch costs a
single request its part's time and not its own; one batch at a time, so that many of them cost no more than one.

Its events are made whole part by part, with their ids. So these have a source of their own: in the outbox the ids of
one source have to rise, and single requests are committed in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

from api.errors import ScoringFailed
from api.models.served import Served, score_each
from api.predicting.committing import Committed, Made
from api.predicting.drafts import Draft, Keep, draft
from api.predicting.lane import Lane, score_beside
from api.predicting.predictor import Predictor
from api.requests.schemas import PredictionRequest
from api.telemetry import Telemetry
from contracts.headers import Origin


class RowsPredictor:
    """rows: most of them scored at a time. settle: called after the commit and awaited before the answer, as in
    Batcher. stopwatch: seconds.
    """

    def __init__(
        self,
        predictor: Predictor,
        telemetry: Telemetry,
        *,
        rows: int,
        settle: Callable[[], Awaitable[None]] | None = None,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._predictor = predictor
        self._telemetry = telemetry
        self._rows = rows
        self._settle = settle
        self._stopwatch = stopwatch
        self._whole = asyncio.Lock()
        self.turn = asyncio.Lock()
        """Held while a part of a batch is worked on, and for one pass of the loop after it."""

    async def submit(
        self,
        served: Served,
        requests: Sequence[PredictionRequest],
        received: float,
        origin: Origin | None = None,
        keep: Keep[Committed] | None = None,
    ) -> list[Committed]:
        """The committed event of each row, or why it has none. keep: its idempotency key.

        Raises OutboxClosed, and then there is no event.
        """
        predictor = self._predictor
        commits, lane = predictor.commits, predictor.lanes.lane
        if lane is not None and lane.champion is not served:  # swapped meanwhile
            lane = None
        shadowed = None if lane is None else predictor.lanes.shadowing(lane, requests, [origin] * len(requests))
        now, made = commits.now(), list[Made]()
        async with self._whole:  # from the first id to the commit
            for start in range(0, len(requests), self._rows):
                async with self.turn:
                    part = requests[start : start + self._rows]
                    if lane is None:
                        scores, latency_ms = self._score(served, part, received)
                        made.append(commits.make_rows(served, part, scores, latency_ms, origin, now, predictor.row_ids))
                    else:
                        drafts, canary = self._score_beside(lane, part, received, origin)
                        made.append(commits.make_beside(lane, drafts, canary, now, predictor.row_ids.next))
                    await asyncio.sleep(0)
            async with self.turn:
                committed = commits.put(made, keep, shadowed)
                settling = None if self._settle is None else self._settle()
                await asyncio.sleep(0)
        if settling is not None:
            await settling
        return committed

    def _score(
        self, served: Served, requests: Sequence[PredictionRequest], received: float
    ) -> tuple[list[float | ScoringFailed], float]:
        """Of each row, and the latency of all, milliseconds."""
        begun = self._stopwatch()
        scores = score_each(served.scorer, [request.features for request in requests])
        scored = self._stopwatch()
        self._telemetry.score_seconds.observe(scored - begun)
        return scores, round((scored - received) * 1000, 3)

    def _score_beside(
        self, lane: Lane, requests: Sequence[PredictionRequest], received: float, origin: Origin | None
    ) -> tuple[list[Draft | ScoringFailed], Collection[int]]:
        """Drafts, and the places among them of those that the canary answers."""
        found = score_beside(lane, requests, self._stopwatch)
        self._telemetry.score_seconds.observe(found.seconds)
        drafts = [
            score
            if isinstance(score, ScoringFailed)
            else draft(request, score, found.latency_ms(place, received), origin, found.features(place))
            for place, (request, score) in enumerate(zip(requests, found.scores, strict=True))
        ]
        return drafts, found.canary.keys()
