"""Users who go on asking while the traffic moves: each keeps one connection, and keeps what it was told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.events import decode_event
from contracts.topics import PREDICTIONS
from tests.waiting import eventually

_PAUSE_SECONDS = 0.02
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Told:
    """One answer. asked: when it was asked for (monotonic, seconds)."""

    asked: float
    prediction_id: str
    version: str
    receipt: str


@dataclass(frozen=True)
class Done:
    """A command that was run. began, ended: monotonic, seconds. said: its output."""

    began: float
    ended: float
    said: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class Users:
    """answers: in the order in which they came. failed: what else came: a status, or how a connection broke."""

    url: str
    answers: list[Told] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    async def ask(self, bodies: Iterable[bytes], enough: asyncio.Event, *, users: int = 4) -> None:
        """Until it is enough. Nothing is tried again: what fails is a failed request."""
        shared = iter(bodies)
        async with asyncio.TaskGroup() as group:
            for _ in range(users):
                group.create_task(self._one(shared, enough))

    async def _one(self, bodies: Iterable[bytes], enough: asyncio.Event) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(headers=_JSON, connector=connector) as session:
            for body in bodies:
                if enough.is_set():
                    return
                asked = time.monotonic()
                try:
                    async with session.post(f"{self.url}/predict", data=body) as response:
                        text = await response.text()
                        if response.status != 200:
                            self.failed.append(f"{response.status}: {text}")
                            continue
                except aiohttp.ClientError as error:
                    self.failed.append(f"{type(error).__name__}: {error}")
                    continue
                said = json.loads(text)
                self.answers.append(Told(asked, said["prediction_id"], said["model_version"], said["receipt"]))
                await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("there were not enough bodies for so long")

    async def have(self, more: int) -> None:
        """Wait until so many more are answered."""
        wanted = len(self.answers) + more
        await eventually(lambda: len(self.answers) >= wanted, 30, f"{more} more answers (failed: {self.failed[:3]})")

    async def meanwhile(self, command: Callable[..., tuple[int, str]], *arguments: str) -> Done:
        """Run a command while they ask. Raises AssertionError with its output unless its status is 0."""
        began = time.monotonic()
        status, said = await asyncio.to_thread(command, *arguments)
        assert status == 0, f"{' '.join(arguments)} ended with status {status}:\n{said}"
        return Done(began, time.monotonic(), said)

    def asked(self, since: float, until: float) -> list[Told]:
        """What was asked in between (monotonic, seconds)."""
        return [one for one in self.answers if since <= one.asked < until]

    async def label(self, told: Iterable[Told]) -> dict[str, Any]:
        """Say the truth of these with their receipts alone; returns the answer."""
        labels = [{"prediction_id": one.prediction_id, "receipt": one.receipt, "truth": 1} for one in told]
        body = json.dumps({"labels": labels})
        async with (
            aiohttp.ClientSession(headers=_JSON) as session,
            session.post(f"{self.url}/labels", data=body) as response,
        ):
            said: dict[str, Any] = json.loads(await response.text())
            assert said["accepted"] + said["refused"] == len(labels) > 0, said
            return said


class Predictions:
    """The events on the topic behind the offsets of the moment at which this is entered: id -> version."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        self._found: list[tuple[str, str]] = []

    async def __aenter__(self) -> Predictions:
        await self._consumer.start()
        partitions = [TopicPartition(PREDICTIONS.name, number) for number in range(PREDICTIONS.partitions)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_end(*partitions)
        for partition in partitions:  # a seek is lazy: now
            await self._consumer.position(partition)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def are(self, wanted: Mapping[str, str]) -> bool:
        """Read on; whether these are there. Raises AssertionError for one too many."""
        for records in (await self._consumer.getmany(timeout_ms=200)).values():
            events = [decode_event(record.value or b"") for record in records]
            self._found += [(event.id, event.model_version) for event in events]
        assert len(self._found) == len(dict(self._found)), "an event is there twice"
        assert set(self._found) <= set(wanted.items()), "an event that nobody was answered with"
        return len(self._found) == len(wanted)
