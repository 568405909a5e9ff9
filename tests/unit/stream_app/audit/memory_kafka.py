"""Kafka in memory, for what reads topics to their present ends. Records are made when they are fetched."""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import TopicPartition

from stream_app import present

FETCHED = 50
"""Records of one partition that a fetch brings."""


class Record:
    """As much of a record as is looked at."""

    def __init__(self, tp: TopicPartition, offset: int, key: bytes, value: bytes | None) -> None:
        self.topic, self.partition, self.offset, self.key, self.value = tp.topic, tp.partition, offset, key, value
        self.headers: tuple[tuple[str, bytes], ...] = ()


class MemoryKafka:
    """logs: (key, value) by topic and partition. asked: called with a topic before its ends are told: traffic.

    most_alive: records that were in memory at one time.
    """

    def __init__(self) -> None:
        self.logs: defaultdict[str, dict[int, list[tuple[bytes, bytes | None]]]] = defaultdict(lambda: {0: []})
        self.asked: Callable[[str], None] = lambda topic: None
        self.alive: weakref.WeakSet[Record] = weakref.WeakSet()
        self.most_alive = 0

    def write(self, topic: str, key: bytes, value: bytes | None, partition: int = 0) -> None:
        self.logs[topic].setdefault(partition, []).append((key, value))

    def record(self, tp: TopicPartition, offset: int) -> Record:
        made = Record(tp, offset, *self.logs[tp.topic][tp.partition][offset])
        self.alive.add(made)
        self.most_alive = max(self.most_alive, len(self.alive))
        return made

    def instead_of_a_broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(present, "AIOKafkaConsumer", lambda topic, **_: Consumer(self, topic))


class Consumer:
    """Of all partitions of one topic."""

    def __init__(self, kafka: MemoryKafka, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._positions = {TopicPartition(topic, number): 0 for number in kafka.logs[topic]}
        self._paused: set[TopicPartition] = set()

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        self._kafka.asked(self._topic)
        return {tp: len(self._kafka.logs[self._topic][tp.partition]) for tp in partitions}

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        found = {}
        for tp in self._positions.keys() - self._paused:
            first = self._positions[tp]
            after = min(first + FETCHED, len(self._kafka.logs[self._topic][tp.partition]))
            if after > first:
                found[tp] = [self._kafka.record(tp, offset) for offset in range(first, after)]
                self._positions[tp] = after
        return found
