"""What is read of a topic ends where the log ended when the reading began, however much is written meanwhile."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from stream_app import present
from stream_app.readiness import not_fetching

ZERO, ONE = TopicPartition("t", 0), TopicPartition("t", 1)


class Record(NamedTuple):
    """As much of a record as is looked at."""

    topic: str
    partition: int
    offset: int


class Growing:
    """A consumer of logs that grow with every fetch; of partition 1 offset 1 is a marker, without a record."""

    def __init__(self) -> None:
        self.positions = {ZERO: 0, ONE: 0}

    async def position(self, tp: TopicPartition) -> int:
        return self.positions[tp]

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        found = {}
        for tp, first in self.positions.items():
            self.positions[tp] = first + 3
            offsets = [offset for offset in range(first, first + 3) if (tp, offset) != (ONE, 1)]
            found[tp] = [Record(*tp, offset) for offset in offsets]
        return found


class Assigned:
    """A consumer's partitions, and which of them it does not fetch."""

    def __init__(self) -> None:
        self.held = {ONE}

    def assignment(self) -> set[TopicPartition]:
        return {ZERO, ONE}

    def paused(self) -> set[TopicPartition]:
        return set(self.held)

    def pause(self, *partitions: TopicPartition) -> None:
        self.held |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.held -= set(partitions)


def test_nothing_is_fetched_while_a_question_is_asked_and_afterwards_what_was_fetched_before() -> None:
    consumer = Assigned()

    def ask() -> None:
        with not_fetching(consumer):
            assert consumer.held == {ZERO, ONE}
            raise KafkaTimeoutError

    with pytest.raises(KafkaTimeoutError):
        ask()
    assert consumer.held == {ONE}


async def test_fetching_goes_on_until_every_partition_has_come_to_its_end() -> None:
    batches = [batch async for batch in present.fetched(Growing(), {ZERO: 4, ONE: 2})]
    assert sorted(record.offset for batch in batches for record in batch if record.partition == 0) == [0, 1, 2, 3, 4, 5]


async def test_what_was_written_after_the_reading_began_is_left_out() -> None:
    batches = [batch async for batch in present._before(Growing(), {ZERO: 4, ONE: 2})]
    offsets = [(record.partition, record.offset) for batch in batches for record in batch]
    assert sorted(offsets) == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]


async def test_an_empty_topic_has_nothing_to_fetch() -> None:
    assert [batch async for batch in present.fetched(Growing(), {ZERO: 0})] == []


class Lost(Growing):
    """A consumer whose broker went away behind offset 3. pauses: so many polls in vain before each other fetch."""

    def __init__(self, pauses: int) -> None:
        super().__init__()
        self.pauses, self.polls = pauses, 0

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        self.polls += 1
        return await super().getmany(timeout_ms) if self.polls % (self.pauses + 1) == 0 else {}


async def test_a_broker_that_goes_away_is_not_waited_for_for_ever() -> None:
    consumer = Lost(pauses=1_000_000)
    with pytest.raises(KafkaTimeoutError, match=r"for a minute no records came of t/0, t/1, which are there"):
        _ = [batch async for batch in present.fetched(consumer, {ZERO: 4, ONE: 2})]
    assert consumer.polls * present.WAIT_MS == 60_000


async def test_a_slow_broker_is_waited_for() -> None:
    batches = [batch async for batch in present.fetched(Lost(pauses=present.POLLS_IN_VAIN - 1), {ZERO: 4})]
    assert len([batch for batch in batches if batch[0].partition == 0]) == 2
