"""Servers as containers, through testcontainers.

Only documented features of the public images are used. Each server gets a host port that is chosen before the start:
Kafka has to advertise it, and a port picked by Docker would change at every restart.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import redis
from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from demo.stack.ports import choose_port
from tests.servers.verbs import NoServers
from tests.waiting import PATIENCE

KAFKA_IMAGE = "apache/kafka:4.1.0"
REDIS_IMAGE = "redis:7.4-alpine"
_START_LIMIT_SECONDS = 60 * PATIENCE
_BROKER_STARTED = b"Kafka Server started"


class _Container:
    """The verbs for one container whose port `inner` is published at 127.0.0.1:`port`."""

    def __init__(self, image: str, inner: int) -> None:
        self.port = choose_port(random.SystemRandom())
        self._container = DockerContainer(image)
        self._container.ports[f"{inner}/tcp"] = ("127.0.0.1", self.port)
        self._created = False

    def start(self) -> None:
        answers = self._readiness()
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True
        self._wait(answers)

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=20)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def pause(self) -> None:
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        self._container.get_wrapped_container().unpause()

    def remove(self) -> None:
        self._container.stop(force=True, delete_volume=True)

    def _readiness(self) -> Callable[[], bool]:
        """Called just before each start; the result says whether the server of this start answers."""
        raise NotImplementedError

    def _wait(self, answers: Callable[[], bool]) -> None:
        container, deadline = self._container.get_wrapped_container(), time.monotonic() + _START_LIMIT_SECONDS
        while not answers():
            container.reload()
            if container.status == "exited":
                raise NoServers(f"{self._container.image} ended at its start:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise NoServers(f"{self._container.image}: no answer in {_START_LIMIT_SECONDS} s:\n{self._tail()}")
            time.sleep(0.1)

    def _tail(self) -> str:
        return self._container.get_wrapped_container().logs(tail=30).decode()


class KafkaContainer(_Container):
    """One combined KRaft node of the official image. session_seconds: see verbs.Source."""

    def __init__(self, session_seconds: float) -> None:
        super().__init__(KAFKA_IMAGE, 9092)
        self._container.with_envs(
            # as soon as one KAFKA_ setting is given the image's own defaults are off: all that is needed stands here
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS="PLAINTEXT://:9092,INTERNAL://:9094,CONTROLLER://:9093",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://127.0.0.1:{self.port},INTERNAL://127.0.0.1:9094",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            # a transaction's markers are sent from the broker to itself, and the host's port is not open inside
            KAFKA_INTER_BROKER_LISTENER_NAME="INTERNAL",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_LOG_DIRS="/var/lib/kafka/data",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_MESSAGE_MAX_BYTES="16777216",
            KAFKA_REPLICA_FETCH_MAX_BYTES="16777216",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="4",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS="4",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_BROKER_SESSION_TIMEOUT_MS=str(round(session_seconds * 1000)),
            KAFKA_BROKER_HEARTBEAT_INTERVAL_MS="500",
            KAFKA_HEAP_OPTS="-Xms256m -Xmx512m",
            # most brokers of the suite live for seconds: what is compiled once more for speed costs more than it brings
            KAFKA_JVM_PERFORMANCE_OPTS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        )

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _readiness(self) -> Callable[[], bool]:
        before = self._starts() if self._created else 0
        return lambda: self._starts() > before

    def _starts(self) -> int:
        """The log holds every start of this container. (The port is no sign: Docker's proxy accepts at once.)"""
        return self._container.get_wrapped_container().logs().count(_BROKER_STARTED)


class RedisContainer(_Container):
    """Redis without persistence, as a cache runs."""

    def __init__(self) -> None:
        super().__init__(REDIS_IMAGE, 6379)
        self._container.with_command('redis-server --save "" --appendonly no')

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _readiness(self) -> Callable[[], bool]:
        return self._answers

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


Server = TypeVar("Server", bound=_Container)


class DockerSource:
    """Containers of the Docker engine that answers. `reaper` says whether testcontainers' clean-up image is at hand."""

    name = "testcontainers"

    def __init__(self, reaper: bool) -> None:
        testcontainers_config.ryuk_disabled = not reaper

    @contextmanager
    def kafka(self, session_seconds: float) -> Iterator[KafkaContainer]:
        yield from _running(KafkaContainer(session_seconds))

    @contextmanager
    def redis(self) -> Iterator[RedisContainer]:
        yield from _running(RedisContainer())


def _running(server: Server) -> Iterator[Server]:
    try:
        try:
            server.start()
        except DockerException as error:
            raise NoServers(f"a container does not start: {error}") from error
        yield server
    finally:
        server.remove()
