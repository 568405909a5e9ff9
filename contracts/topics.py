"""Every Kafka topic of Tidemark, declared once. `python -m stream_app topics` creates them from here."""

from __future__ import annotations

import zlib

import msgspec

_DAY_MS = 24 * 3600 * 1000
_MIB = 1 << 20


class Topic(msgspec.Struct, frozen=True):
    """One topic. key, written_by, read_by are for people; the rest is what the broker is told."""

    name: str
    key: str
    partitions: int
    cleanup: str
    retention_ms: int | None
    written_by: str
    read_by: str
    config: dict[str, str] = {}

    def broker_config(self) -> dict[str, str]:
        """Topic configuration as Kafka names it."""
        retention = {} if self.retention_ms is None else {"retention.ms": str(self.retention_ms)}
        return {"cleanup.policy": self.cleanup, **retention, **self.config}

    def named(self, prefix: str) -> str:
        """The topic's full name. A prefix keeps several installations apart on one broker."""
        return prefix + self.name


# The broker's clock, not the producer's: stage 1 measures "future" and "ancient" by it, and so does a replay.
_BROKER_TIME = {"message.timestamp.type": "LogAppendTime"}
_LARGE = {"max.message.bytes": str(8 * _MIB)}
MOST_EVENT_BYTES = 1_000_000
"""Of a prediction event. Some 2 KB are around it at most: its key, its headers and what Kafka lays around a record."""
# Kafka's own default, said here: what a topic takes is not to hang on the default of a broker.
_EVENTS = {**_BROKER_TIME, "max.message.bytes": str(_MIB + 12)}
LARGEST_STATE = 8 * _MIB - 4096
"""Bytes of key and value that a record of the stream's state may have: the rest is for what Kafka puts around it."""

PREDICTIONS = Topic(
    "predictions", "entity or prediction id", 8, "delete", 7 * _DAY_MS, "api", "stage 1, replay, anyone", _EVENTS
)
LABELS = Topic("labels", "prediction id", 8, "delete", 90 * _DAY_MS, "api", "performance, collect", _EVENTS)
# 10 kB a feature where values have all 17 digits: room for 1,600 of them.
_BASELINE = {"max.message.bytes": str(16 * _MIB)}
BASELINES = Topic("baselines", "model/version", 1, "compact", None, "training, api", "stage 1, stage 2", _BASELINE)
# Its full name has the app id in it (stream_app/settings.py): what one group of workers says is for that group alone.
WINDOW_PARTIALS = Topic("window-partials", "model", 4, "delete", _DAY_MS, "stage 1", "stage 2", _LARGE)
# As private as that one, and kept longer: these windows are open for weeks.
LABEL_PARTIALS = Topic("label-partials", "model", 4, "delete", 7 * _DAY_MS, "labels, 1", "labels, 2", _LARGE)
PERFORMANCE = Topic("performance", "model", 1, "delete", 365 * _DAY_MS, "stage 2 of labels", "retrain, anyone")
DRIFT_REPORTS = Topic("drift-reports", "model", 1, "delete", 90 * _DAY_MS, "stage 2", "retrain, anyone", _LARGE)
DRIFT_ALERTS = Topic("drift-alerts", "model", 1, "delete", 90 * _DAY_MS, "alert policy", "sinks, retrain, subscribers")
ALERT_MUTES = Topic("alert-mutes", "model, version, feature", 1, "compact", None, "operator", "stage 2, replay")
# The broker's clock says whether a claim to promote still holds.
MODEL_EVENTS = Topic("model-events", "model", 1, "delete", 365 * _DAY_MS, "training, api", "anyone", _BROKER_TIME)
DEAD_LETTERS = Topic("dead-letters", "origin", 1, "delete", 30 * _DAY_MS, "every reader", "operator, replay", _LARGE)
# Kept longer than the letters, which would be sent again without them: a broker deletes whole segments, so a letter may
# outlive its 30 days by the week that its segment takes.
RESENT_LETTERS = Topic("resent-letters", "sink, origin", 1, "delete", 90 * _DAY_MS, "sink replay", "sink replay")

TOPICS = (
    PREDICTIONS,
    LABELS,
    PERFORMANCE,
    BASELINES,
    WINDOW_PARTIALS,
    LABEL_PARTIALS,
    DRIFT_REPORTS,
    DRIFT_ALERTS,
    ALERT_MUTES,
    MODEL_EVENTS,
    DEAD_LETTERS,
    RESENT_LETTERS,
)


def partition_of(key: bytes, partitions: int) -> int:
    """Where a keyed record goes: librdkafka's `consistent` rule, the same in every producer of ours.

    >>> partition_of(b"card-17", 8)
    4
    """
    return zlib.crc32(key) % partitions
