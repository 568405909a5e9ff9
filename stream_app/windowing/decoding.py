"""Decoding: a batch of records becomes typed events, dead letters and the model versions that nobody knows yet.

Each record's value is decoded by itself; whatever else is checked, is checked by column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import msgspec
import numpy as np

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter, Origin, Reason
from contracts.errors import InvalidEvent
from stream_app.windowing.accepted import Events
from stream_app.windowing.records import Records, Whole
from stream_app.windowing.typed import Faults, TypedReader, Version

_SHOWN = 100
"""Characters of a foreign name in a dead letter's detail."""


class SourceRecord(Origin, Protocol):
    """A consumed record, as aiokafka gives it. timestamp: milliseconds UTC, set by the broker (LogAppendTime)."""

    @property
    def timestamp(self) -> int: ...


class Limits(msgspec.Struct, frozen=True):
    """How far an event's time may be from its record's: one bad clock must not close everybody's windows."""

    max_future_ms: int
    max_age_ms: int


class Decoded(msgspec.Struct, frozen=True):
    """What became of a batch, all in the records' order.

    unknown: model versions without a baseline; unknown_offsets: their records, which are in neither list yet.
    """

    accepted: Events
    refused: list[DeadLetter]
    unknown: set[Version]
    unknown_offsets: list[int]


def decode_batch(
    records: Sequence[SourceRecord], baselines: Mapping[Version, Baseline], limits: Limits, *, final: bool = False
) -> Decoded:
    """Decode records of one partition. Nothing a record holds raises: what cannot be counted is refused.

    When `unknown` comes back filled, refresh the baselines and decode the same batch again with final=True: versions
    still unknown are then refused, and unknown_offsets is empty.
    """
    reader, columns = TypedReader(baselines), _columns(records)
    accepted, faults = reader.read(columns.offsets, columns.values)
    timestamps, there = columns.timestamps, np.arange(len(records))
    if faults:
        there = np.delete(there, list(faults))
        accepted, timestamps = accepted.take(there), timestamps[there]
    too_far = _too_far(accepted.times_ms - timestamps, limits)
    if too_far:
        accepted = accepted.without(list(too_far))
        faults |= {int(there[position]): fault for position, fault in too_far.items()}
    return _explained(accepted, records, faults, final=final)


def _columns(records: Sequence[SourceRecord]) -> Records:
    if isinstance(records, Records):
        return records
    offsets = np.fromiter([record.offset for record in records], np.int64, len(records))
    timestamps = np.fromiter([record.timestamp for record in records], np.int64, len(records))
    return Records("", -1, offsets, timestamps, (), [record.value for record in records])


def _too_far(ahead: Whole, limits: Limits) -> Faults:
    """ahead: event times less their records' times, milliseconds."""
    faults = Faults()
    for position in np.flatnonzero((ahead > limits.max_future_ms) | (ahead < -limits.max_age_ms)).tolist():
        by = int(ahead[position])
        faults[position] = (
            InvalidEvent("future", f"event_time is {by} ms after the record's, {limits.max_future_ms} allowed")
            if by > 0
            else InvalidEvent("ancient", f"event_time is {-by} ms before the record's, {limits.max_age_ms} allowed")
        )
    return faults


def _explained(accepted: Events, records: Sequence[SourceRecord], faults: Faults, *, final: bool) -> Decoded:
    decoded = Decoded(accepted, [], set(), [])
    for position in sorted(faults):
        record, fault = records[position], faults[position]
        if isinstance(fault, InvalidEvent):
            decoded.refused.append(DeadLetter.of(record, cast(Reason, fault.reason), fault.detail))
            continue
        decoded.unknown.add(fault.version)
        if final:
            name = "/".join(fault.version)[:_SHOWN]
            detail = f"no baseline for model version {name!r}: publish one on the topic `baselines`"
            decoded.refused.append(DeadLetter.of(record, "unknown-version", detail))
        else:
            decoded.unknown_offsets.append(record.offset)
    return decoded
