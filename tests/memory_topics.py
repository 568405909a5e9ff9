"""Kafka in memory, for those that follow topics."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from contracts.model_events import encode_model_event
from contracts.topics import MODEL_EVENTS, Topic
from tests.interrupted import FakeEvents

LIMIT = 5_000


class MemoryTopics:
    """Records by topic; those of `model-events` are what `events` holds."""

    def __init__(self, events: FakeEvents) -> None:
        self._events, self._records, self.taken = events, defaultdict[str, list[bytes]](list), 0

    def write(self, topic: Topic, value: bytes) -> None:
        self._records[topic.name].append(value)

    def expire(self, topic: Topic) -> None:
        """As retention does."""
        self._records[topic.name].clear()

    def read(self, topic: Topic) -> list[bytes]:
        if topic is MODEL_EVENTS:
            return [encode_model_event(step.event) for step in self._events.read("flights")]
        return self._records[topic.name]

    @asynccontextmanager
    async def follow(self, bootstrap: str, prefix: str, beginnings: Any) -> AsyncIterator[Any]:
        yield _Following(self, [topic for topic, _ in beginnings])


class _Following:
    def __init__(self, broker: MemoryTopics, topics: list[Topic]) -> None:
        self._broker, self._topics = broker, topics
        self._next = dict.fromkeys((topic.name for topic in topics), 0)

    async def held(self) -> AsyncIterator[Any]:
        for one in self._new():
            yield one

    async def take(self, seconds: float) -> list[Any]:
        await asyncio.sleep(0.001)  # a retraining is at work in a thread
        self._broker.taken += 1
        assert self._broker.taken < LIMIT, "nothing comes of it"
        return self._new()

    def _new(self) -> list[Any]:
        found = []
        for topic in self._topics:
            values = self._broker.read(topic)
            found += [(topic, SimpleNamespace(value=value)) for value in values[self._next[topic.name] :]]
            self._next[topic.name] = len(values)
        return found
