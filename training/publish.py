"""Publish a baseline to the topic `baselines`, from where every stream worker learns it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.baseline import Baseline
from contracts.headers import BASELINE_PUBLISHED, cloud_event
from contracts.topics import BASELINES, partition_of
from training.errors import PublishError

_SOURCE = "/tidemark/training"
_RETRY_SECONDS = 0.5
T = TypeVar("T")


@dataclass(frozen=True)
class Publisher:
    """Where baselines are published.

    timeout_seconds: of connecting and sending together. wait_seconds: how long a broker or a topic that is not there
    yet is waited for before publishing fails; more than 0 also means that check() asks for nothing.
    """

    bootstrap: str
    topic_prefix: str
    timeout_seconds: float
    wait_seconds: float = 0.0

    @property
    def topic(self) -> str:
        """The topic's full name."""
        return BASELINES.named(self.topic_prefix)

    def check(self) -> None:
        """Raises PublishError when the broker or the topic is not there: before minutes of training, not after."""
        if not self.wait_seconds:
            self._run(self._send(None))

    def publish(self, baseline: Baseline) -> None:
        """Returns when all replicas have it. Raises PublishError. Repeats are harmless: the newest of a key counts."""
        deadline = time.monotonic() + self.wait_seconds
        while True:
            try:
                return self._run(self._send(baseline))
            except PublishError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run(asyncio.wait_for(work, self.timeout_seconds))
        except TimeoutError as error:
            limit = f"{self.timeout_seconds:g} s"
            raise PublishError(f"Kafka at {self.bootstrap} did not answer within {limit}: is it running?") from error
        except (KafkaError, OSError, ValueError) as error:
            raise PublishError(f"Kafka at {self.bootstrap}: {error}; start it or correct TRAINING_BOOTSTRAP") from error

    async def _send(self, baseline: Baseline | None) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="gzip",
            max_request_size=int(BASELINES.config["max.message.bytes"]),
        )
        try:
            await producer.start()
            cluster = await producer.client.fetch_all_metadata()
            partitions = cluster.partitions_for_topic(self.topic)
            if not partitions:
                raise PublishError(
                    f"Kafka at {self.bootstrap} has no topic {self.topic!r}: run `python -m stream_app topics`"
                )
            if baseline is not None:
                key = baseline.key.encode()
                await producer.send_and_wait(
                    self.topic,
                    baseline.to_bytes(),
                    key=key,
                    partition=partition_of(key, len(partitions)),
                    headers=cloud_event(
                        BASELINE_PUBLISHED,
                        f"{baseline.key}/{baseline.digest}",
                        _SOURCE,
                        time=baseline.created.isoformat(),
                    ),
                )
        finally:
            await producer.stop()
