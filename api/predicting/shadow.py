"""Shadow: what the champion has answered is scored once more, after the answer, by the version on its way.

In a thread, in slices of some milliseconds, and for no more than SHARE of the time: a compiled form keeps up with some
thousands of rows a second, and a slow one slows itself alone. What comes while the queue is full, or the outbox half
full (its room is for answers), is skipped and counted. Nothing here is awaited by a request.

Each event has an id of its own and role `shadow`; its header ce_shadowof is the id of the answered prediction, whose
entity and event time it has. Features are as the version takes them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from prometheus_client import Counter

from api.errors import OutboxClosed, ScoringFailed
from api.models.served import Served, score_each
from api.predicting.committing import Committed
from api.predicting.drafts import Draft, Event, Unmade, shadow_draft
from api.predicting.lane import Lane, Trouble
from api.requests.schemas import PredictionRequest
from api.telemetry import Telemetry
from contracts.headers import Origin

log = logging.getLogger(__name__)

SHARE = 0.25
"""Of the time, at most."""
SLICE_SECONDS = 0.005
_MOST_ROWS = 256


class Row(NamedTuple):
    """An answered row. origin: of its request."""

    request: PredictionRequest
    origin: Origin | None
    answered: Event


class Under(Protocol):
    """What is asked of api.predicting.lanes.Lanes. lane: the one that is under way."""

    @property
    def lane(self) -> Lane | None: ...


class Commits(Protocol):
    """What is asked of api.predicting.committing.Committer."""

    def commit_shadow(self, served: Served, drafts: Sequence[Draft], scored: Counter) -> int:
        """So many events. Raises OutboxClosed."""


class Shadow:
    """most: rows that may wait. room: whether the outbox has room for events that nobody waits for.

    trouble: told of rows that could not be scored. stopwatch: seconds, monotonic.
    """

    def __init__(
        self,
        lanes: Under,
        commits: Commits,
        telemetry: Telemetry,
        trouble: Trouble,
        *,
        most: int,
        room: Callable[[], bool],
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._lanes = lanes
        self._commits = commits
        self._trouble = trouble
        self._most = most
        self._room = room
        self._stopwatch = stopwatch
        self._lane: Lane | None = None
        self._waiting: deque[Row] = deque()
        self._wanted = asyncio.Event()
        self._slice = 1
        self._scored, self._failed, self._skipped = (
            telemetry.shadow_rows.labels(outcome) for outcome in ("scored", "failed", "skipped")
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shadow")

    @property
    def waiting(self) -> int:
        """Rows that are not scored yet."""
        return len(self._waiting)

    def offer(
        self,
        lane: Lane,
        requests: Sequence[PredictionRequest],
        origins: Sequence[Origin | None],
        committed: Sequence[Committed],
    ) -> None:
        """Rows and what was answered; those that have no answer are left out. Returns at once."""
        if lane is not self._lane:
            self._forget()
            self._lane = lane
        rows = [
            Row(request, origin, event)
            for request, origin, event in zip(requests, origins, committed, strict=True)
            if not isinstance(event, Unmade)
        ]
        free = max(0, self._most - len(self._waiting)) if self._room() else 0
        self._waiting += rows[:free]
        self._skipped.inc(max(0, len(rows) - free))
        self._wanted.set()

    async def run(self) -> None:
        """Forever, until cancelled."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                while self._waiting:
                    try:
                        took = await self._part()
                    except Exception:  # of a scorer that breaks its own promise
                        log.exception("models: a shadow: unexpected; it goes on with what comes next")
                        took = 1.0
                    await asyncio.sleep(took * (1 / SHARE - 1))
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _part(self) -> float:
        """Score and commit a slice. Returns the seconds that its scoring took."""
        lane = self._lane
        if lane is None or lane is not self._lanes.lane:  # its rollout has ended, or goes on beside a new champion
            self._forget()
            return 0.0
        rows = [self._waiting.popleft() for _ in range(min(self._slice, len(self._waiting)))]
        begun = self._stopwatch()
        try:
            drafts = await asyncio.get_running_loop().run_in_executor(self._thread, _scored, lane, rows)
        except Exception:
            self._lost(lane, len(rows), "scoring")
            raise
        took = self._stopwatch() - begun
        if took < SLICE_SECONDS and len(rows) == self._slice:
            self._slice = min(_MOST_ROWS, self._slice * 2)
        elif took > 2 * SLICE_SECONDS:
            self._slice = max(1, self._slice // 2)
        if lane is not self._lanes.lane:
            self._skipped.inc(len(rows))
            return took
        try:
            made = self._commits.commit_shadow(lane.served, drafts, self._scored)
        except OutboxClosed:
            self._skipped.inc(len(drafts))
            made = len(drafts)
        self._lost(lane, len(rows) - len(drafts), "schema" if lane.conversion.wrong else "scoring")
        self._lost(lane, len(drafts) - made, "too-large")
        return took

    def _lost(self, lane: Lane, rows: int, why: str) -> None:
        if rows:
            self._failed.inc(rows)
            self._trouble(lane.rollout.version, "shadow", why, rows)

    def _forget(self) -> None:
        self._skipped.inc(len(self._waiting))
        self._waiting.clear()


def _scored(lane: Lane, rows: Sequence[Row]) -> list[Draft]:
    """Of the rows that could be scored. For a thread."""
    begun = time.perf_counter()
    converted = lane.conversion.rows([row.request.features for row in rows])
    ready = [(row, features) for row, features in zip(rows, converted, strict=True) if features is not None]
    scores = score_each(lane.served.scorer, [features for _, features in ready]) if ready else []
    took_ms = round((time.perf_counter() - begun) * 1000, 3)
    return [
        shadow_draft(row.answered, features, score, took_ms, row.origin)
        for (row, features), score in zip(ready, scores, strict=True)
        if not isinstance(score, ScoringFailed)
    ]
