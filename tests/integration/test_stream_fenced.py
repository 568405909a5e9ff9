"""A broker that answers and is fenced: whatever starts meanwhile says so, waits, and works."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from contracts.topics import PREDICTIONS
from stream_app import admin, interactive
from stream_app.readiness import until_a_broker_is_ready
from stream_app.settings import StreamSettings
from tests.builders import a_baseline
from tests.servers.fenced import FencedKafka
from tests.streams import Stream, expected_reports, random_events
from tests.waiting import eventually
from training.topics.model_events import ModelEvents

NOT_READY = r"Kafka( at [\d.:]+)? is not ready: "
MEETINGS = 20
"""Tries to be there while it is fenced: two seconds of three, of which a busy machine may take both."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FencedKafka]:
    server = FencedKafka(tmp_path_factory.mktemp("fenced"))
    server.start()
    yield server
    server.kill()


async def test_a_connection_and_new_topics_wait_for_it(kafka: FencedKafka, namespace: str) -> None:
    connecting, creating = False, False
    for attempt in range(MEETINGS):
        said: list[str] = []
        settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=f"{namespace}{attempt}.")
        await eventually(kafka.fenced, 30, "the broker to be fenced")
        async with admin.connected(settings, said.append) as client:
            connecting |= any(
                re.search(f"{NOT_READY}.*it names no broker that is ready.*; trying for 300 s", line) for line in said
            )
            await eventually(kafka.fenced, 30, "the broker to be fenced again")
            outcomes = await admin.create(client, settings)
            # one of them may be there from a try whose answer was late
            assert {outcome.state for outcome in outcomes} <= {"created", "exists"}
            assert {outcome.name for outcome in outcomes} <= (await admin.partitions(client)).keys()
        creating |= any("All brokers are currently fenced.; trying for 300 s" in line for line in said)
        if connecting and creating:
            return
    pytest.fail(f"never met fenced in {MEETINGS} times: connecting {connecting}, creating {creating}")


async def test_training_waits_for_it_and_says_so(
    kafka: FencedKafka, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=namespace)
    async with admin.connected(settings, print) as client:
        await admin.create(client, settings)
    events = ModelEvents(kafka.bootstrap, namespace, timeout_seconds=60)
    for _ in range(MEETINGS):
        await eventually(kafka.fenced, 30, "the broker to be fenced")
        await asyncio.to_thread(events.check)
        if "is not ready" in caplog.text:
            break
    assert "is not ready" in caplog.text
    await eventually(kafka.fenced, 30, "the broker to be fenced again")
    assert await asyncio.to_thread(events.read, "nobody") == []


async def test_a_member_of_a_group_that_starts_meanwhile_gets_partitions(kafka: FencedKafka, namespace: str) -> None:
    settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=namespace)
    async with admin.connected(settings, print) as client:
        await admin.create(client, settings)
    await eventually(kafka.fenced, 30, "the broker to be fenced")
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=settings.group)
    await consumer.start()
    try:
        await until_a_broker_is_ready(consumer, lambda: False)
        consumer.subscribe([settings.topic(PREDICTIONS)])
        await eventually(lambda: len(consumer.assignment()) == PREDICTIONS.partitions, 60, "all partitions")
    finally:
        await consumer.stop()


async def test_a_worker_that_starts_meanwhile_counts(tmp_path: Path, namespace: str) -> None:
    server = FencedKafka(tmp_path, ready=4.0, every=6.0)
    await asyncio.to_thread(server.start)
    try:
        async with Stream(server.bootstrap, namespace, tmp_path) as stream:
            await eventually(server.fenced, 30, "the broker to be fenced")
            worker = stream.worker()
            await stream.ready(worker, 8, within=120)
            await stream.publish_baseline(baseline := a_baseline())
            start = stream.fresh_hour()
            rows = await stream.send(random_events(400, start, 20.0))
            reports = await stream.reported(rows, within=120)
            assert reports == expected_reports(random_events(400, start, 20.0), baseline, reports)
    finally:
        await asyncio.to_thread(server.kill)


async def test_somebody_who_looks_on_is_told_that_it_is_not_ready(kafka: FencedKafka, namespace: str) -> None:
    said: list[str] = []
    settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=namespace)
    async with interactive.connected(settings, said.append) as client:
        await eventually(lambda: client.trouble, 60, "two looks while it is fenced")
        assert client.trouble == f"Kafka at {kafka.bootstrap} is not ready: it names no broker that is ready"
    assert client.trouble in said
