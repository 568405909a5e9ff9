"""Preload: a topic filled as the API fills it: its ids, keys, headers and partitions, in batches of a real size."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from bench.stream.material import Material, event_id, iso, wire
from contracts.headers import PREDICTION_MADE, cloud_event
from contracts.topics import BASELINES, PREDICTIONS, partition_of
from stream_app import admin
from stream_app.settings import StreamSettings

BATCH_BYTES = 256 * 1024
"""Of one producer batch: what an API process under load sends to a partition at a time is of this order."""
WINDOWS, WINDOW_SECONDS, JITTER_MS = 5, 60, 2_000
"""Event times: over so many windows, and out of order by up to so much."""
_AHEAD = 32
"""Batches on their way at most."""
_SOURCE, _API = b"bench.00", "/tidemark/api"


async def preload(
    settings: StreamSettings, partitions: int, material: Material, events: int, codec: str | None, headers: bool
) -> int:
    """Create the topics, publish the baseline and `events` events; all acknowledged. Returns the bytes of the values.

    codec: of the record batches, as aiokafka names it; None for plain ones. headers: with the CloudEvents headers of
    the API. The last event's time is now.
    """
    async with admin.connected(settings, print) as client:
        await admin.create(client, settings, partitions)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        compression_type=codec,
    )
    await producer.start()
    try:
        key = material.baseline.key.encode()
        await producer.send_and_wait(settings.topic(BASELINES), material.baseline.to_bytes(), key=key)
        return await _fill(producer, settings.topic(PREDICTIONS), partitions, material, events, headers)
    finally:
        await producer.stop()


async def _fill(
    producer: AIOKafkaProducer, topic: str, partitions: int, material: Material, events: int, headers: bool
) -> int:
    rng, epoch, size = np.random.default_rng(0), time.time_ns() // 1_000_000, 0
    step = WINDOWS * WINDOW_SECONDS * 1000 / events
    batches: dict[int, Any] = {}
    waiting: set[asyncio.Future[Any]] = set()
    for start in range(0, events, 10_000):
        count = min(10_000, events - start)
        rows = rng.integers(len(material.rows), size=count).tolist()
        late = rng.integers(JITTER_MS, size=count).tolist()
        for i, (row, behind) in enumerate(zip(rows, late, strict=True), start):
            id_ = event_id(_SOURCE, epoch, i)
            event_time = iso(epoch - round((events - i) * step) - behind)
            value = wire(material.rows[row], id_, event_time)
            with_it = cloud_event(PREDICTION_MADE, id_.decode(), _API, time=event_time.decode()) if headers else []
            number = partition_of(id_, partitions)
            batch = batches.get(number) or batches.setdefault(number, producer.create_batch())
            while batch.append(key=id_, value=value, timestamp=None, headers=with_it) is None:
                waiting.add(await producer.send_batch(batch, topic, partition=number))
                batch = batches[number] = producer.create_batch()
            size += len(value)
        if len(waiting) > _AHEAD:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    last = [await producer.send_batch(batch, topic, partition=number) for number, batch in batches.items()]
    await asyncio.gather(*waiting, *last)
    return size
