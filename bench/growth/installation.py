"""An installation for a measurement: topics, baselines of many versions of one model, and events of all of them.

Event i is of version (i // partitions) % versions and goes to partition i % partitions, so every version is in each.
"""

from __future__ import annotations

import asyncio
import glob
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from bench.benchmark import BenchError
from bench.growth.watched import Watched
from bench.stream.material import Material, Template, event_id, iso, wire
from contracts.topics import BASELINES, PREDICTIONS
from demo.stack.kafka import KafkaServer
from stream_app import admin
from stream_app.settings import StreamSettings

PARTITIONS, FEATURES = 8, 20
WINDOW_MS = 60_000
_SOURCE = b"growth.00"
_BATCH_BYTES = 64 * 1024
# Compaction that a measurement of minutes gets to see; an installation's own settings are in stream_app/admin.py.
_SOON = {
    "cleanup.policy": "compact",
    "segment.bytes": str(1 << 20),
    "segment.ms": "2000",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "2000",
    "delete.retention.ms": "0",
}

TimeOf = Callable[[int], int]
"""Event time in milliseconds of event i, counted from the installation's first."""


class Installation:
    """`async with Installation(...)`: topics made, baselines published. settings: STREAM_* by their field's name.

    versions: of the model. compact_soon: state topics are compacted within seconds, not within 15 minutes.
    """

    def __init__(
        self, kafka: KafkaServer, name: str, versions: int, seed: int, *, compact_soon: bool = False, **settings: Any
    ) -> None:
        self._kafka, self._seed, self._compact_soon = kafka, seed, compact_soon
        self._settings = {
            "bootstrap": kafka.bootstrap,
            "topic_prefix": f"{name}.",
            "window_seconds": WINDOW_MS // 1000,
            **settings,
        }
        self.settings = StreamSettings(**self._settings)
        material = Material(FEATURES, seed)
        self._baselines = [replace(material.baseline, version=str(number + 1)) for number in range(versions)]
        self._rows = [[_of_version(row, str(number + 1)) for row in material.rows] for number in range(versions)]
        self._epoch = time.time_ns() // 1_000_000
        self.sent = 0

    async def __aenter__(self) -> Installation:
        async with admin.connected(self.settings, print) as client:
            await admin.create(client, self.settings, PARTITIONS)
            if self._compact_soon:
                await client.alter_configs(
                    [ConfigResource(ConfigResourceType.TOPIC, topic, _SOON) for topic in self.state_topics]
                )
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap, enable_idempotence=True, max_batch_size=_BATCH_BYTES
        )
        await self._producer.start()
        for baseline in self._baselines:
            await self._producer.send_and_wait(
                self.settings.topic(BASELINES), baseline.to_bytes(), key=baseline.key.encode()
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    def worker(self, name: str, **settings: Any) -> Watched:
        """A worker of this installation, not started."""
        own = {"worker_id": name, "metrics_port": 0, **self._settings, **settings}
        env = {f"STREAM_{key.upper()}": str(value) for key, value in own.items()}
        return Watched(f"{self.settings.topic_prefix}{name}", self._kafka.directory.parent, env)

    async def feed(self, count: int, time_ms: TimeOf) -> None:
        """Send so many more events, acknowledged."""
        topic, versions = self.settings.topic(PREDICTIONS), len(self._rows)
        rng = np.random.default_rng([self._seed, self.sent])
        picked = rng.integers(len(self._rows[0]), size=count).tolist()
        batches: dict[int, Any] = {}
        waiting: list[asyncio.Future[Any]] = []
        for i, row in enumerate(picked, self.sent):
            id_ = event_id(_SOURCE, self._epoch, i)
            value = wire(self._rows[i // PARTITIONS % versions][row], id_, iso(time_ms(i)))
            number = i % PARTITIONS
            batch = batches.get(number) or batches.setdefault(number, self._producer.create_batch())
            while batch.append(key=id_, value=value, timestamp=None) is None:
                waiting.append(await self._producer.send_batch(batch, topic, partition=number))
                batch = batches[number] = self._producer.create_batch()
        for number, batch in batches.items():
            waiting.append(await self._producer.send_batch(batch, topic, partition=number))
        self.sent += count
        await asyncio.gather(*waiting)

    @property
    def state_topics(self) -> tuple[str, str]:
        """Of stage 1 and of stage 2."""
        return self.settings.counts_topic, self.settings.windows_topic

    def state_bytes(self) -> int:
        """What the state topics take on the broker's disk."""
        data = self._kafka.directory / "data"
        return sum(
            file.stat().st_size for topic in self.state_topics for file in data.glob(f"{glob.escape(topic)}-*/*.log")
        )

    async def log_of(self, topic: str) -> tuple[int, int, int]:
        """Of a state topic: records that are left on it, live keys among them, and records ever written."""
        latest: dict[tuple[int, bytes], bool] = {}
        left = 0

        def take(record: Any) -> None:
            nonlocal left
            left += 1
            latest[record.partition, record.key or b""] = record.value is not None

        written = await self._read(topic, take)
        return left, sum(latest.values()), written

    async def age(self, records: int) -> None:
        """Write what stage 1 has stored again and again, until its topic has so many records.

        An older value of a key does no harm to a younger one: recovery keeps the youngest. Raises BenchError.
        """
        topic = self.settings.counts_topic
        stored: dict[tuple[int, bytes], bytes] = {}

        def take(record: Any) -> None:
            if record.value is None:
                stored.pop((record.partition, record.key), None)
            else:
                stored[record.partition, record.key] = record.value

        there = await self._read(topic, take)
        if not stored:
            raise BenchError(f"{topic} holds nothing that could be written again")
        async with AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap, max_batch_size=_BATCH_BYTES, compression_type="zstd"
        ) as producer:
            while there < records:
                batches: dict[int, Any] = {}
                waiting: list[asyncio.Future[Any]] = []
                for (number, key), value in stored.items():
                    batch = batches.get(number) or batches.setdefault(number, producer.create_batch())
                    while batch.append(key=key, value=value, timestamp=None) is None:
                        waiting.append(await producer.send_batch(batch, topic, partition=number))
                        batch = batches[number] = producer.create_batch()
                for number, batch in batches.items():
                    waiting.append(await producer.send_batch(batch, topic, partition=number))
                await asyncio.gather(*waiting)
                there += len(stored)

    async def _read(self, topic: str, take: Callable[[Any], None]) -> int:
        """take: given each record that is on the topic now, each partition's in order. Returns how many ever were."""
        async with AIOKafkaConsumer(
            topic, bootstrap_servers=self.settings.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
        ) as consumer:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for found in (await consumer.getmany(timeout_ms=200)).values():
                    for record in found:
                        take(record)
        return sum(ends.values())


def _of_version(row: Template, version: str) -> Template:
    return Template(*(part.replace(b'"model_version":"1"', b'"model_version":"%b"' % version.encode()) for part in row))
