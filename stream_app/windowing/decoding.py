"""Decoding: a batch of records becomes typed events, dead letters and the model versions that nobody knows yet.

Each version has a decoder of its own (its schema's). The decoder of the version seen last is tried first: a topic
mostly carries one version for long, and one typed decode is all that such an event costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

import msgspec

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter, Reason
from contracts.errors import InvalidEvent
from contracts.events import EventDecoder, PredictionEvent, decode_envelope, event_decoder, event_time_ms, raise_invalid
from contracts.schema import FeatureSchema

Version = tuple[str, str]
"""Model and version."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_SHOWN = 100
"""Characters of a foreign name in a dead letter's detail."""


class SourceRecord(Protocol):
    """A consumed record, as aiokafka gives it. timestamp: milliseconds UTC, set by the broker (LogAppendTime)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Limits(msgspec.Struct, frozen=True):
    """How far an event's time may be from its record's: one bad clock must not close everybody's windows."""

    max_future_ms: int
    max_age_ms: int


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """An event that can be counted. time_ms: its event time. baseline: of its version; its features fit that schema."""

    offset: int
    time_ms: int
    event: PredictionEvent[Any]
    baseline: Baseline


class Decoded(msgspec.Struct, frozen=True):
    """What became of a batch, each list in the records' order.

    unknown: model versions without a baseline; unknown_offsets: their records, which are in neither list yet.
    """

    accepted: list[Accepted]
    refused: list[DeadLetter]
    unknown: set[Version]
    unknown_offsets: list[int]


class _UnknownVersion(Exception):
    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


class _Typed(NamedTuple):
    version: Version
    baseline: Baseline
    decode: Callable[[bytes], PredictionEvent[Any]]


def decode_batch(
    records: Sequence[SourceRecord], baselines: Mapping[Version, Baseline], limits: Limits, *, final: bool = False
) -> Decoded:
    """Decode records of one partition. Nothing a record holds raises: what cannot be counted is refused.

    When `unknown` comes back filled, refresh the baselines and decode the same batch again with final=True: versions
    still unknown are then refused, and unknown_offsets is empty.
    """
    decoded = Decoded([], [], set(), [])
    accept = decoded.accepted.append
    max_future, max_age = limits.max_future_ms, limits.max_age_ms
    current: _Typed | None = None
    model = version = ""
    for record in records:
        value = record.value
        try:
            event = None
            if current is not None and value:
                try:
                    event = current.decode(value)
                except _UNREADABLE:
                    event = None  # of another version, or broken: the envelope will tell
            if current is None or event is None or event.model_version != version or event.model != model:
                event, current = _decode_any(value, baselines)
                model, version = current.version
            time_ms = event_time_ms(event)
            now = record.timestamp
            if time_ms > now + max_future:
                raise InvalidEvent(
                    "future", f"event_time is {time_ms - now} ms after the record's, {max_future} allowed"
                )
            if time_ms < now - max_age:
                raise InvalidEvent(
                    "ancient", f"event_time is {now - time_ms} ms before the record's, {max_age} allowed"
                )
            accept(Accepted(record.offset, time_ms, event, current.baseline))
        except InvalidEvent as error:
            decoded.refused.append(DeadLetter.of(record, cast(Reason, error.reason), error.detail))
        except _UnknownVersion as error:
            decoded.unknown.add(error.version)
            if final:
                name = "/".join(error.version)[:_SHOWN]
                detail = f"no baseline for model version {name!r}: publish one on the topic `baselines`"
                decoded.refused.append(DeadLetter.of(record, "unknown-version", detail))
            else:
                decoded.unknown_offsets.append(record.offset)
    return decoded


@lru_cache(maxsize=256)
def _decoder(schema: FeatureSchema) -> EventDecoder:
    return event_decoder(schema)


def _decode_any(value: bytes | None, baselines: Mapping[Version, Baseline]) -> tuple[PredictionEvent[Any], _Typed]:
    if not value:
        raise InvalidEvent("malformed", "the record has no value: an event is a JSON object")
    envelope = decode_envelope(value)
    version = envelope.model, envelope.model_version
    baseline = baselines.get(version)
    if baseline is None:
        raise _UnknownVersion(version)
    typed = _Typed(version, baseline, _decoder(baseline.schema).decode)
    try:
        return typed.decode(value), typed
    except _UNREADABLE as error:
        raise_invalid(value, error)
