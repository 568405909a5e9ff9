"""Topics: making them and asking the broker about them. topic_layout.py says which there must be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, NodeNotReadyError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from contracts.topics import PREDICTIONS
from stream_app.errors import BrokerError
from stream_app.readiness import Seldom, Waiting, in_the_middle
from stream_app.settings import StreamSettings
from stream_app.topic_layout import Process, Wanted, faults, not_applied, used, wanted

_VISIBLE_TRIES, _VISIBLE_PAUSE = 100, 0.1
_ANSWER_SECONDS = 10.0
"""Of one try to reach a broker; aiokafka's own limit is 40 s, in which nobody would hear what is wrong."""
_SAY_SECONDS = 1.5
"""Without an answer after this it is said what is waited for, though the first try goes on."""
_KNOWN_TRIES, _KNOWN_PAUSE = 100, 0.1
_TURN_SECONDS = 0.1
"""By which the time for an answer is counted."""


class Outcome(msgspec.Struct, frozen=True):
    """What `create` found or did about one topic. detail: what does not fit or was not done, and what to do."""

    name: str
    partitions: int
    state: Literal["created", "exists", "mismatched"]
    detail: str = ""


class Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    """An admin client. waiting: how long a broker that answers and is not ready is waited for. trouble: why nothing can
    come of Kafka now, None while something can; kept by interactive.py.
    """

    def __init__(self, settings: StreamSettings, waiting: Waiting) -> None:
        super().__init__(bootstrap_servers=settings.bootstrap, client_id=f"{settings.group}-admin")
        self.waiting = waiting
        self.trouble: str | None = None
        self._address, self._met = settings.bootstrap, False

    async def look(self, seconds: float) -> str | None:
        """Ask every broker that it knows a small question. What is wrong where none answers it well within so long."""
        brokers = self._client.cluster.brokers()
        answers = await _within(seconds, [self._names_brokers(broker.nodeId) for broker in brokers])
        self._met = self._met or any(answer is not None for answer in answers)
        if any(answers):
            return None
        if False in answers:
            return f"Kafka at {self._address} is not ready: it names no broker that is ready"
        named = [f"{broker.host}:{broker.port}" for broker in brokers]
        if self._met or set(named) <= set(self._address.split(",")):
            return f"no Kafka answers at {self._address}"
        return (
            f"Kafka at {self._address} names {', '.join(named)} as its broker, where nobody answers: see its "
            "advertised.listeners"
        )

    async def _names_brokers(self, node: int) -> bool | None:
        """None: no answer."""
        try:
            return bool((await self._client.send(node, MetadataRequest([]))).brokers)
        except (KafkaError, TimeoutError):
            return None

    async def controller_known(self) -> None:
        """Raises NodeNotReadyError. Without a controller, as long as every broker is fenced, aiokafka's own requests
        end with an AttributeError.
        """
        if self._client.cluster.controller is None and not (
            await self._client.force_metadata_update() and self._client.cluster.controller
        ):
            raise NodeNotReadyError("it names no broker that is ready")


async def _within(seconds: float, questions: Sequence[Coroutine[Any, Any, bool | None]]) -> list[bool | None]:
    """The answers; None for what has none within so long. The seconds are those in which the event loop was free: one
    that counts a million records, or writes to a slow pipe, would find an answer too late that came in time.
    """
    asked = [asyncio.create_task(question) for question in questions]
    try:
        for _ in range(round(seconds / _TURN_SECONDS)):
            if all(task.done() for task in asked):
                break
            await asyncio.wait(asked, timeout=_TURN_SECONDS)
        return [task.result() if task.done() else None for task in asked]
    finally:
        for task in asked:
            task.cancel()


@asynccontextmanager
async def connected(
    settings: StreamSettings, say: Callable[[str], None], patience: float | None = None
) -> AsyncIterator[Admin]:
    """An admin client, waited for while no broker answers or none is ready. Raises BrokerError after
    broker_wait_seconds.

    patience: seconds to wait instead, for somebody who looks on.
    """
    loop, nobody = asyncio.get_running_loop(), f"no Kafka answers at {settings.bootstrap}"
    wait = settings.broker_wait_seconds if patience is None else patience
    deadline, pause = loop.time() + wait, 0.5
    waiting, told = Waiting(settings.bootstrap, wait, say, looked_on=patience is not None), Seldom(say)

    def tell() -> None:
        first = f"{nobody}: start it, or correct STREAM_BOOTSTRAP; {waiting.trying}"
        told(first, f"{nobody} yet: {max(0.0, deadline - loop.time()):.0f} s left")

    # said in good time even where the first try itself takes all the time that there is: an address that swallows it
    telling = loop.call_later(_SAY_SECONDS, tell)
    try:
        while True:
            admin = Admin(settings, waiting)
            try:
                async with asyncio.timeout(min(_ANSWER_SECONDS, max(1.0, deadline - loop.time()))):
                    await admin.start()
                break
            except (KafkaError, OSError) as error:  # TimeoutError is one: something listens there and does not answer
                await admin.close()
                if loop.time() + pause > deadline:
                    raise BrokerError(f"{nobody} for {wait:g} s: start it, or correct STREAM_BOOTSTRAP") from error
                tell()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0 if patience is None else 1.0)
            except BaseException:
                await admin.close()
                raise
    finally:
        telling.cancel()
    try:
        await waiting.until_ready(admin.controller_known)
        yield admin
    except KafkaError as error:
        raise in_the_middle(settings.bootstrap, error) from error
    finally:
        await admin.close()


async def partitions(admin: Admin) -> dict[str, int]:
    """Number of partitions of every topic. (Asking for all creates none, where the broker creates on demand.)"""
    topics = await admin.waiting.until_ready(admin.describe_topics)
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}


async def create(admin: Admin, settings: StreamSettings, predictions: int | None = None) -> list[Outcome]:
    """Create what is missing; existing topics are compared, not changed. Raises BrokerError when Kafka refuses one.

    predictions: wish for the partitions of that topic.
    """
    existing = await partitions(admin)
    outcomes = []
    for topic in wanted(settings, existing, predictions):
        if topic.name not in existing:
            if await admin.waiting.until_ready(partial(_create, admin, topic, settings.replication)):
                outcomes.append(Outcome(topic.name, topic.partitions, "created"))
                continue
            existing = await _once_known(admin, topic.name)  # somebody else was faster
        (config,) = (await _configs(admin, [topic.name])).values()
        count, copies = existing[topic.name], await _copies(admin, topic.name)
        wish = predictions if topic.name == settings.topic(PREDICTIONS) else None
        wrong = faults(topic, count, copies, config, settings.bootstrap)
        outcomes.append(_compared(topic, count, wrong, wish))
    await _until_visible(admin, {outcome.name for outcome in outcomes})
    return outcomes


async def _until_visible(admin: Admin, names: set[str]) -> None:
    """A broker learns of a new topic a moment after it was created: a worker started at once would miss it."""
    for _ in range(_VISIBLE_TRIES):
        if names <= (await partitions(admin)).keys():
            return
        await asyncio.sleep(_VISIBLE_PAUSE)
    raise BrokerError("the topics are created, but the broker does not show all of them yet: try again")


async def _once_known(admin: Admin, name: str) -> dict[str, int]:
    """Number of partitions of every topic, when this one is among them. Just created, it may not be for a moment."""
    for _ in range(_KNOWN_TRIES):
        if name in (existing := await partitions(admin)):
            return existing
        await asyncio.sleep(_KNOWN_PAUSE)
    raise BrokerError(f"Kafka says that topic {name} exists, and does not show it: wait a moment and try again")


async def _create(admin: Admin, topic: Wanted, replication: int) -> bool:
    await admin.controller_known()
    answer = await admin.create_topics(
        [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config)], timeout_ms=15_000
    )
    for name, code, message in answer.topic_errors:  # aiokafka raises nothing: errors are in the answer
        if code == TopicAlreadyExistsError.errno:
            return False
        if code != 0:
            why = for_code(code)
            raise BrokerError(f"Kafka does not create topic {name}: {message or why.__name__}") from why(message)
    return True


async def _copies(admin: Admin, name: str) -> int:
    """Of the partition that has the fewest."""
    (topic,) = await admin.waiting.until_ready(partial(admin.describe_topics, [name]))
    return min(len(partition["replicas"]) for partition in topic["partitions"])


def _compared(topic: Wanted, count: int, wrong: list[str], wish: int | None) -> Outcome:
    notes = [] if wish is None or wish == count else [not_applied(count, wish)]
    return Outcome(topic.name, count, "mismatched" if wrong else "exists", "; ".join(wrong + notes))


async def used_configs(
    admin: Admin, settings: StreamSettings, process: Process = "worker"
) -> dict[str, dict[str, str]]:
    """The settings of the topics that a process needs, by full name. Raises BrokerError when Kafka does not tell."""
    return await _configs(admin, used(settings, process))


async def _configs(admin: Admin, names: Sequence[str]) -> dict[str, dict[str, str]]:
    return await admin.waiting.until_ready(partial(_described, admin, names))


async def _described(admin: Admin, names: Sequence[str]) -> dict[str, dict[str, str]]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:  # as ever, aiokafka raises nothing
            if code != 0:
                why = for_code(code)
                raise BrokerError(
                    f"Kafka does not tell the settings of topic {name} ({message or why.__name__}): allow "
                    "DescribeConfigs on it"
                ) from why(message)
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
