"""(a) The ceiling: bare aiokafka reads a topic and drops it. `python -m bench.stream.bare BOOTSTRAP TOPIC EVENTS`.

The settings of the fetch are the worker's. Prints one line of JSON: a `Timed`.
"""

from __future__ import annotations

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer

from stream_app.delivery.configuration import faust_settings
from stream_app.settings import StreamSettings


class Timed(msgspec.Struct, frozen=True):
    """What a process says of itself. begin, end: seconds, monotonic; cpu_seconds: in between; without the start."""

    begin: float
    end: float
    events: int
    cpu_seconds: float


async def drop(settings: StreamSettings, topic: str, events: int) -> Timed:
    """Read so many events from the beginning; timed from the first fetch that brought something."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.bootstrap,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        fetch_min_bytes=settings.fetch_min_bytes,
        max_partition_fetch_bytes=faust_settings(settings)["consumer_max_fetch_size"],
    )
    await consumer.start()
    try:
        seen = await _fetched(consumer)
        begin, cpu, first = time.monotonic(), time.process_time(), seen
        while seen < events:
            seen += await _fetched(consumer)
        return Timed(begin, time.monotonic(), seen - first, time.process_time() - cpu)
    finally:
        await consumer.stop()


async def _fetched(consumer: AIOKafkaConsumer) -> int:
    while True:
        if batches := await consumer.getmany(timeout_ms=1000):
            return sum(map(len, batches.values()))


if __name__ == "__main__":
    bootstrap, name, wanted = sys.argv[1:]
    print(msgspec.json.encode(asyncio.run(drop(StreamSettings(bootstrap=bootstrap), name, int(wanted)))).decode())
