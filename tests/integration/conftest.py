"""Real Kafka and Redis for the integration tests, and names that keep the tests apart on the shared ones.

`kafka` and `redis_server` are shared by the whole run: a test on them takes its own `namespace` and never stops them.
A test that stops, kills or freezes a server takes its own from `own_kafka()` or `own_redis()`.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.servers.choice import NoServers, chosen
from tests.servers.verbs import Broker, RedisLike, Source


def pytest_report_collectionfinish(items: list[pytest.Item]) -> str | list[str]:
    """Name the servers, where the run has a test that can need them."""
    if any({"servers", "kafka", "redis_server"} & set(getattr(item, "fixturenames", ())) for item in items):
        return f"integration servers: {chosen().line}"
    return []


@pytest.fixture(scope="session")
def servers() -> Source:
    try:
        return chosen().require()
    except NoServers as error:
        pytest.fail(f"integration servers: {error}", pytrace=False)


@pytest.fixture(scope="session")
def kafka(servers: Source) -> Iterator[Broker]:
    """The shared broker. Automatic creation of topics is off: see `fresh_topic`."""
    with servers.kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def redis_server(servers: Source) -> Iterator[RedisLike]:
    """The shared Redis; keep to keys that begin with your `namespace`."""
    with servers.redis() as server:
        yield server


@pytest.fixture
def own_kafka(servers: Source) -> Iterator[Callable[[], Broker]]:
    """Call it for a started broker that this test may stop, kill and freeze."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(servers.kafka())


@pytest.fixture
def own_redis(servers: Source) -> Iterator[Callable[[], RedisLike]]:
    """Call it for a started Redis that this test may stop, kill and freeze."""
    with ExitStack() as stack:
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
            await admin.create_topics([NewTopic(full, partitions, 1, topic_configs=settings)])
        finally:
            await admin.close()
        return full

    return create
