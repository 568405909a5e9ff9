"""A partition that is read again: what was on its way is of a former reading, wherever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from stream_app.agents.holes import Holes
from stream_app.delivery.batches import Fetching, RecordBatch
from stream_app.delivery.consumer import Consumer
from stream_app.delivery.framework import App
from stream_app.delivery.source import TopicSource
from stream_app.telemetry import Telemetry
from tests.unit.stream_app.delivery.stand import FakeThread, Record

A, B = TP("predictions", 0), TP("predictions", 1)
FETCHING = Fetching(batched=frozenset({"predictions"}), batch_records=10)


class Log(FakeThread):
    """Offsets of A, without those in `absent`; a fetch brings ten, and a question to the broker takes five.

    lost: these do not arrive from the next fetch.
    """

    def __init__(self, size: int, absent: range = range(0)) -> None:
        super().__init__({A, B})
        self._size, self._absent, self._position, self.lost = size, absent, 0, range(0)

    async def getmany(self, active_partitions: Any, timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109
        await asyncio.sleep(0)
        if A not in active_partitions:
            return {}
        left = [offset for offset in range(self._position, self._size) if offset not in self._absent]
        found = [Record(offset) for offset in left[:10]]
        self._position = found[-1].offset + 1 if found else self._position
        found, self.lost = [record for record in found if record.offset not in self.lost], range(0)
        return {A: found} if found else {}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self._position = partitions[A]
        await super().seek_wait(partitions)

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        for _ in range(5):
            await asyncio.sleep(0)
        return dict.fromkeys(partitions, 0)


@pytest.fixture
async def app() -> App:
    app = App("group", fetching=FETCHING, broker="kafka://127.0.0.1:1")
    app.consumer._thread = FakeThread({A, B})
    return app


def deliver(consumer: Consumer, first: int, last: int, tp: TP = A) -> Any:
    return consumer._to_message(tp, RecordBatch(tp, [Record(offset) for offset in range(first, last + 1)]))


async def polled(consumer: Consumer) -> list[Any]:
    """The batches of one poll, as Faust takes them."""
    found = await consumer._getmany({A, B}, 0.1)
    return [consumer._to_message(tp, batch) for tp, batch in consumer.scheduler.iterate(found)]


async def test_what_waits_behind_a_gap_is_of_no_epoch_and_what_comes_again_is_of_this_one(app: App) -> None:
    consumer = app.consumer
    ahead, elsewhere = deliver(consumer, 6, 8), deliver(consumer, 6, 8, tp=B)
    await consumer.reread_from(A, 3)
    again = deliver(consumer, 3, 5)
    epochs = [message.value.epoch for message in (ahead, elsewhere, again)]
    assert epochs == [-1, consumer.epoch, consumer.epoch]


async def test_a_fetch_that_is_pending_takes_nothing_of_a_partition_that_is_read_again(app: App) -> None:
    consumer = app.consumer
    await consumer._getmany({A, B}, 0.1)
    await consumer.reread_from(A, 3)
    await consumer._getmany({A, B}, 0.1)
    (before, _), (after, _) = consumer._thread.fetches
    assert [A in before, B in before, A in after, B in after] == [False, True, True, True]


async def test_a_fetch_that_begins_while_the_position_is_moved_takes_nothing_of_it(app: App) -> None:
    consumer = app.consumer
    consumer._thread = Log(0)
    moving = asyncio.create_task(consumer.reread_from(A, 3))
    await asyncio.sleep(0)
    await consumer._getmany({A, B}, 0.1)
    view = consumer._view
    assert (A in view, B in view) == (False, True)
    await moving
    assert (A in view, B in view) == (False, True)


async def test_the_rest_of_a_poll_from_before_a_re_read_is_not_delivered(app: App) -> None:
    consumer = app.consumer
    consumer._thread.records = {A: [Record(i) for i in range(30)], B: [Record(7)]}
    rest = consumer.scheduler.iterate(await consumer._getmany({A, B}, 0.1))
    next(rest)
    await consumer.reread_from(A, 0)
    assert [(tp, batch.first_offset) for tp, batch in rest] == [(B, 7)]


async def test_where_the_position_cannot_be_moved_the_batch_behind_the_gap_is_still_its_own_and_may_try_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(partitions: Mapping[TP, int]) -> None:
        raise KafkaTimeoutError

    consumer = app.consumer
    message = deliver(consumer, 6, 8)
    monkeypatch.setattr(consumer._thread, "seek_wait", fails)
    with pytest.raises(KafkaTimeoutError):
        await consumer.reread_from(A, 3)
    assert message.value.epoch == consumer.epoch
    await consumer._getmany({A}, 0.1)
    assert A in consumer._view


class Agent:
    """As the agents of both stages go about holes."""

    def __init__(self, app: App) -> None:
        self._app, self._source, self._telemetry = app, TopicSource(app, A.topic, 2), Telemetry()
        self._holes = Holes(A.topic, self._source, self._telemetry)
        self.waiting: asyncio.Queue[Any] = asyncio.Queue()
        self.handled: list[int] = []
        self.expected = 0

    async def deliver_for_ever(self) -> None:
        while True:
            for message in await polled(self._app.consumer):
                self.waiting.put_nowait(message)

    async def read_to(self, end: int) -> None:
        for _ in range(2_000):
            message = await self.waiting.get()
            await self._handle(message.value)
            message.acked = True
            if self.expected >= end:
                return
        raise AssertionError(f"after 2,000 batches at {self.expected} still")

    async def _handle(self, batch: RecordBatch) -> None:
        if batch.epoch != self._source.epoch:
            return
        first = batch.first_offset
        if first > self.expected and await self._holes.passable(0, self.expected, first) is None:
            return
        self.handled += [record.offset for record in batch.records]
        self.expected = batch.offset + 1

    def value(self, name: str, **labels: str) -> float:
        return self._telemetry.registry.get_sample_value(f"tidemark_stream_{name}", labels) or 0.0


async def read_all(app: App, log: Log, end: int) -> Agent:
    app.consumer._thread = log
    agent = Agent(app)
    delivering = asyncio.create_task(agent.deliver_for_ever())
    try:
        await agent.read_to(end)
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
    return agent


async def test_offsets_that_the_log_does_not_have_are_passed_over_though_a_backlog_lies_behind_them(app: App) -> None:
    agent = await read_all(app, Log(600, absent=range(100, 101)), 600)
    assert agent.handled == [offset for offset in range(600) if offset != 100]
    assert (agent.value("rereads_total"), agent.value("holes_total", why="absent")) == (3, 1)


async def test_what_was_lost_before_a_backlog_is_read_again_once_and_nothing_twice(app: App) -> None:
    log = Log(600)
    log.lost = range(0, 10)
    agent = await read_all(app, log, 600)
    assert agent.handled == list(range(600))
    assert (agent.value("rereads_total"), agent.value("holes_total", why="absent")) == (1, 0)
