"""DeadLetter: a record that could not be used, whole, with the reason and where it came from."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from contracts.errors import InvalidMessage

Reason = Literal["malformed", "non-finite", "future", "ancient", "unknown-version", "undeliverable", "unreadable"]
"""Why a record is here.

malformed: not JSON, or a field is absent or of the wrong type. non-finite: a number is NaN or infinite. future,
ancient: the event time is too far from the record's own time. unknown-version: no baseline for the model version.
undeliverable: an alert that its receiver refused or did not take in time. unreadable: any other topic's broken record.
"""


DETAIL = 500
"""Characters of a detail: it may quote a poison record, which may hold a megabyte."""

KEPT = 5 << 20
"""Bytes of key and value together. In base64 they are a third more, and the topic takes records of 8 MiB."""


class Origin(Protocol):
    """A consumed record, as aiokafka gives it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One refused record. `id` names its origin, so a repeat can be recognised; key and value are base64 in JSON.

    sink, attempts: of an alert that a sink gave up, so that the same sink can be given it again: which one, and how
    often it has tried. value is the alert's record as it lay in `drift-alerts`. None: from before letters said it, or
    no sink's.
    """

    reason: Reason
    detail: str
    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    sink: str | None = None
    attempts: int | None = None
    v: Literal[1] = 1

    @classmethod
    def of(
        cls, record: Origin, reason: Reason, detail: str, *, sink: str | None = None, attempts: int | None = None
    ) -> DeadLetter:
        """A record refused for this reason, whole; the detail is cut to what a person reads."""
        return cls(
            reason=reason,
            detail=detail[:DETAIL],
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            sink=sink,
            attempts=attempts,
        )

    @property
    def id(self) -> str:
        """`topic/partition/offset` of the refused record."""
        return f"{self.topic}/{self.partition}/{self.offset}"


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(DeadLetter)


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """JSON of a dead letter. Without key and value where they are more than KEPT: compression lets a broker take
    records of any size, and one that `dead-letters` did not take would stop its reader for ever.
    """
    size = len(letter.key or b"") + len(letter.value or b"")
    if size > KEPT:
        detail = f"{letter.detail} (key and value, {size} bytes, are too long to be kept here: read them at the origin)"
        letter = msgspec.structs.replace(letter, key=None, value=None, detail=detail)
    return _encode(letter)


def decode_dead_letter(data: bytes) -> DeadLetter:
    """Read a dead letter. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a dead letter: {error}") from error
