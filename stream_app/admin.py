"""Topics: what must be there, creating it, and checking it before a worker starts.

A Faust app whose source topic is missing idles without an error, and one whose state topic has another number of
partitions than its source acknowledges every batch and counts none. A topic of another kind works for days, until its
retention deletes state, or a producer's clock decides what is late. All of it is found here, before the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import BASELINES, DEAD_LETTERS, DRIFT_ALERTS, DRIFT_REPORTS, PREDICTIONS, TOPICS, WINDOW_PARTIALS
from stream_app.errors import BrokerError, TopicsError
from stream_app.settings import StreamSettings

_MINUTE_MS, _MIB = 60_000, 1 << 20
_VISIBLE_TRIES, _VISIBLE_PAUSE = 100, 0.1
_STATE_CONFIG = {
    "cleanup.policy": "compact",
    # A recovery reads the whole topic, so old values should go soon ...
    "segment.bytes": str(16 * _MIB),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(15 * _MINUTE_MS),
    # ... but not at once: while both are there, the late write of a former owner loses against the younger value.
    "min.compaction.lag.ms": str(5 * _MINUTE_MS),
    "max.message.bytes": str(8 * _MIB),
}
_KNOWN_TRIES, _KNOWN_PAUSE = 100, 0.1
# What changes the meaning of a topic's records, and what happens otherwise; other settings are the operator's to tune.
_MATTERS = {
    "cleanup.policy": "retention would delete what is still needed",
    "message.timestamp.type": "producers' clocks would decide what is too old and what is ahead of its time",
}
_USED = (PREDICTIONS, WINDOW_PARTIALS, BASELINES, DRIFT_REPORTS, DRIFT_ALERTS, DEAD_LETTERS)


class Wanted(msgspec.Struct, frozen=True):
    """A topic as it must be, with its full name."""

    name: str
    partitions: int
    config: dict[str, str]


class Outcome(msgspec.Struct, frozen=True):
    """What `create` found or did about one topic. detail: what does not fit, and what to do."""

    name: str
    partitions: int
    state: Literal["created", "exists", "mismatched"]
    detail: str = ""


class Layout(msgspec.Struct, frozen=True):
    """Partitions of the topics that a worker reads or writes by partition."""

    predictions: int
    partials: int


def wanted(settings: StreamSettings, existing: Mapping[str, int], predictions: int | None = None) -> list[Wanted]:
    """Every topic of Tidemark and the two state topics, which have as many partitions as what they are the state of.

    existing: partitions by full name; an existing topic may have another number than ours. predictions: wish for the
    topic of that name, where it does not exist yet.
    """
    wish = {settings.topic(topic): topic.partitions for topic in TOPICS}
    wish[settings.topic(PREDICTIONS)] = predictions or PREDICTIONS.partitions
    count = {name: existing.get(name, partitions) for name, partitions in wish.items()}
    return [
        *(Wanted(name, count[name], topic.broker_config()) for name, topic in zip(count, TOPICS, strict=True)),
        Wanted(settings.counts_topic, count[settings.topic(PREDICTIONS)], _STATE_CONFIG),
        Wanted(settings.windows_topic, count[settings.topic(WINDOW_PARTIALS)], _STATE_CONFIG),
    ]


def check(settings: StreamSettings, existing: Mapping[str, int]) -> Layout:
    """Whether a worker may start. Raises TopicsError, one line that says what to do."""
    if missing := [name for name in _used(settings) if name not in existing]:
        raise TopicsError(f"missing topics: {', '.join(missing)}; create them with `python -m stream_app topics`")
    layout = Layout(existing[settings.topic(PREDICTIONS)], existing[settings.topic(WINDOW_PARTIALS)])
    pairs = ((PREDICTIONS, settings.counts_topic), (WINDOW_PARTIALS, settings.windows_topic))
    for source, state in pairs:
        if existing[state] != existing[settings.topic(source)]:
            raise TopicsError(
                f"topic {state} has {existing[state]} partitions, {settings.topic(source)} has "
                f"{existing[settings.topic(source)]}: choose another STREAM_APP_ID, which gives new state topics, and "
                "create them with `python -m stream_app topics`"
            )
    return layout


def check_kinds(settings: StreamSettings, configs: Mapping[str, Mapping[str, str]]) -> None:
    """Whether the topics mean what a worker takes them for. configs: the settings of each topic, by full name.

    Raises TopicsError, one line that says what to do.
    """
    for topic in wanted(settings, {}):
        for key, is_, must in _differing(topic, configs.get(topic.name, topic.config)):
            raise TopicsError(
                f"topic {topic.name} has {key}={is_}, and must have {must}, or {_MATTERS[key]}: `kafka-configs.sh "
                f"--bootstrap-server {settings.bootstrap} --alter --topic {topic.name} --add-config {key}={must}`"
            )


def _used(settings: StreamSettings) -> list[str]:
    """Full names of the topics that a worker needs."""
    return [*(settings.topic(topic) for topic in _USED), settings.counts_topic, settings.windows_topic]


def _differing(topic: Wanted, config: Mapping[str, str]) -> list[tuple[str, str | None, str]]:
    """(setting, as it is, as it must be) of what matters and is wrong."""
    asked = [(key, config.get(key), topic.config[key]) for key in _MATTERS if key in topic.config]
    return [(key, is_, must) for key, is_, must in asked if is_ != must]


@asynccontextmanager
async def connected(settings: StreamSettings, say: Callable[[str], None]) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client, waited for while the broker does not answer. Raises BrokerError after broker_wait_seconds."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + settings.broker_wait_seconds, 0.5
    while True:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap, client_id=f"{settings.group}-admin")
        try:
            await admin.start()
            break
        except (KafkaError, OSError) as error:
            await admin.close()
            if loop.time() + pause > deadline:
                raise BrokerError(
                    f"no Kafka answers at {settings.bootstrap} for {settings.broker_wait_seconds:g} s: start it, or "
                    "correct STREAM_BOOTSTRAP"
                ) from error
            say(f"no Kafka answers at {settings.bootstrap} yet, next try in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
    try:
        yield admin
    except KafkaError as error:
        raise BrokerError(f"Kafka at {settings.bootstrap}: {error}") from error
    finally:
        await admin.close()


async def partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Number of partitions of every topic. (Asking for all creates none, where the broker creates on demand.)"""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def create(admin: AIOKafkaAdminClient, settings: StreamSettings, predictions: int | None = None) -> list[Outcome]:
    """Create what is missing; existing topics are compared, not changed. Raises BrokerError when Kafka refuses one."""
    existing = await partitions(admin)
    outcomes = []
    for topic in wanted(settings, existing, predictions):
        if topic.name not in existing:
            if await _create(admin, topic, settings.replication):
                outcomes.append(Outcome(topic.name, topic.partitions, "created"))
                continue
            existing = await _once_known(admin, topic.name)  # somebody else was faster
        (config,) = (await _configs(admin, [topic.name])).values()
        outcomes.append(_compared(topic, existing[topic.name], config))
    await _until_visible(admin, {outcome.name for outcome in outcomes})
    return outcomes


async def _until_visible(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """A broker learns of a new topic a moment after it was created: a worker started at once would miss it."""
    for _ in range(_VISIBLE_TRIES):
        if names <= (await partitions(admin)).keys():
            return
        await asyncio.sleep(_VISIBLE_PAUSE)
    raise BrokerError("the topics are created, but the broker does not show all of them yet: try again")


async def _once_known(admin: AIOKafkaAdminClient, name: str) -> dict[str, int]:
    """Number of partitions of every topic, when this one is among them. Just created, it may not be for a moment."""
    for _ in range(_KNOWN_TRIES):
        if name in (existing := await partitions(admin)):
            return existing
        await asyncio.sleep(_KNOWN_PAUSE)
    raise BrokerError(f"Kafka says that topic {name} exists, and does not show it: wait a moment and try again")


async def _create(admin: AIOKafkaAdminClient, topic: Wanted, replication: int) -> bool:
    answer = await admin.create_topics(
        [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config)], timeout_ms=15_000
    )
    for name, code, message in answer.topic_errors:  # aiokafka raises nothing: errors are in the answer
        if code == TopicAlreadyExistsError.errno:
            return False
        if code != 0:
            raise BrokerError(f"Kafka does not create topic {name}: {message or for_code(code).__name__}")
    return True


def _compared(topic: Wanted, count: int, config: Mapping[str, str]) -> Outcome:
    faults = [] if count == topic.partitions else [f"{count} partitions, {topic.partitions} wanted"]
    faults += [f"{key}={is_}, {must} wanted" for key, is_, must in _differing(topic, config)]
    return Outcome(topic.name, count, "mismatched" if faults else "exists", "; ".join(faults))


async def used_configs(admin: AIOKafkaAdminClient, settings: StreamSettings) -> dict[str, dict[str, str]]:
    """The settings of the topics that a worker needs, by full name. Raises BrokerError when Kafka does not tell."""
    return await _configs(admin, _used(settings))


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found = {}
    for answer in answers:
        for code, message, _, name, entries in answer.resources:  # as ever, aiokafka raises nothing
            if code != 0:
                raise BrokerError(
                    f"Kafka does not tell the settings of topic {name} ({message or for_code(code).__name__}): allow "
                    "DescribeConfigs on it"
                )
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
