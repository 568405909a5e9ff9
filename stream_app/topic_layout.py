"""Which topics there must be, and what is wrong with those there are. Pure: asking the broker is admin.py's.

A Faust app whose source topic is missing idles without an error, and one whose state topic has another number of
partitions than its source acknowledges every batch and counts none. A topic of another kind works for days, until its
retention deletes state, or a producer's clock decides what is late. All of it is found here, before the start.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.topics import (
    ALERT_MUTES,
    BASELINES,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    DRIFT_REPORTS,
    PREDICTIONS,
    TOPICS,
    WINDOW_PARTIALS,
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
    # ... but not at once: while both are there, the late write of a former owner loses against the younger value.
    "min.compaction.lag.ms": str(2 * _MINUTE_MS),
    "max.message.bytes": str(8 * _MIB),
}
# What changes the meaning of a topic's records, and what happens otherwise; other settings are the operator's to tune.
_MATTERS = {
    "cleanup.policy": "retention would delete what is still needed",
    "message.timestamp.type": "producers' clocks would decide what is too old and what is ahead of its time",
}
_LARGEST = "max.message.bytes"
_USED = (PREDICTIONS, WINDOW_PARTIALS, BASELINES, DRIFT_REPORTS, DRIFT_ALERTS, ALERT_MUTES, DEAD_LETTERS)


class Wanted(msgspec.Struct, frozen=True):
    """A topic as it must be, with its full name."""

    name: str
    partitions: int
    config: dict[str, str]


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


def check_layout(settings: StreamSettings, existing: Mapping[str, int]) -> Layout:
    """Whether a worker may start. Raises TopicsError, one line that says what to do."""
    if missing := [name for name in used(settings) if name not in existing]:
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
        for key, is_, must in differing(topic, configs.get(topic.name, topic.config)):
            raise TopicsError(
                f"topic {topic.name} has {key}={is_}, and must have {must}, or {_MATTERS[key]}: `kafka-configs.sh "
                f"--bootstrap-server {settings.bootstrap} --alter --topic {topic.name} --add-config {key}={must}`"
            )


def used(settings: StreamSettings) -> list[str]:
    """Full names of the topics that a worker needs."""
    return [*(settings.topic(topic) for topic in _USED), settings.counts_topic, settings.windows_topic]


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
    return (
        f"`kafka-configs.sh --bootstrap-server {bootstrap} --alter --topic {topic.name} "
        f"--add-config {_LARGEST}={topic.config[_LARGEST]}`"
    )
