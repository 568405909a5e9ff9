"""TypedReader: the values of a batch become columns, each value read with the decoder of its own version's schema.

All are decoded as events of the batch's first version, for a topic mostly carries one version for long. Those that are
none are looked at one by one.
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
_MIXED = 4
"""Where more than one in so many is of another version, the rest of the batch is read one by one."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class UnknownVersion(Exception):
    """Of this model version there is no baseline."""

    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


Faults = dict[int, InvalidEvent | UnknownVersion]
"""Why there is no event, by the record's position in the batch."""


class TypedReader:
    """For one batch. at_once: so many values are decoded at a time; what comes out is the same.

    known: each baseline by its own model and version, for its decoder of events goes by these.
    """

    def __init__(self, known: Mapping[Version, Baseline], at_once: int = AT_ONCE) -> None:
        self._known, self._at_once = known, at_once
        self._typed: dict[Version, Gathered] = {}

    def read(self, offsets: Whole, values: Sequence[bytes | None]) -> tuple[Events, Faults]:
        """The events of these values, at the same positions, and why some are none: those are to be left out."""
        faults, alike = Faults(), True
        leading = self._leading(values)
        mixed = leading is None
        for start in range(0, len(values), self._at_once):
            some = values[start : start + self._at_once]
            events, others = _read(some, leading.baseline.events) if leading and not mixed else ([], range(len(some)))
            if leading and events:
                rows = np.arange(start, start + len(some))
                leading.take(np.delete(rows, others) if others else rows, events)
            for other in others:
                alike = False
                self._one(start + other, some[other], leading, faults)
            mixed = mixed or len(others) > len(some) / _MIXED
        gathered = list(self._typed.values())
        shares = [one.share() for one in gathered]
        if alike and leading is not None:
            return Events(offsets, leading.times, leading.ids, shares), faults
        ids, times = np.full(len(values), "", dtype=object), np.zeros(len(values), dtype=np.int64)
        for one in gathered:
            rows = one.rows
            times[rows], ids[rows] = one.times, one.ids
        return Events(offsets, times, ids.tolist(), shares), faults

    def _one(self, position: int, value: bytes | None, leading: Gathered | None, faults: Faults) -> None:
        event: Event | None = None
        with_leading = None if leading is None else leading.decoder
        if with_leading is not None:
            try:
                event = with_leading.decode(value or b"")
            except _UNREADABLE:
                event = None  # of another schema, or broken: the envelope will tell
        try:
            typed = self._of(value) if event is None else self._version((event.model, event.model_version))
            if event is None or typed.decoder is not with_leading:
                event = _decode(value or b"", typed.decoder)
            typed.add(position, event)
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
            typed = self._typed[version] = Gathered(baseline, self._at_once)
        return typed


def _read(values: Sequence[bytes | None], decoder: EventDecoder) -> tuple[list[Event], Sequence[int]]:
    """The events that this decoder reads, and the positions of the other values."""
    events, others, decode = list[Event](), list[int](), decoder.decode
    for value in values:
        try:
            events.append(decode(value or b""))
        except _UNREADABLE:
            others.append(len(events) + len(others))
    return events, others


def _decode(value: bytes, decoder: EventDecoder) -> Event:
    try:
        return decoder.decode(value)
    except _UNREADABLE as error:
        raise_invalid(value, error)
