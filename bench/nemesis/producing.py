"""The producer: one chunk in flight, sent until it is acknowledged; now and then what a restarted API sends twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bench.nemesis.load import Chunk, Load
from bench.nemesis.truth import Truth

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.2
_AGAIN = 3
"""Chunks that a restarted API sends twice."""


class Producer:
    """Sends a load. repeats: records sent twice on purpose. resent: chunks sent again after a failure, for
    nobody knew what of them had arrived."""

    def __init__(self, bootstrap: str, topic: str, load: Load, truth: Truth) -> None:
        self._bootstrap, self._topic, self._load, self._truth = bootstrap, topic, load, truth
        self._producer: AIOKafkaProducer | None = None
        self.repeats = 0
        self.resent = 0

    async def run(self, began: float) -> None:
        """The load at its pace from `began` (monotonic) on; faster, up to threefold, where it is behind."""
        plan, before = self._load.plan, deque[Chunk](maxlen=_AGAIN)
        try:
            for chunk in self._load.chunks():
                due = began + chunk.number * plan.chunk_seconds
                await asyncio.sleep(max(due - time.monotonic(), plan.chunk_seconds / 3))
                offsets = await self._send(chunk, range(len(chunk.keys)))
                self._truth.acknowledged(chunk, offsets, time.time())
                before.append(chunk)
                source = self._load.repeated(chunk.number)
                if source is not None:
                    for earlier in before:
                        positions = earlier.of_source(source)
                        self.repeats += len(positions)
                        await self._send(earlier, positions)
                    self._load.restarted(source)
        finally:
            await self._close()

    async def _send(self, chunk: Chunk, positions: Sequence[int]) -> list[int]:
        """Until all are acknowledged. What a failure leaves open is sent again under the same ids, from its beginning:
        a partition then has its events in the order of their sequences, whatever arrived before."""
        while True:
            try:
                producer = await self._connected()
                acks = [
                    await producer.send(
                        self._topic, chunk.values[i], key=chunk.keys[i].encode(), partition=chunk.partition[i]
                    )
                    for i in positions
                ]
                return [metadata.offset for metadata in await asyncio.gather(*acks)]
            except KafkaError as error:
                log.warning("chunk %s: %r, sent again", chunk.number, error)
                self.resent += 1
                await self._close()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, enable_idempotence=True, acks="all", linger_ms=5
            )
            try:
                await producer.start()
            except KafkaError:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _close(self) -> None:
        """Without waiting for what is in flight: it is sent again, and recognised."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), 5.0)
            except (TimeoutError, KafkaError) as error:
                log.warning("producer not stopped: %r", error)
