"""Troubles: says on `model-events` that the version on its way could not be loaded, or could not score rows.

Told at most every SECONDS, with how many rows it was since the last time. It has a connection of its own, which is made
when there is something to say: a request waits for nothing here. Without Kafka the numbers add up until it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.events import Role
from contracts.headers import MODEL_CHANGED, cloud_event
from contracts.model_events import ModelEvent, encode_model_event
from contracts.rollout import Rollout
from contracts.topics import partition_of

log = logging.getLogger(__name__)

SECONDS = 5.0
_SEND_SECONDS = 20.0
_SOURCE = "/tidemark/api"


class Voice(Protocol):
    """A connection to the topic."""

    async def say(self, event: ModelEvent) -> None:
        """Returns when it is there. Raises KafkaError, OSError or TimeoutError."""

    async def close(self) -> None: ...


class Troubles:
    """connect: makes a Voice. source: names this process, for the events' ids. every: seconds between two rounds."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Voice]],
        model: str,
        source: str,
        *,
        now: Callable[[], datetime],
        every: float = SECONDS,
    ) -> None:
        self._connect = connect
        self._model = model
        self._source = source
        self._now = now
        self._every = every
        self._rows: defaultdict[tuple[str, Role], Counter[str]] = defaultdict(Counter)
        self._refused: dict[tuple[str, Role], str] = {}
        self._number = 0
        self._any = asyncio.Event()
        self._said_away = False

    def rows(self, version: str, role: Role, why: str, rows: int) -> None:
        """Rows that a version could not score; the champion answered them, or nobody was to be answered."""
        self._rows[version, role][why] += rows
        self._any.set()

    def refused(self, rollout: Rollout, why: str) -> None:
        """The version of a rollout cannot be served."""
        self._refused[rollout.version, rollout.stage] = why
        self._any.set()

    async def run(self) -> None:
        """Forever, until cancelled."""
        voice: Voice | None = None
        try:
            while True:
                await self._any.wait()
                try:
                    async with asyncio.timeout(_SEND_SECONDS):
                        voice = voice or await self._connect()
                        await self._round(voice)
                    self._said_away = False
                except (KafkaError, OSError, TimeoutError) as error:
                    if not self._said_away:
                        log.warning("model-events: trouble with a rollout is told later: %s", error)
                    self._said_away = True
                    if voice is not None:
                        await voice.close()
                    voice = None
                await asyncio.sleep(self._every)
        finally:
            if voice is not None:
                await voice.close()

    async def _round(self, voice: Voice) -> None:
        """Say all that is to be said; what was said is forgotten, what comes meanwhile is not."""
        for (version, role), why in list(self._refused.items()):
            reason = f"the version cannot be served as {role}, the champion answers alone: {why}"
            await voice.say(self._event(version, role, reason, Counter(), loaded=False))
            self._refused.pop((version, role), None)
        for (version, role), lost in list(self._rows.items()):
            said = +lost
            what = ", ".join(f"{rows} {why}" for why, rows in sorted(said.items()))
            then = "the champion answered them" if role == "canary" else "they have no event"
            reason = f"{said.total()} rows could not be scored as {role}, {then}: {what}"
            await voice.say(self._event(version, role, reason, said, loaded=True))
            lost.subtract(said)
            if not lost.total():
                self._rows.pop((version, role), None)
        if not self._rows and not self._refused:
            self._any.clear()

    def _event(self, version: str, role: Role, reason: str, lost: Counter[str], *, loaded: bool) -> ModelEvent:
        self._number += 1
        return ModelEvent(
            id=f"{self._source}-trouble-{self._number}",
            kind="rollout-trouble",
            at=self._now(),
            model=self._model,
            version=version,
            by="api",
            reason=reason,
            details={
                "failures": float(lost.total()),
                "role": role,
                "loaded": loaded,
                "why": {why: float(rows) for why, rows in lost.items()},
            },
        )


class KafkaVoice:
    """Made by connect()."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    @classmethod
    async def connect(cls, bootstrap: str, topic: str) -> KafkaVoice:
        """topic: its full name. Raises KafkaError."""
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", request_timeout_ms=10_000)
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return cls(producer, topic)

    async def say(self, event: ModelEvent) -> None:
        """Returns when it is there. Raises KafkaError."""
        key, value = event.model.encode(), encode_model_event(event)
        headers = cloud_event(MODEL_CHANGED, event.id, _SOURCE, time=event.at.isoformat())
        partition = partition_of(key, len(await self._producer.partitions_for(self._topic)))
        await self._producer.send_and_wait(self._topic, value, key=key, partition=partition, headers=headers)

    async def close(self) -> None:
        """Within seconds, whatever Kafka does."""
        stopping = asyncio.create_task(self._producer.stop())
        await asyncio.wait([stopping], timeout=2.0)
