"""POST /predict/batch: many rows in, the answer to each out, in their order. Bad rows cost the good ones nothing.

200 says that the batch was worked on: each row has its prediction or its problem. All of its events are committed
together, so without room in the outbox the whole batch gets 503 and has no event.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from api.errors import ApiError, EventTooLarge, RequestRefused, ScoringFailed
from api.guard.keys import Scope
from api.guard.room import Room
from api.http.exchange import Call
from api.http.problems import Problem, Reply, problem_of, why
from api.models.served import Served
from api.predicting.committing import Committed
from api.predicting.drafts import Event, Keep, Unmade
from api.predicting.predictor import Predictor
from api.predicting.rows import RowsPredictor
from api.requests.cutting import Cutting
from api.requests.origin import read_origin
from api.requests.rows import RowsReader, in_place
from api.requests.schemas import PredictionAnswer, PredictionRequest, answers_of
from api.telemetry import Telemetry

_SLICE_SECONDS = 0.001
"""What goes bit by bit, as answers do, goes on for so long before others are served."""
_ANSWERS = 64
"""Are made at a time: some .1 ms."""

Item = TypeVar("Item")
Sign = Callable[[Sequence[Event]], list[str]]


class Charge(Protocol):
    """What is asked of api.guard.guard.Guard."""

    def __call__(self, client: str, rows: int, *, laborious: bool = False) -> None: ...


class Refused(msgspec.Struct, frozen=True):
    """A row that has no prediction. told: RowRefused, JSON: made in turns, where there is time for it."""

    category: str
    told: msgspec.Raw


class Read(NamedTuple):
    """A body. good: the rows that can be scored, in order. refused: the others, by their places."""

    good: Sequence[PredictionRequest]
    refused: Mapping[int, Refused] = MappingProxyType({})

    @property
    def rows(self) -> int:
        return len(self.good) + len(self.refused)

    def places(self) -> list[int]:
        """Of the good rows, in order."""
        return [place for place in range(self.rows) if place not in self.refused]


Answer = PredictionAnswer | msgspec.Raw
"""Raw: a RowRefused, JSON already."""


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
    """limit: longest body in bytes. most: rows in it. room: for the requests that are worked on.

    sign: makes the receipts of events. charge: Guard's, for the rows of a request. bustle: told how many are about
    to be answered. now: the wall clock.
    """

    path = "/predict/batch"
    scope: Scope = "predict"
    once = True
    status = 200

    def __init__(
        self,
        predictor: Predictor,
        rows: RowsPredictor,
        telemetry: Telemetry,
        *,
        limit: int,
        most: int,
        room: Room,
        sign: Sign,
        charge: Charge,
        bustle: Callable[[int], None],
        now: Callable[[], datetime],
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.limit = limit
        self.room = room
        self._most = most
        self._predictor = predictor
        self._rows = rows
        self._telemetry = telemetry
        self._sign = sign
        self._charge = charge
        self._bustle = bustle
        self._now = now
        self._stopwatch = stopwatch
        self._reader: tuple[Served, RowsReader] | None = None

    async def answer(self, call: Call) -> Reply:
        """Raises RequestRefused or NotServing."""
        served = self._predictor.current()
        read = await self._read(self._reader_of(served), call)
        self._bustle(read.rows)
        keep = None if call.ticket is None else Keep(call.ticket, self._render_of(read))
        committed = await self._rows.submit(served, read.good, call.received, read_origin(call.headers), keep)
        self._count(read, committed)
        answers = await self._in_turns(_answers(read, committed, self._sign))
        return Reply(200, _whole(read, answers))

    def _render_of(self, read: Read) -> Callable[[Sequence[Committed]], bytes]:
        return lambda committed: _whole(read, _answers(read, committed, self._sign))

    def _reader_of(self, served: Served) -> RowsReader:
        if self._reader is None or self._reader[0] is not served:
            self._reader = served, RowsReader(served.reader, self._most)
        return self._reader[1]

    async def _read(self, reader: RowsReader, call: Call) -> Read:
        async with self._rows.turn:
            rows = reader.read_all(call.body, self._now())
            await asyncio.sleep(0)
        if rows is not None:
            self._charge(call.client, len(rows))
            return Read(rows)
        cutting = Cutting(call.body, self._most)
        await self._in_turns(cutting.steps())
        self._charge(call.client, len(cutting.rows), laborious=True)  # before what is slow
        each = await self._in_turns(map(_read_or_told, reader.read_each(cutting.rows, self._now())))
        return Read(
            [row for row in each if not isinstance(row, Refused)],
            {place: row for place, row in enumerate(each) if isinstance(row, Refused)},
        )

    async def _in_turns(self, each: Iterator[Item]) -> list[Item]:
        found = list[Item]()
        while True:
            async with self._rows.turn:
                if self._take(each, found):
                    return found
                await asyncio.sleep(0)

    def _take(self, each: Iterator[Item], found: list[Item]) -> bool:
        """Take items for a moment. True when there are no more."""
        until = self._stopwatch() + _SLICE_SECONDS
        for item in each:
            found.append(item)
            if self._stopwatch() >= until:
                return False
        return True

    def _count(self, read: Read, committed: Sequence[Committed]) -> None:
        self._telemetry.batch_request_rows.observe(read.rows)
        for category, rows in Counter(row.category for row in read.refused.values()).items():
            self._telemetry.refused.labels(category).inc(rows)
        if _any_unmade(committed):
            for name, rows in Counter(why(event) for event in committed if isinstance(event, ScoringFailed)).items():
                self._telemetry.failed.labels(name).inc(rows)
            for name, rows in Counter(why(event) for event in committed if isinstance(event, EventTooLarge)).items():
                self._telemetry.refused.labels(name).inc(rows)


def _read_or_told(row: PredictionRequest | RequestRefused) -> PredictionRequest | Refused:
    return Refused(row.category, _told(row)) if isinstance(row, RequestRefused) else row


def _told(error: ApiError) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(RowRefused(problem_of(error))))


def _any_unmade(committed: Sequence[Committed]) -> bool:
    return not set(Unmade).isdisjoint(map(type, committed))


def _answers(read: Read, committed: Sequence[Committed], sign: Sign) -> Iterator[list[Answer]]:
    """Of the rows that were read, some at a time."""
    failures, places = dict[str, msgspec.Raw](), list[int]()

    def unmade(error: ScoringFailed | EventTooLarge, number: int) -> msgspec.Raw:
        if isinstance(error, EventTooLarge):
            if not places:
                places.extend(read.places())
            return _told(in_place(error, places[number]))
        # a model that fails on one row may fail on all of them
        return failures.get(str(error)) or failures.setdefault(str(error), _told(error))

    for start in range(0, len(committed), _ANSWERS):
        part = committed[start : start + _ANSWERS]
        events = [found for found in part if not isinstance(found, Unmade)]
        answers: list[Any] = answers_of(events, sign(events))
        if len(events) < len(part):
            given = iter(answers)
            answers = [
                unmade(found, number) if isinstance(found, Unmade) else next(given)
                for number, found in enumerate(part, start)
            ]
        yield answers


def _whole(read: Read, parts: Iterable[list[Answer]]) -> bytes:
    """BatchAnswer, JSON. parts: of the rows that were read."""
    listed: list[Any] = list(chain.from_iterable(parts))
    if read.refused:
        given = iter(listed)
        listed = [read.refused[n].told if n in read.refused else next(given) for n in range(read.rows)]
    refused = list(map(type, listed)).count(msgspec.Raw)
    return msgspec.json.encode(BatchAnswer(len(listed) - refused, refused, listed))
