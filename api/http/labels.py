"""POST /labels: the truth about predictions in, one label or many, taken or refused each for itself.

202 says that what was accepted is on the disk of its outbox, on its way to Kafka. One label that is refused is answered
with its problem; among many it has the problem in its place.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from api.errors import ApiError, NotServing, RequestRefused
from api.guard.keys import Scope
from api.guard.room import Room
from api.http.batch import Charge, Refused, RowRefused
from api.http.exchange import Call
from api.http.problems import Fault, Reply, problem_of, why
from api.labels.desk import Accepted, Found, Keep, LabelDesk
from api.labels.reading import LABELS, Cut, LabelRequest, is_batch, read_all, read_each, read_one
from api.requests.diagnosis import pointer
from api.requests.origin import read_origin
from api.telemetry import Telemetry

_SLICE_SECONDS = 0.002
"""Labels are worked on for so long before others are served."""

Item = TypeVar("Item")


class LabelAccepted(msgspec.Struct, frozen=True, gc=False):
    """In the place of a label that was taken."""

    prediction_id: str
    accepted: bool = True


class LabelsAnswer(msgspec.Struct, frozen=True):
    """labels: one for each that was sent, in order. accepted, refused: how many of them are which."""

    accepted: int
    refused: int
    labels: list[LabelAccepted | RowRefused]


class LabelsEndpoint:
    """limit: longest body in bytes. most: labels in it. room: for the requests that are worked on.

    charge: Guard's, for the labels of a request. turn: held while a part of many is worked on.
    """

    path = "/labels"
    scope: Scope = "label"
    once = True
    status = 202

    def __init__(
        self,
        desk: LabelDesk,
        telemetry: Telemetry,
        *,
        limit: int,
        most: int,
        room: Room,
        charge: Charge,
        turn: asyncio.Lock,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.limit = limit
        self.room = room
        self._desk = desk
        self._telemetry = telemetry
        self._most = most
        self._charge = charge
        self._turn = turn
        self._stopwatch = stopwatch

    async def answer(self, call: Call) -> Reply:
        """Raises RequestRefused, NotServing or LookupsAway."""
        if is_batch(call.body):
            return await self._many(call)
        label = self._read_one(call)
        found = await self._desk.find((label,))
        try:
            accepted = self._desk.join(label, found)
        except ApiError as error:
            self._refused(why(error))
            raise
        return await self._committed((accepted,), call)

    def _read_one(self, call: Call) -> LabelRequest:
        try:
            label = read_one(call.body)
        except RequestRefused as error:
            self._refused(error.category)
            raise
        self._charge(call.client, 1)
        return label

    async def _many(self, call: Call) -> Reply:
        read = await self._read(call)
        good = [label for label in read if isinstance(label, LabelRequest)]
        found = await self._desk.find(good)
        outcomes = await self._in_turns(self._joined(read, found))
        for category, count in Counter(row.category for row in outcomes if isinstance(row, Refused)).items():
            self._refused(category, count)
        return await self._committed(outcomes, call)

    async def _read(self, call: Call) -> Sequence[LabelRequest | RequestRefused]:
        async with self._turn:
            labels = read_all(call.body, self._most)
            await asyncio.sleep(0)
        if labels is not None:
            self._charge(call.client, len(labels))
            return labels
        cut = Cut(call.body, self._most)
        await self._in_turns(cut.steps())
        self._charge(call.client, len(cut.labels), laborious=True)  # before what is slow
        return await self._in_turns(read_each(cut.labels))

    def _joined(self, read: Sequence[LabelRequest | RequestRefused], found: Found) -> Iterator[Accepted | Refused]:
        for number, label in enumerate(read):
            try:
                if not isinstance(label, LabelRequest):
                    raise label
                yield self._desk.join(label, found)
            except RequestRefused as error:
                self._telemetry.refused.labels(error.category).inc()
                yield _told(error, number)
            except ApiError as error:  # Redis is away
                self._telemetry.failed.labels(why(error)).inc()
                yield _told(error, number)

    async def _in_turns(self, each: Iterator[Item]) -> list[Item]:
        done = list[Item]()
        while True:
            async with self._turn:
                until = self._stopwatch() + _SLICE_SECONDS
                for item in each:
                    done.append(item)
                    if self._stopwatch() >= until:
                        break
                else:
                    return done
                await asyncio.sleep(0)

    async def _committed(self, outcomes: Sequence[Accepted | Refused], call: Call) -> Reply:
        accepted = [one for one in outcomes if isinstance(one, Accepted)]
        answer = _render(outcomes, len(accepted))
        keep = None if call.ticket is None else Keep(call.ticket, answer)
        try:
            await self._desk.commit(accepted, read_origin(call.headers), keep)
        except NotServing as error:
            self._refused(why(error), len(accepted))
            raise
        return Reply(self.status, answer)

    def _refused(self, reason: str, count: int = 1) -> None:
        self._telemetry.labels.refused.labels(reason).inc(count)


def _told(error: ApiError, number: int) -> Refused:
    """With pointers into the batch."""
    problem, place = problem_of(error), pointer(LABELS, str(number))
    faults = tuple(Fault(fault.detail, place + (fault.pointer or "")) for fault in problem.errors)
    problem = msgspec.structs.replace(problem, errors=faults or (Fault(problem.detail, place),))
    return Refused(why(error), msgspec.Raw(msgspec.json.encode(RowRefused(problem))))


def _render(outcomes: Sequence[Accepted | Refused], accepted: int) -> bytes:
    """LabelsAnswer, JSON."""
    labels: list[Any] = [
        LabelAccepted(one.label.prediction_id) if isinstance(one, Accepted) else one.told for one in outcomes
    ]
    return msgspec.json.encode(LabelsAnswer(accepted, len(outcomes) - accepted, labels))
