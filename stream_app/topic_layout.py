"""Which topics there must be, and what is wrong with those there are. Pure: asking the broker is admin.py's.

A Faust app whose source topic is missing idles without an error, and one whose state topic has another number of
partitions than its source acknowledges every batch and counts none. A topic of another kind works for days, until its
retention deletes state, or a producer's clock decides what is late. All of it is found here, before the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from contracts.topics import (
    ALERT_MUTES,
    BASELINES,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    DRIFT_REPORTS,
    LABEL_PARTIALS,
    LABELS,
    PERFORMANCE,
    PREDICTIONS,
    TOPICS,
    WINDOW_PARTIALS,
    Topic,
)
from stream_app.errors import TopicsError
from stream_app.settings import StreamSettings

_MINUTE_MS, _MIB = 60_000, 1 << 20
_STATE_CONFIG = {
    "cleanup.policy": "compact",
    # A recovery reads the whole topic, so old values should go soon ...
    "segment.bytes": str(16 * _MIB),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(5 * _MINUTE_MS),
    # ... but not at once: while both are there, the late write of a former owner loses against the younger value, and
    # the owner has the time to write that again, behind it (delivery/tables.py).
    "min.compaction.lag.ms": str(2 * _MINUTE_MS),
    "max.message.bytes": str(8 * _MIB),
}
# What changes the meaning of a topic's records, and what happens otherwise; other settings are the operator's to tune.
_MATTERS = {
    "cleanup.policy": "retention would delete what is still needed",
    "message.timestamp.type": "producers' clocks would decide what is too old and what is ahead of its time",
}
_LARGEST = "max.message.bytes"
_IN_SYNC, _IN_SYNC_OF, _IN_SYNC_LEAST = "min.insync.replicas", 3, 2
"""A topic with so many copies acknowledges what so many of them have. Kafka's own default is 1: a follower that lags
leaves the in-sync set, and what the leader alone has acknowledged is lost with it. Of two copies both would be needed.
"""
OTHER_STATE = (
    "choose another STREAM_APP_ID, which gives new state topics, and create them with `python -m stream_app topics`"
)
"""What mends a state topic whose partitions are too few: more of them would not move the keys that are there."""
Process = Literal["worker", "performance"]
_COUNTED: dict[Process, tuple[Topic, Topic]] = {
    "worker": (PREDICTIONS, WINDOW_PARTIALS),
    "performance": (LABELS, LABEL_PARTIALS),
}
_USED: dict[Process, tuple[Topic, ...]] = {
    "worker": (BASELINES, DRIFT_REPORTS, DRIFT_ALERTS, ALERT_MUTES, DEAD_LETTERS),
    "performance": (BASELINES, DRIFT_REPORTS, PERFORMANCE, DRIFT_ALERTS, ALERT_MUTES, DEAD_LETTERS),
}


class Wanted(msgspec.Struct, frozen=True):
    """A topic as it must be, with its full name."""

    name: str
    partitions: int
    config: dict[str, str]


class Layout(msgspec.Struct, frozen=True):
    """Partitions of the topics that a process reads by partition: what it counts, and the partials of that."""

    source: int
    partials: int


def wanted(settings: StreamSettings, existing: Mapping[str, int], predictions: int | None = None) -> list[Wanted]:
    """Every topic of Tidemark and the state topics, which have as many partitions as what they are the state of.

    existing: partitions by full name; an existing topic may have another number than ours. predictions: wish for the
    topic of that name, where it does not exist yet.
    """
    wish = {settings.topic(topic): topic.partitions for topic in TOPICS}
    wish[settings.topic(PREDICTIONS)] = predictions or PREDICTIONS.partitions
    count = {name: existing.get(name, partitions) for name, partitions in wish.items()}
    safe = {_IN_SYNC: str(_IN_SYNC_LEAST)} if settings.replication >= _IN_SYNC_OF else {}
    return [
        *(Wanted(name, count[name], topic.broker_config() | safe) for name, topic in zip(count, TOPICS, strict=True)),
        *(
            Wanted(state, count[settings.topic(source)], _STATE_CONFIG | safe)
            for process in _COUNTED
            for source, state in _states(settings, process)
        ),
    ]


def not_applied(count: int, wish: int) -> str:
    """Why a wish for partitions leaves a topic alone that has so many, and what to do.

    >>> print(not_applied(8, 12))
    --partitions 12 is not applied: more of them need new state topics, see "More partitions" in docs/scaling.md
    """
    if wish > count:
        why = 'more of them need new state topics, see "More partitions" in docs/scaling.md'
    else:
        why = "Kafka takes no partitions away; a topic under another STREAM_TOPIC_PREFIX can have fewer"
    return f"--partitions {wish} is not applied: {why}"


def check_layout(settings: StreamSettings, existing: Mapping[str, int], process: Process = "worker") -> Layout:
    """Whether a process may start. Raises TopicsError, one line that says what to do."""
    if missing := [name for name in used(settings, process) if name not in existing]:
        raise TopicsError(
            f"missing topics: {', '.join(missing)}; create them with `python -m stream_app topics`, or correct "
            "STREAM_TOPIC_PREFIX and STREAM_APP_ID"
        )
    for source, state in _states(settings, process):
        if existing[state] != existing[settings.topic(source)]:
            raise TopicsError(
                f"topic {state} has {existing[state]} partitions, {settings.topic(source)} has "
                f"{existing[settings.topic(source)]}: {OTHER_STATE}"
            )
    return Layout(*(existing[settings.topic(topic)] for topic in _COUNTED[process]))


def check_kinds(settings: StreamSettings, configs: Mapping[str, Mapping[str, str]]) -> None:
    """Whether the topics mean what a worker takes them for. configs: the settings of each topic, by full name.

    Raises TopicsError, one line that says what to do.
    """
    for topic in wanted(settings, {}):
        for key, is_, must in differing(topic, configs.get(topic.name, topic.config)):
            raise TopicsError(
                f"topic {topic.name} has {key}={is_}, and must have {must}, or {_MATTERS[key]}: "
                f"{_alter(topic, settings.bootstrap, key, must)}"
            )


def used(settings: StreamSettings, process: Process = "worker") -> list[str]:
    """Full names of the topics that a process needs."""
    topics = (*_COUNTED[process], *_USED[process])
    return [*(settings.topic(topic) for topic in topics), *(state for _, state in _states(settings, process))]


def _states(settings: StreamSettings, process: Process) -> list[tuple[Topic, str]]:
    """What is counted, and the topic that its state is in."""
    names = {
        "worker": (settings.counts_topic, settings.windows_topic),
        "performance": (settings.labels_topic, settings.revisions_topic),
    }
    return list(zip(_COUNTED[process], names[process], strict=True))


def differing(topic: Wanted, config: Mapping[str, str]) -> list[tuple[str, str | None, str]]:
    """(setting, as it is, as it must be) of what matters and is wrong."""
    asked = [(key, config.get(key), topic.config[key]) for key in _MATTERS if key in topic.config]
    return [(key, is_, must) for key, is_, must in asked if is_ != must]


def too_small(topic: Wanted, config: Mapping[str, str]) -> str | None:
    """The largest record that the topic takes, where ours may be larger: what an older version made, for example.

    A worker starts all the same: most records are small, and one that is refused says so.
    """
    is_, must = config.get(_LARGEST), topic.config.get(_LARGEST)
    return is_ if is_ is not None and must is not None and int(is_) < int(must) else None


def told_to_be_larger(topic: Wanted, bootstrap: str) -> str:
    """The command that mends it."""
    return _alter(topic, bootstrap, _LARGEST, topic.config[_LARGEST])


def on_one_disk(copies: int, config: Mapping[str, str]) -> bool:
    """Whether the topic may acknowledge what one broker alone has, though it has copies enough to ask for two."""
    return copies >= _IN_SYNC_OF and int(config.get(_IN_SYNC, _IN_SYNC_LEAST)) < _IN_SYNC_LEAST


def faults(topic: Wanted, count: int, copies: int, config: Mapping[str, str], bootstrap: str) -> list[str]:
    """What is wrong with a topic that is there, each with what mends it. count: its partitions; only those of a state
    topic can be wrong. copies: of its partition that has the fewest.
    """
    found = [] if count == topic.partitions else [f"{count} partitions, {topic.partitions} wanted: {OTHER_STATE}"]
    for key, is_, must in differing(topic, config):
        found.append(f"{key}={is_}, {must} wanted, or {_MATTERS[key]}: {_alter(topic, bootstrap, key, must)}")
    if (largest := too_small(topic, config)) is not None:
        found.append(f"{_LARGEST}={largest} is too small for large records: {told_to_be_larger(topic, bootstrap)}")
    if on_one_disk(copies, config):
        found.append(
            f"{_IN_SYNC}={config[_IN_SYNC]}, {_IN_SYNC_LEAST} wanted for {copies} copies, or what is acknowledged may "
            f"be lost with one broker: {_alter(topic, bootstrap, _IN_SYNC, str(_IN_SYNC_LEAST))}"
        )
    return found


def _alter(topic: Wanted, bootstrap: str, key: str, value: str) -> str:
    """The command that sets what must be."""
    return f"`kafka-configs.sh --bootstrap-server {bootstrap} --alter --topic {topic.name} --add-config {key}={value}`"
