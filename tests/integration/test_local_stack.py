"""The local stack with its real servers: what every demo, test and laptop relies on."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from demo.stack.directory import DataDirectory
from demo.stack.errors import DirectoryInUse, DirectoryUnusable, NotRunning, PortTaken, ServerEnded, StartTimeout
from demo.stack.kafka import KafkaServer, prefetch
from demo.stack.redis import RedisServer
from demo.stack.stack import LocalStack
from tests.waiting import eventually_sync

REPOSITORY = Path(__file__).parents[2]
MEBIBYTE = 1024 * 1024


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """Not started yet."""
    server = KafkaServer(tmp_path / "a broker, ü")
    yield server
    server.kill()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Not started yet."""
    server = RedisServer(tmp_path / "redis", append_only=True)
    yield server
    server.kill()


async def create_topic(server: KafkaServer, name: str, **settings: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])
    finally:
        await admin.close()


async def produce(server: KafkaServer, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=server.bootstrap, max_request_size=16 * MEBIBYTE) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(server: KafkaServer, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=server.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]


def connect(server: RedisServer) -> "redis.Redis":
    return redis.Redis.from_url(server.url, socket_timeout=1)


def is_gone(pid: int) -> bool:
    """A zombie is gone too: some containers never collect them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_a_killed_broker_comes_back_on_its_port_with_its_records(kafka: KafkaServer) -> None:
    await asyncio.to_thread(kafka.start)
    bootstrap, pid = kafka.bootstrap, kafka.pid
    await create_topic(kafka, "t")
    await produce(kafka, "t", b"before")
    os.kill(pid, signal.SIGKILL)  # by somebody else, as an out-of-memory killer does
    await asyncio.to_thread(eventually_sync, lambda: not kafka.alive(), 5, "the end of the broker")
    await asyncio.to_thread(kafka.start)
    assert kafka.bootstrap == bootstrap
    assert kafka.pid != pid
    await produce(kafka, "t", b"after")
    assert await consume(kafka, "t", 2) == [b"before", b"after"]


async def test_another_object_on_the_same_directory_finds_port_and_records(kafka: KafkaServer) -> None:
    await asyncio.to_thread(kafka.start)
    await create_topic(kafka, "t")
    await produce(kafka, "t", b"kept")
    port = kafka.port
    await asyncio.to_thread(kafka.stop)
    assert not kafka.alive()
    later = KafkaServer(kafka.directory)
    try:
        await asyncio.to_thread(later.start)
        assert later.port == port
        assert await consume(later, "t", 1) == [b"kept"]
    finally:
        await asyncio.to_thread(later.stop)


async def test_the_broker_takes_a_record_of_fifteen_mebibytes(kafka: KafkaServer) -> None:
    await asyncio.to_thread(kafka.start)
    await create_topic(kafka, "t")
    large = os.urandom(15 * MEBIBYTE)
    await produce(kafka, "t", large)
    assert await consume(kafka, "t", 1) == [large]


def test_redis_comes_back_on_its_port_and_with_append_only_keeps_its_data(redis_server: RedisServer) -> None:
    redis_server.start()
    url = redis_server.url
    connect(redis_server).set("key", "value")
    redis_server.kill()
    assert not redis_server.alive()
    redis_server.start()
    assert redis_server.url == url
    assert connect(redis_server).get("key") == b"value"
    redis_server.stop()
    with pytest.raises(redis.ConnectionError):
        connect(redis_server).ping()


def test_a_paused_redis_answers_nothing_until_it_is_resumed(redis_server: RedisServer) -> None:
    redis_server.start()
    redis_server.pause()
    with pytest.raises(redis.TimeoutError):
        connect(redis_server).ping()
    redis_server.resume()
    assert connect(redis_server).ping()


async def test_two_stacks_run_side_by_side_and_neither_sees_the_others_data(tmp_path: Path) -> None:
    def both() -> tuple[LocalStack, LocalStack]:
        first, second = LocalStack(tmp_path / "1"), LocalStack(tmp_path / "2")
        first.start()
        second.start()
        return first, second

    first, second = await asyncio.to_thread(both)
    try:
        assert len({first.kafka.port, second.kafka.port, first.redis.port, second.redis.port}) == 4
        await create_topic(first.kafka, "mine")
        await create_topic(second.kafka, "mine")
        await produce(first.kafka, "mine", b"1")
        await produce(second.kafka, "mine", b"2")
        assert await consume(first.kafka, "mine", 1) == [b"1"]
        assert await consume(second.kafka, "mine", 1) == [b"2"]
        connect(first.redis).set("key", "1")
        assert connect(second.redis).get("key") is None
    finally:
        await asyncio.to_thread(first.stop)
        await asyncio.to_thread(second.stop)
    assert not any(server.alive() for server in (first.kafka, first.redis, second.kafka, second.redis))


def test_a_second_stack_in_the_same_directory_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as first:
        with pytest.raises(DirectoryInUse, match=rf"process {os.getpid()}\) runs in"):
            LocalStack(tmp_path).start()
        assert connect(first.redis).ping()
        assert first.kafka.alive()


def test_a_directory_stays_claimed_while_its_server_lives_without_its_stack(redis_server: RedisServer) -> None:
    redis_server.start()
    redis_server._directory.release()  # what the end of the parent does, a moment before the server is gone as well
    with pytest.raises(DirectoryInUse):
        DataDirectory(redis_server.directory).claim()
    redis_server.kill()
    freed = DataDirectory(redis_server.directory)
    freed.claim()
    freed.release()


def test_the_servers_die_when_the_parent_is_killed_and_the_next_stack_starts_at_once(tmp_path: Path) -> None:
    program = f"""
import sys, threading, time
from pathlib import Path
from demo.stack.stack import LocalStack
stack = LocalStack(Path({str(tmp_path)!r}))
thread = threading.Thread(target=stack.start)
thread.start()
thread.join()
print(stack.kafka.pid, stack.redis.pid, stack.kafka.port, stack.redis.port, flush=True)
time.sleep(120)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        kafka_pid, redis_pid, *ports = map(int, parent.stdout.readline().split())
        assert not is_gone(kafka_pid)
        assert not is_gone(redis_pid)
    finally:
        parent.kill()
        parent.communicate()
    eventually_sync(lambda: is_gone(kafka_pid) and is_gone(redis_pid), 5, "the end of both servers")
    with LocalStack(tmp_path) as again:
        assert [again.kafka.port, again.redis.port] == ports


@pytest.mark.parametrize("make", [KafkaServer, RedisServer])
def test_a_taken_port_is_named_and_nothing_is_left_running(
    make: type[KafkaServer] | type[RedisServer], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = make(tmp_path, port)
        with pytest.raises(PortTaken, match=rf"port {port} of 127\.0\.0\.1 is taken.*give another port"):
            server.start()
        assert not server.alive()
        with pytest.raises(NotRunning):
            _ = server.pid


def test_a_remembered_port_that_is_taken_gives_way_to_a_free_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        DataDirectory(tmp_path).save_port(taken)
        server = RedisServer(tmp_path)
        server.start()
        assert server.port != taken
        server.stop()


def test_a_server_that_ends_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path, heap="plenty")
    with pytest.raises(ServerEnded, match=re.compile(r"ended at once.*-Xmxplenty", re.DOTALL)):
        server.start()
    assert not (tmp_path / "data").exists()


def test_a_broker_with_damaged_data_says_what_to_delete(kafka: KafkaServer) -> None:
    kafka.start()
    kafka.stop()
    (kafka.directory / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(ServerEnded, match=re.compile(r"damaged, delete .*broker.*node id 7", re.DOTALL)):
        kafka.start()


def test_a_start_that_takes_too_long_is_ended(redis_server: RedisServer, kafka: KafkaServer) -> None:
    with pytest.raises(StartTimeout, match=r"kafka did not answer within 0\.1 s"):
        kafka.start(timeout=0.1)
    assert not kafka.alive()
    kafka.start()  # and nothing of that is in the way of the next try
    assert kafka.alive()


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DirectoryUnusable, match="file"):
        LocalStack(tmp_path / "file").start()


def test_neither_java_nor_maven_is_needed_on_the_path(tmp_path: Path) -> None:
    prefetch()
    program = f"""
from pathlib import Path
from demo.stack.stack import LocalStack
with LocalStack(Path({str(tmp_path)!r})) as stack:
    print("both run", stack.kafka.alive() and stack.redis.alive())
"""
    environment = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "CLASSPATH")}
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**environment, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout == "both run True\n", result.stderr


def test_the_broker_logs_quietly_and_into_its_file(kafka: KafkaServer, capfd: pytest.CaptureFixture[str]) -> None:
    kafka.start()
    kafka.stop()
    lines = kafka.log.read_text().splitlines()
    assert 1 <= len(lines) <= 20
    assert not any(" INFO " in line for line in lines)
    assert capfd.readouterr() == ("", "")
