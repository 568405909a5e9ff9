"""A topic that is followed: nothing that was fetched is dropped, and nobody waits for a follower that is no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, KafkaTimeoutError

from stream_app import following
from stream_app.errors import BrokerError, NotFollowed
from stream_app.following import Follower

ZERO = TopicPartition("baselines", 0)


class Record(NamedTuple):
    """As much of a record as is looked at."""

    offset: int


class Log:
    """A consumer of one partition; errors: what its next calls raise, by name."""

    def __init__(self) -> None:
        self.size, self._position, self._stopped = 0, 0, False
        self.errors: dict[str, list[Exception]] = {}

    def __call__(self, *_: Any, **__: Any) -> Log:
        return self

    def _raise(self, name: str) -> None:
        if self.errors.get(name):
            raise self.errors[name].pop()

    async def start(self) -> None: ...

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.sleep(0.05)

    def assignment(self) -> set[TopicPartition]:
        return {ZERO}

    def paused(self) -> set[TopicPartition]:
        return set()

    def pause(self, *_: TopicPartition) -> None: ...

    def resume(self, *_: TopicPartition) -> None: ...

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        self._raise("end_offsets")
        return dict.fromkeys(partitions, self.size)

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0.01)
        self._raise("getmany")
        if self._stopped:
            raise ConsumerStoppedError
        found = [Record(offset) for offset in range(self._position, self.size)]
        self._position = self.size
        return {ZERO: found}

    async def position(self, tp: TopicPartition) -> int:
        self._raise("position")
        return self._position


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Log:
    topic = Log()
    monkeypatch.setattr(following, "AIOKafkaConsumer", topic)
    monkeypatch.setattr(following, "_RETRY_SECONDS", 0.01)
    return topic


@pytest.fixture
async def follow(topic: Log) -> AsyncIterator[Callable[[Any], Follower]]:
    followers: list[Follower] = []

    def follow(learn: Any) -> Follower:
        followers.append(Follower("nowhere:9092", "baselines", learn))
        return followers[-1]

    yield follow
    for follower in followers:
        await follower.stop()


async def test_what_was_fetched_is_learnt_though_nobody_says_how_far_that_is(
    topic: Log, follow: Callable[[Any], Follower]
) -> None:
    learnt: list[Record] = []
    follower = follow(learnt.append)
    await follower.start()
    topic.errors, topic.size = {"position": [KafkaTimeoutError()]}, 3
    await asyncio.wait_for(follower.refresh(), 5)
    assert [record.offset for record in learnt] == [0, 1, 2]


async def test_a_broker_that_goes_away_for_a_moment_ends_nothing(topic: Log, follow: Callable[[Any], Follower]) -> None:
    follower = follow(lambda record: None)
    await follower.start()
    topic.errors, topic.size = {"getmany": [KafkaError(), KafkaTimeoutError()]}, 3
    await asyncio.wait_for(follower.refresh(), 5)


@pytest.mark.parametrize("name", ["getmany", "position"])
async def test_who_waits_for_a_follower_that_ends_is_told_and_so_is_who_comes_later(
    topic: Log, follow: Callable[[Any], Follower], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    follower = follow(lambda record: None)
    await follower.start()
    topic.errors, topic.size = {name: [AssertionError("what aiokafka did not expect")]}, 3
    for _ in range(2):
        with pytest.raises(NotFollowed, match="baselines is not followed any more"):
            await asyncio.wait_for(follower.refresh(), 5)
    assert "what aiokafka did not expect" in caplog.text


async def test_who_waits_while_it_is_stopped_is_told(topic: Log, follow: Callable[[Any], Follower]) -> None:
    follower = follow(lambda record: None)
    await follower.start()
    topic.errors, topic.size = {"getmany": [KafkaTimeoutError()] * 1_000_000}, 3
    waiting = asyncio.create_task(follower.refresh())
    await asyncio.sleep(0.05)
    await follower.stop()
    with pytest.raises(BrokerError, match="not followed any more"):
        await asyncio.wait_for(waiting, 5)


async def test_a_start_that_fails_says_which_topic_it_is(topic: Log, follow: Callable[[Any], Follower]) -> None:
    topic.errors, topic.size = {"getmany": [AssertionError()]}, 3
    with pytest.raises(BrokerError, match="cannot read the topic baselines"):
        await asyncio.wait_for(follow(lambda record: None).start(), 5)


async def test_a_start_that_fails_says_nothing_else(
    topic: Log, follow: Callable[[Any], Follower], caplog: pytest.LogCaptureFixture
) -> None:
    topic.errors = {"end_offsets": [KafkaTimeoutError("no offsets")]}
    with pytest.raises(BrokerError, match=r"cannot read the topic baselines: .*no offsets"):
        await asyncio.wait_for(follow(lambda record: None).start(), 5)
    assert caplog.messages == []
