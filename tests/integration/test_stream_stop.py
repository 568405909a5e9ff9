"""SIGTERM: exit status 0 and soon, wherever in its start a worker is; nothing that was counted is left uncommitted."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from contracts.topics import PREDICTIONS
from demo.stack.processes import ServiceProcess
from stream_app import admin
from stream_app.windowing.state import meta_key
from tests.builders import a_baseline
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually

SOON = 10.0
"""Seconds; two are what a worker takes at most, the rest is for a machine that is busy with other tests. A stop that
waits for what was counted may take thirty."""


async def ends_well(worker: ServiceProcess, within: float = SOON) -> None:
    assert await asyncio.to_thread(worker.terminate, within) == 0, "\n".join(worker.tail())


def handles_sigterm(worker: ServiceProcess) -> bool:
    (mask,) = [line for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines() if "SigCgt" in line]
    return bool(int(mask.split()[1], 16) & 1 << 14)


async def in_state(client: admin.Admin, group: str, state: str) -> bool:
    """A coordinator that is not to be had for a moment is waited for."""
    (answer,) = await client.waiting.until_ready(lambda: client.describe_consumer_groups([group]))
    return bool(answer.groups[0][2] == state)


async def test_while_it_loads_its_libraries(tmp_path: Path) -> None:
    worker = Stream("127.0.0.1:1", "x.", tmp_path).worker()
    await eventually(lambda: handles_sigterm(worker), 10, "the first lines of the worker to have run")
    await ends_well(worker)


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        yield stream


@pytest.fixture
async def client(stream: Stream) -> AsyncIterator[admin.Admin]:
    async with admin.connected(stream.settings, print) as client:
        yield client


async def test_while_it_waits_for_the_group(stream: Stream, client: admin.Admin) -> None:
    frozen = stream.worker(session_timeout_seconds=30)
    await stream.ready(frozen, partitions=8)
    await asyncio.to_thread(frozen.pause)  # the group waits for it until its session ends
    worker, group = stream.worker(), stream.settings.group
    await eventually(lambda: in_state(client, group, "PreparingRebalance"), 20, "a second worker to join")
    await ends_well(worker)
    assert "ready:" not in worker.log.read_text()


async def test_while_it_restores_its_state(stream: Stream, client: admin.Admin) -> None:
    for _ in range(150_000):  # ten seconds of reading
        await stream.producer.send(stream.settings.counts_topic, None, key=meta_key(0), partition=0)
    await stream.producer.flush()
    worker = stream.worker()
    await eventually(lambda: in_state(client, stream.settings.group, "Stable"), 20, "the worker to have partitions")
    await ends_well(worker)
    assert "ready:" not in worker.log.read_text()


async def test_what_was_counted_is_committed_to_the_last_record(stream: Stream, client: admin.Admin) -> None:
    await stream.publish_baseline(a_baseline())
    worker = stream.worker(metrics_port=0)
    await stream.ready(worker, partitions=8)
    port = re.findall(r"metrics on port (\d+)", worker.log.read_text())[0]

    def counted() -> bool:
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        return 'tidemark_stream_events_total{outcome="counted"} 800.0' in page

    await stream.send(random_events(800, stream.fresh_hour(), per_second=100))
    await eventually(lambda: asyncio.to_thread(counted), 20, "800 events to be counted")
    await ends_well(worker, within=20)  # well before the next periodic commit, mostly
    committed = await client.list_consumer_group_offsets(stream.settings.group)
    found = {p: committed[TopicPartition(stream.topic(PREDICTIONS), p)].offset for p in range(8)}
    assert found == dict.fromkeys(range(8), 100)
