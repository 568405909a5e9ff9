"""TypedReader: the values of a batch become columns, each value read with the decoder of its own version's schema.

All are decoded as events of the batch's first version, for a topic mostly carries one version for long. Where they are
not, they are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from contracts.baseline import Baseline
from contracts.errors import InvalidEvent
from contracts.events import EventDecoder, decode_envelope, raise_invalid
from stream_app.windowing.accepted import Events
from stream_app.windowing.gathered import Event, Gathered
from stream_app.windowing.records import Whole

Version = tuple[str, str]
"""Model and version."""
AT_ONCE = 128
"""Values decoded at a time; gathered.py says why not all."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class UnknownVersion(Exception):
    """Of this model version there is no baseline."""

    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


Faults = dict[int, InvalidEvent | UnknownVersion]
"""Why there is no event, by the record's position in the batch."""


class TypedReader:
    """For one batch. at_once: so many values are decoded at a time; what comes out is the same."""

    def __init__(self, known: Mapping[Version, Baseline], at_once: int = AT_ONCE) -> None:
        self._known, self._at_once = known, at_once
        self._typed: dict[Version, Gathered] = {}

    def read(self, offsets: Whole, values: Sequence[bytes | None]) -> tuple[Events, Faults]:
        """The events of these values, at the same positions, and why some are none: those are to be left out."""
        faults, alike = Faults(), True
        leading = self._leading(values)
        for start in range(0, len(values), self._at_once):
            some = values[start : start + self._at_once]
            if leading is not None and (events := _all_of(some, leading.baseline.events)) is not None:
                leading.take(np.arange(start, start + len(some)), events)
            else:
                alike = False
                read = [None] * len(some) if leading is None else _decoded(some, leading.decoder)
                for position, (value, event) in enumerate(zip(some, read, strict=True), start):
                    self._one(position, value, event, leading, faults)
        gathered = list(self._typed.values())
        shares = [one.share() for one in gathered]
        if alike and leading is not None:
            return Events(offsets, leading.times, leading.ids, shares), faults
        ids, times = [""] * len(values), np.zeros(len(values), dtype=np.int64)
        for one in gathered:
            times[one.rows] = one.times
            for row, id_ in zip(one.rows.tolist(), one.ids, strict=True):
                ids[row] = id_
        return Events(offsets, times, ids, shares), faults

    def _one(
        self, position: int, value: bytes | None, event: Event | None, leading: Gathered | None, faults: Faults
    ) -> None:
        try:
            typed = self._of(value) if event is None else self._version((event.model, event.model_version))
            if event is None or leading is None or typed.decoder is not leading.decoder:
                event = _decode(value or b"", typed.decoder)
            typed.waiting.append((position, event))
        except (InvalidEvent, UnknownVersion) as fault:
            faults[position] = fault

    def _leading(self, values: Sequence[bytes | None]) -> Gathered | None:
        for value in values:
            try:
                return self._of(value)
            except (InvalidEvent, UnknownVersion):
                continue  # met again, one by one
        return None

    def _of(self, value: bytes | None) -> Gathered:
        if not value:
            raise InvalidEvent("malformed", "the record has no value: an event is a JSON object")
        envelope = decode_envelope(value)
        return self._version((envelope.model, envelope.model_version))

    def _version(self, version: Version) -> Gathered:
        typed = self._typed.get(version)
        if typed is None:
            baseline = self._known.get(version)
            if baseline is None:
                raise UnknownVersion(version)
            typed = self._typed[version] = Gathered(baseline)
        return typed


def _all_of(values: Sequence[bytes | None], decoder: EventDecoder) -> list[Event] | None:
    """None unless all are events that this decoder reads."""
    try:
        return [decoder.decode(value or b"") for value in values]
    except _UNREADABLE:
        return None


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
