"""Real Kafka and Redis for the integration tests, and names that keep the tests apart on the shared ones.

`kafka` and `redis_server` are shared by the whole run: a test on them takes its own `namespace` and never stops them.
A test that stops, kills or freezes a server takes its own from `own_kafka()` or `own_redis()`.
"""

import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from demo.stack.processes import ServiceProcess
from tests.servers.choice import chosen
from tests.servers.verbs import KILLED_SESSION_SECONDS, LASTING_SESSION_SECONDS, Broker, NoServers, RedisLike, Source

_REPOSITORY = Path(__file__).parents[2]


def pytest_report_collectionfinish(items: list[pytest.Item]) -> str | list[str]:
    """Name the servers, where the run has a test that can need them."""
    if any({"servers", "kafka", "redis_server"} & set(getattr(item, "fixturenames", ())) for item in items):
        return f"integration servers: {chosen().line}"
    return []


@contextmanager
def _or_fail() -> Iterator[None]:
    """A missing server fails the tests, in one sentence; it never skips them."""
    try:
        yield
    except NoServers as error:
        raise pytest.fail.Exception(f"integration servers: {error}", pytrace=False) from None


@pytest.fixture(scope="session")
def servers() -> Source:
    with _or_fail():
        return chosen().require()


@pytest.fixture(scope="session")
def kafka(servers: Source) -> Iterator[Broker]:
    """The shared broker. Automatic creation of topics is off: see `fresh_topic`."""
    with _or_fail(), servers.kafka(LASTING_SESSION_SECONDS) as broker:
        yield broker


@pytest.fixture(scope="session")
def redis_server(servers: Source) -> Iterator[RedisLike]:
    """The shared Redis; keep to keys that begin with your `namespace`."""
    with _or_fail(), servers.redis() as server:
        yield server


@pytest.fixture
def own_kafka(servers: Source) -> Iterator[Callable[[], Broker]]:
    """Call it for a started broker that this test may stop, kill and freeze."""
    with _or_fail(), ExitStack() as stack:
        yield lambda: stack.enter_context(servers.kafka(KILLED_SESSION_SECONDS))


@pytest.fixture
def own_redis(servers: Source) -> Iterator[Callable[[], RedisLike]]:
    """Call it for a started Redis that this test may stop, kill and freeze."""
    with _or_fail(), ExitStack() as stack:
        yield lambda: stack.enter_context(servers.redis())


@pytest.fixture
def namespace() -> str:
    """A prefix that no other test has, such as ``t3f2a91.``: for API_TOPIC_PREFIX and the like, and for Redis keys."""
    return f"t{secrets.token_hex(3)}."


@pytest.fixture
def fresh_topic(kafka: Broker, namespace: str) -> Callable[..., Awaitable[str]]:
    """``await fresh_topic("numbers", partitions=4)`` creates it in this test's namespace; returns the name."""

    async def create(name: str = "topic", partitions: int = 1, **config: str) -> str:
        """config: topic settings, with "_" for "." (``cleanup_policy="compact"``)."""
        full = f"{namespace}{name}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(full, partitions, 1, topic_configs=settings)])
        finally:
            await admin.close()
        assert all(code == 0 for _, code, _ in answer.topic_errors), answer.topic_errors  # aiokafka raises nothing
        return full

    return create


@pytest.fixture
def run_service(tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    """``run_service("worker-1", "stream_app", "worker", STREAM_X=...)`` starts ``python -m stream_app worker``.

    Settings are added to the environment. Kill, pause and start it again with the verbs of ServiceProcess. What still
    runs after the test is ended; pytest shows the ends of the logs under a failed test.
    """
    started: list[ServiceProcess] = []

    def run(name: str, *arguments: str, **settings: str) -> ServiceProcess:
        command = [sys.executable, "-m", *arguments]
        process = ServiceProcess(name, command, tmp_path / f"{name}.log", env=settings, cwd=_REPOSITORY)
        process.start()
        started.append(process)
        return process

    yield run
    for process in reversed(started):
        process.terminate()
    for process in started:
        print(f"--- the end of {process.log} (exit status {process.returncode})", *process.tail(40), sep="\n")
