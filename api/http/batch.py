"""POST /predict/batch: many rows in, the answer to each out, in their order. Bad rows cost the good ones nothing.

200 says that the batch was worked on: each row has its prediction or its problem. All of its events are committed
together, so without room in the outbox the whole batch gets 503 and has no event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

import msgspec

from api.errors import ApiError, Overloaded, RequestRefused, ScoringFailed
from api.guard.keys import Scope
from api.http.exchange import Call
from api.http.problems import Problem, Reply, problem_of, why
from api.models.served import Served
from api.predicting.drafts import Keep
from api.predicting.predictor import Committed, Predictor
from api.predicting.rows import RowsPredictor
from api.requests.origin import read_origin
from api.requests.rows import RowsReader
from api.requests.schemas import PredictionAnswer, PredictionRequest, answer_of
from api.telemetry import Telemetry

_SLICE_SECONDS = 0.002
"""Bad rows are looked into for so long before others are served: .1 to 1 ms each."""

Read = PredictionRequest | RequestRefused


class RowRefused(msgspec.Struct, frozen=True):
    """In the place of a prediction: why there is none. status: what the row would have got alone."""

    error: Problem


class BatchAnswer(msgspec.Struct, frozen=True):
    """predictions: one for each row, in order. answered, refused: how many of them are which; each answered one is an
    event.
    """

    answered: int
    refused: int
    predictions: list[PredictionAnswer | RowRefused]


class BatchEndpoint:
    """limit: longest body in bytes. most: rows in it. most_at_once: requests worked on.

    charge: takes rows of a client's rate. now: the wall clock.
    """

    path = "/predict/batch"
    scope: Scope = "predict"
    once = True

    def __init__(
        self,
        predictor: Predictor,
        rows: RowsPredictor,
        telemetry: Telemetry,
        *,
        limit: int,
        most: int,
        most_at_once: int,
        charge: Callable[[str, int], None],
        now: Callable[[], datetime],
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.limit = limit
        self._most = most
        self._predictor = predictor
        self._rows = rows
        self._telemetry = telemetry
        self._charge = charge
        self._now = now
        self._stopwatch = stopwatch
        self._most_at_once = most_at_once
        self._under_way = 0
        self._reader: tuple[Served, RowsReader] | None = None

    async def answer(self, call: Call) -> Reply:
        """Raises RequestRefused or NotServing."""
        if self._under_way >= self._most_at_once:
            raise Overloaded("More batches wait than can be answered soon.")
        self._under_way += 1
        try:
            return await self._answered(call)
        finally:
            self._under_way -= 1

    async def _answered(self, call: Call) -> Reply:
        served = self._predictor.current()
        read = await self._read(self._reader_of(served), call.body)
        self._charge(call.client, len(read) - 1)  # one was charged at the door
        good = [row for row in read if not isinstance(row, RequestRefused)]
        keep = None if call.ticket is None else Keep(call.ticket, partial(_render, read))
        committed = await self._rows.submit(served, good, call.received, read_origin(call.headers), keep)
        self._count(read, committed)
        return Reply(200, _render(read, committed))

    def _reader_of(self, served: Served) -> RowsReader:
        if self._reader is None or self._reader[0] is not served:
            self._reader = served, RowsReader(served.reader, self._most)
        return self._reader[1]

    async def _read(self, reader: RowsReader, body: bytes) -> Sequence[Read]:
        async with self._rows.turn:
            rows = reader.read_all(body, self._now())
            await asyncio.sleep(0)
        if rows is not None:
            return rows
        each, found = reader.read_each(body, self._now()), list[Read]()
        while True:
            async with self._rows.turn:
                if self._take(each, found):
                    return found
                await asyncio.sleep(0)

    def _take(self, each: Iterator[Read], found: list[Read]) -> bool:
        """Read rows for a moment. True when there are no more."""
        until = self._stopwatch() + _SLICE_SECONDS
        for row in each:
            found.append(row)
            if self._stopwatch() >= until:
                return False
        return True

    def _count(self, read: Sequence[Read], committed: Sequence[Committed]) -> None:
        self._telemetry.batch_request_rows.observe(len(read))
        for row in read:
            if isinstance(row, RequestRefused):
                self._telemetry.refused.labels(row.category).inc()
        for event in committed:
            if isinstance(event, ScoringFailed):
                self._telemetry.failed.labels(why(event)).inc()


def _render(read: Sequence[Read], committed: Sequence[Committed]) -> bytes:
    events = iter(committed)
    answers = [_answer(row if isinstance(row, RequestRefused) else next(events)) for row in read]
    refused = sum(isinstance(answer, RowRefused) for answer in answers)
    return msgspec.json.encode(BatchAnswer(len(answers) - refused, refused, answers))


def _answer(found: Committed | RequestRefused) -> PredictionAnswer | RowRefused:
    return RowRefused(problem_of(found)) if isinstance(found, ApiError) else answer_of(found)
