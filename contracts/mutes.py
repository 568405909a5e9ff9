"""Mute: for a span of time a model, a version of it or one feature pages nobody. The topic `alert-mutes` has them all.

A mute is about windows, by their end: it covers those that end after `since` and not after `until`. So what a mute does
depends on no clock. A replay of the same windows finds the same only as far as the topic still has it: one that was
replaced since is gone, and one set behind a window's close with an earlier `since` is found there too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.times import UtcTime


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """version: None is every version of the model. feature: None is the whole model. reason: for people. ended: by
    somebody who ordered it, before its time.
    """

    model: str
    version: str | None = None
    feature: str | None = None
    since: UtcTime
    until: UtcTime
    reason: str = ""
    ended: bool = False
    v: Literal[1] = 1

    @property
    def key(self) -> bytes:
        """The record's key: a later mute of the same thing takes the place of this one.

        >>> from datetime import UTC, datetime
        >>> day = datetime(2026, 1, 1, tzinfo=UTC)
        >>> Mute(model="flights", feature="distance", since=day, until=day).key
        b'["flights",null,"distance"]'
        """
        return _encode([self.model, self.version, self.feature])

    @property
    def subject(self) -> str:
        """What is muted, in words: `flights`, `flights/3` or `distance of flights/3`."""
        whole = self.model if self.version is None else f"{self.model}/{self.version}"
        return whole if self.feature is None else f"{self.feature} of {whole}"

    def covers(self, model: str, version: str, window_end: datetime) -> bool:
        """Whether it is about a window of this model version that ends then; about one feature of it, perhaps."""
        is_its = self.model == model and self.version in (None, version)
        return is_its and self.since < window_end <= self.until


def in_force(mutes: Iterable[Mute], model: str, version: str, window_end: datetime) -> tuple[Mute, ...]:
    """Those about a window of this model version, in an order that does not depend on the one they came in."""
    return tuple(sorted((mute for mute in mutes if mute.covers(model, version, window_end)), key=lambda mute: mute.key))


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Mute)


def encode_mute(mute: Mute) -> bytes:
    """JSON of a mute."""
    return _encode(mute)


def decode_mute(data: bytes) -> Mute:
    """Read a mute. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a mute: {error}") from error
