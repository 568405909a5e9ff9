"""Events that are too large for their topic: refused where they would be made; set aside where a topic takes less.

Topics as a broker has them by default, and smaller ones. What is in front of such an event and behind it arrives once
and in order.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError

from api.outbox.segments import Record
from api.publishing.producer import Producer
from contracts.dead_letters import KEPT
from contracts.headers import Origin
from contracts.topics import BASELINES, LABELS, MOST_EVENT_BYTES, PREDICTIONS, partition_of
from tests.apis import GOOD, REPOSITORY, Api, create_topics, header, http_client, records, running, shared_registry
from tests.registered import a_compiled_version
from tests.waiting import eventually

KAFKAS_DEFAULT = 1_048_588
TIME = "2026-01-01T00:00:00+00:00"
PARTITIONS = 4


async def topics_of(bootstrap: str, namespace: str, largest: int | None) -> str:
    """All that the API needs, with `predictions` made by hand. largest: its max.message.bytes; None: the broker's."""
    await create_topics(bootstrap, namespace, (BASELINES, LABELS))
    topic, config = PREDICTIONS.named(namespace), PREDICTIONS.broker_config()
    del config["max.message.bytes"]
    config |= {} if largest is None else {"max.message.bytes": str(largest)}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=config)])
    finally:
        await admin.close()
    return topic


async def allow(bootstrap: str, topic: str, message_bytes: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        config = {**PREDICTIONS.broker_config(), "max.message.bytes": str(message_bytes)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)])
    finally:
        await admin.close()


@asynccontextmanager
async def connected(bootstrap: str, namespace: str) -> AsyncIterator[Producer]:
    producer = await eventually(
        lambda: Producer.connect(bootstrap, namespace), 20, "the topics", passing=(UnknownTopicOrPartitionError,)
    )
    try:
        yield producer
    finally:
        await producer.close()


def a_record(number: int, size: int = 10, key: str | None = None) -> Record:
    value = json.dumps({"a": "x" * size}).encode()
    return Record((key or f"e{number}").encode(), f"api.x-0193f2a1b3c4-{number:010x}", TIME, value)


def by_partition(found: Sequence[Record]) -> dict[int, list[str]]:
    ids = defaultdict(list)
    for record in found:
        ids[partition_of(record.key, PARTITIONS)].append(record.id)
    return ids


def arrived(found: Sequence[ConsumerRecord]) -> dict[int, list[str]]:
    ids = defaultdict(list)
    for record in found:
        ids[record.partition].append(header(record, "ce_id"))
    return ids


async def test_at_kafkas_default_size_one_event_that_is_too_large_is_given_back_and_all_others_arrive_once_in_order(
    kafka, namespace: str
):
    topic = await topics_of(kafka.bootstrap, namespace, KAFKAS_DEFAULT)
    large = {1: 1_500_000, 40: 1_048_588, 41: 1_200_000}
    group = [a_record(n, large.get(n, 10), key="k" if n % 3 else None) for n in range(60)]
    async with connected(kafka.bootstrap, namespace) as producer:
        refused = await producer.send(group)
        assert {record.id for record in refused} == {group[n].id for n in large}
        behind = [a_record(n) for n in range(100, 160)]
        assert await producer.send(behind) == []  # over the same connection: no sequence is missing
        assert [record.id for record in await producer.send([group[1], a_record(200)])] == [group[1].id]

    expected = [record for record in group if record not in refused] + behind + [a_record(200)]
    assert arrived(await records(kafka.bootstrap, topic)) == by_partition(expected)


@pytest.mark.parametrize("largest", [2_000, 60_000])
async def test_a_topic_that_takes_less_than_a_batch_gets_all_that_it_takes_once_in_order(
    kafka, namespace: str, largest: int
):
    topic = await topics_of(kafka.bootstrap, namespace, largest)
    group = [a_record(n, 400 + n % 7 * 250 if n % 50 else largest, key=f"c{n % 11}") for n in range(2_000)]
    large = {record.id for record in group if len(record.value) > largest - 330}
    async with connected(kafka.bootstrap, namespace) as producer:
        refused = [record.id for part in (group[:1_000], group[1_000:]) for record in await producer.send(part)]
    assert len(refused) == len(set(refused))
    assert set(refused) == large if largest > 10_000 else set(refused) <= large

    expected = [record for record in group if record.id not in set(refused)]
    assert arrived(await records(kafka.bootstrap, topic)) == by_partition(expected)


async def test_the_largest_event_that_is_answered_is_taken_at_kafkas_default_whatever_is_around_it(
    kafka, namespace: str
):
    await create_topics(kafka.bootstrap, namespace)
    origin = Origin("r" * 128, "0" * 256, "t" * 512, "s" * 200)
    value = b"x" * MOST_EVENT_BYTES
    record = Record("\U0001f600".encode() * 200, f"{'s' * 200}-0193f2a1b3c4-0000000000", TIME, value, None, origin)
    async with connected(kafka.bootstrap, namespace) as producer:
        assert await producer.send([record]) == []
    assert int(PREDICTIONS.config["max.message.bytes"]) == KAFKAS_DEFAULT
    assert len(value) < KEPT


@pytest.fixture(scope="module")
def model() -> str:
    a_compiled_version(shared_registry(), model="large")
    return "large"


def an_api(directory: Path, bootstrap: str, namespace: str, model: str) -> Api:
    return Api(
        directory,
        slim=True,
        model=model,
        tracking_uri=shared_registry(),
        bootstrap=bootstrap,
        topic_prefix=namespace,
    )


def a_row(number: int, size: int = 1) -> dict[str, object]:
    return {"features": {**GOOD, "carrier": "x" * size}, "entity_id": f"card-{number % 5}"}


async def batch(api: Api, sizes: Sequence[int]) -> list[dict[str, object]]:
    async with http_client(api.url, 60) as http:
        answer = await http.post("/predict/batch", json={"rows": [a_row(n, size) for n, size in enumerate(sizes)]})
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, object]] = answer.json()["predictions"]
    return predictions


async def test_a_row_whose_event_no_broker_need_take_is_refused_and_the_others_are_on_kafka(
    kafka, namespace: str, tmp_path: Path, model: str
):
    topic = await topics_of(kafka.bootstrap, namespace, KAFKAS_DEFAULT)
    api = an_api(tmp_path, kafka.bootstrap, namespace, model)
    async with running(api):
        await api.until("ready")
        said = await batch(api, [1, 1_000_000, 1, 999_000])
        assert said[1]["error"]["type"].endswith(":too-large")
        assert said[1]["error"]["errors"][0]["pointer"] == "/rows/1/features/carrier"
        await api.drained()
        assert (await api.until("ready"))["status"] == "ready"
        assert await api.metric("tidemark_api_set_aside_total") == 0
    found = [header(record, "ce_id") for record in await records(kafka.bootstrap, topic)]
    assert sorted(found) == sorted(str(one["prediction_id"]) for one in said if "error" not in one)


async def test_where_the_topic_takes_less_an_answered_event_is_set_aside_and_said_and_can_be_sent_later(
    kafka, namespace: str, tmp_path: Path, model: str
):
    topic = await topics_of(kafka.bootstrap, namespace, 100_000)
    api = an_api(tmp_path, kafka.bootstrap, namespace, model)
    async with running(api):
        await api.until("ready")
        said = await batch(api, [1, 1, 150_000, 1, 200_000, *[300] * 500, 1])
        answered = [str(one["prediction_id"]) for one in said]
        large = {answered[2], answered[4]}
        await api.drained()
        state = (await api.until("degraded"))["dependencies"]["kafka"]
        assert state["state"] == "away"
        assert state["detail"].endswith("2 too large for the topic, set aside: see `python -m api aside`")
        published = await api.metric("tidemark_api_published_total")
        assert await api.metric("tidemark_api_set_aside_total") == await api.metric("tidemark_api_aside_events") == 2
        assert published + 2 == len(answered) == await api.metric("tidemark_api_predictions_total")
        lines = [line for line in api.process.tail(200) if "more than its topic takes" in line]
        assert len(lines) == 2
        assert all(sum(id_ in line for line in lines) == 1 for id_ in large)
        assert not any("xxx" in line for line in lines)
        assert await api.metric("tidemark_api_kafka_up") == 1

        where = {
            "API_OUTBOX_DIR": str(api.outbox),
            "API_BOOTSTRAP": kafka.bootstrap,
            "API_TOPIC_PREFIX": namespace,
        }
        listed = await command(where, "list")
        assert all(id_ in listed for id_ in large)
        assert "still too large" in await command(where, "send", status=1)
        await allow(kafka.bootstrap, topic, KAFKAS_DEFAULT)
        await command(where, "send")
        await eventually(lambda: api.until("ready", within=1), 30, "nothing aside")

    ids = [header(record, "ce_id") for record in await records(kafka.bootstrap, topic)]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(answered)


async def command(where: dict[str, str], what: str, status: int = 0) -> str:
    env = {**os.environ, **where}
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api", "aside", what, cwd=REPOSITORY, env=env, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await asyncio.wait_for(ran.communicate(), 60)
    assert ran.returncode == status, said.decode()
    return said.decode()
