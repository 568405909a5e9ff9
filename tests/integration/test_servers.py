"""What tests rely on: a server keeps its address, Kafka keeps its records, and a frozen server answers nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError

from demo.stack.processes import ServiceProcess
from tests.servers.verbs import Broker, RedisLike
from tests.waiting import PATIENCE, eventually_sync


async def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        return [(await asyncio.wait_for(consumer.getone(), 30 * PATIENCE)).value for _ in range(count)]


async def test_the_shared_broker_keeps_records_in_order(
    kafka: Broker, fresh_topic: Callable[..., Awaitable[str]]
) -> None:
    topic = await fresh_topic()
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True) as producer:
        for number in range(100):
            await producer.send_and_wait(topic, b"%d" % number)
    assert await read(kafka.bootstrap, topic, 100) == [b"%d" % number for number in range(100)]


async def test_a_fresh_topic_has_the_partitions_and_settings_asked_for(
    kafka: Broker, fresh_topic: Callable[..., Awaitable[str]], namespace: str
) -> None:
    topic = await fresh_topic("wide", partitions=5, cleanup_policy="compact")
    assert topic == f"{namespace}wide"
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap) as consumer:
        assert consumer.partitions_for_topic(topic) == set(range(5))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    ((_, _, _, _, entries),) = answer.resources
    assert {entry[0]: entry[1] for entry in entries}["cleanup.policy"] == "compact"


async def test_the_shared_broker_creates_no_topic_by_itself(kafka: Broker, namespace: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        with pytest.raises((UnknownTopicOrPartitionError, TimeoutError)):
            await asyncio.wait_for(producer.send_and_wait(f"{namespace}never-created", b"x"), 3)


async def test_a_living_client_finds_a_killed_broker_again_with_its_records(own_kafka: Callable[[], Broker]) -> None:
    broker = own_kafka()
    address = broker.bootstrap
    async with AIOKafkaProducer(bootstrap_servers=address, request_timeout_ms=60_000) as producer:
        await create(address, "crash")
        await producer.send_and_wait("crash", b"before")
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        await producer.send_and_wait("crash", b"after")
    assert broker.bootstrap == address
    assert await read(address, "crash", 2) == [b"before", b"after"]


async def test_a_stopped_broker_comes_back_with_its_records(own_kafka: Callable[[], Broker]) -> None:
    broker = own_kafka()
    await create(broker.bootstrap, "orderly")
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        await producer.send_and_wait("orderly", b"before")
    await asyncio.to_thread(broker.stop)
    await asyncio.to_thread(broker.start)
    assert await read(broker.bootstrap, "orderly", 1) == [b"before"]


async def test_a_frozen_broker_acknowledges_nothing_until_it_resumes(own_kafka: Callable[[], Broker]) -> None:
    broker = own_kafka()
    await create(broker.bootstrap, "frozen")
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, request_timeout_ms=60_000) as producer:
        await producer.send_and_wait("frozen", b"warm")
        broker.pause()
        sent = asyncio.ensure_future(producer.send_and_wait("frozen", b"late"))
        done, _ = await asyncio.wait({sent}, timeout=1)
        assert not done
        broker.resume()
        await asyncio.wait_for(sent, 30 * PATIENCE)
    assert await read(broker.bootstrap, "frozen", 2) == [b"warm", b"late"]


def test_redis_comes_back_at_the_same_address_after_each_kind_of_outage(own_redis: Callable[[], RedisLike]) -> None:
    server = own_redis()
    client = redis.Redis.from_url(server.url, socket_timeout=0.5)
    address = server.url
    for leave, back in ((server.kill, server.start), (server.stop, server.start), (server.pause, server.resume)):
        assert client.ping()
        leave()
        began = time.monotonic()
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            client.ping()
        assert time.monotonic() - began < 10
        back()
        assert server.url == address
        assert client.ping()


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


def test_a_service_runs_with_its_settings_and_can_be_killed_and_started_again(
    run_service: Callable[..., ServiceProcess],
) -> None:
    process = run_service("web", "http.server", "--bind", "127.0.0.1", "0", PYTHONUNBUFFERED="1")
    eventually_sync(lambda: "Serving HTTP" in "".join(process.tail()), 10, "the first start")
    assert process.kill() == -9
    process.start()
    eventually_sync(lambda: "".join(process.tail()).count("Serving HTTP") == 2, 10, "the second start")
