"""ResentLetter: a dead alert was sent again and is settled. The topic `resent-letters` keeps a second replay from
sending it twice: positions of a consumer group could not say it, for letters are chosen one by one, and a group that
nobody uses is forgotten after a week.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.times import UtcTime

How = Literal["delivered", "outdated"]
"""outdated: not sent, since the receiver has had a later alert of the incident."""


class ResentLetter(msgspec.Struct, frozen=True, kw_only=True):
    """letter: the dead letter's id, `topic/partition/offset` of the alert's record. alert: the alert's id."""

    letter: str
    sink: str
    alert: str
    how: How
    at: UtcTime
    v: Literal[1] = 1

    @property
    def key(self) -> bytes:
        """The record's key: one alert may be dead at several sinks."""
        return f"{self.sink} {self.letter}".encode()


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(ResentLetter)


def encode_resent(resent: ResentLetter) -> bytes:
    """JSON of a resent letter."""
    return _encode(resent)


def decode_resent(data: bytes) -> ResentLetter:
    """Read a resent letter. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a resent letter: {error}") from error
