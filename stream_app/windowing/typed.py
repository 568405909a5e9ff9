"""TypedReader: the values of a batch become typed events, each with the decoder of its own version's schema.

All are decoded with the decoder of the batch's first version, for a topic mostly carries one version for long; those
that it does not fit are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np

from contracts.baseline import Baseline
from contracts.errors import InvalidEvent
from contracts.events import EventDecoder, decode_envelope, event_decoder, raise_invalid
from contracts.schema import FeatureSchema
from stream_app.windowing.accepted import Event, Whole

Version = tuple[str, str]
"""Model and version."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class UnknownVersion(Exception):
    """Of this model version there is no baseline."""

    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


Faults = dict[int, InvalidEvent | UnknownVersion]
"""Why there is no event, by the record's position in the batch."""


class _Typed(NamedTuple):
    version: Version
    number: int
    decoder: EventDecoder


class TypedReader:
    """For one batch. baselines: those of its versions, in the order they were met."""

    def __init__(self, known: Mapping[Version, Baseline]) -> None:
        self._known = known
        self._typed: dict[Version, _Typed] = {}
        self.baselines: list[Baseline] = []

    def read(self, values: Sequence[bytes | None]) -> tuple[list[Event | None], Whole, Faults]:
        """An event for each value, the position of its baseline in `baselines`, and why there is None instead."""
        which, faults = np.zeros(len(values), dtype=np.int64), Faults()
        events: list[Event | None] = [None] * len(values)
        leading = self._leading(values)
        if leading is not None:
            events = _decoded(values, leading.decoder)
        for position in _strangers(events, leading):
            value, event = values[position], events[position]
            try:
                typed = self._of(value) if event is None else self._version((event.model, event.model_version))
                if event is None or leading is None or typed.decoder is not leading.decoder:
                    events[position] = _decode(value or b"", typed.decoder)
                which[position] = typed.number
            except (InvalidEvent, UnknownVersion) as fault:
                events[position], faults[position] = None, fault
        return events, which, faults

    def _leading(self, values: Sequence[bytes | None]) -> _Typed | None:
        for value in values:
            try:
                return self._of(value)
            except (InvalidEvent, UnknownVersion):
                continue  # met again as a stranger
        return None

    def _of(self, value: bytes | None) -> _Typed:
        if not value:
            raise InvalidEvent("malformed", "the record has no value: an event is a JSON object")
        envelope = decode_envelope(value)
        return self._version((envelope.model, envelope.model_version))

    def _version(self, version: Version) -> _Typed:
        typed = self._typed.get(version)
        if typed is None:
            baseline = self._known.get(version)
            if baseline is None:
                raise UnknownVersion(version)
            typed = self._typed[version] = _Typed(version, len(self.baselines), _decoder(baseline.schema))
            self.baselines.append(baseline)
        return typed


def _strangers(events: Sequence[Event | None], leading: _Typed | None) -> Sequence[int]:
    """Positions of what is not an event of the leading version."""
    if leading is None:
        return range(len(events))
    model, version = leading.version
    try:
        if {event.model for event in events} == {model} and {event.model_version for event in events} == {version}:  # type: ignore[union-attr]
            return ()
    except AttributeError:
        pass  # a None is among them
    return [
        position
        for position, event in enumerate(events)
        if event is None or event.model_version != version or event.model != model
    ]


@lru_cache(maxsize=256)
def _decoder(schema: FeatureSchema) -> EventDecoder:
    return event_decoder(schema)


def _decoded(values: Sequence[bytes | None], decoder: EventDecoder) -> list[Event | None]:
    """None where a value is of another version, or broken: its envelope will tell."""
    events: list[Event | None] = []
    keep, decode = events.append, decoder.decode
    for value in values:
        try:
            keep(decode(value or b""))
        except _UNREADABLE:
            keep(None)
    return events


def _decode(value: bytes, decoder: EventDecoder) -> Event:
    try:
        return decoder.decode(value)
    except _UNREADABLE as error:
        raise_invalid(value, error)
