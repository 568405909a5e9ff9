"""What stage 1 tells stage 2 over `window-partials`: final counts of a window in one partition, and how far time is.

MessagePack. Both messages for one model travel through one partition of the topic in the order they were sent, so a
partial is always there before the heartbeat that says its window is over.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.formats import refuse_newer
from contracts.histogram import Counts


class PartialAggregate(msgspec.Struct, frozen=True, kw_only=True, tag="partial", gc=False):
    """All that one source partition counted for one window of one model version.

    baseline: digest of the baseline it was counted with. window_start, window_end: milliseconds UTC. offset: the last
    source offset it includes. rows: events counted; positives: of them decided positively; decided: with a decision;
    shadow_rows: of a shadow, which answered nobody. features: in the order of the schema's monitored ones.
    """

    model: str
    version: str
    baseline: str
    window_start: int
    window_end: int
    partition: int
    offset: int
    rows: int
    positives: int
    decided: int
    score: Counts
    features: tuple[Counts, ...]
    shadow_rows: int = 0
    v: Literal[1] = 1


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, tag="heartbeat", gc=False):
    """How far the event time of one source partition is.

    watermark: milliseconds UTC; no window that ends at or before it is counted into any more; None before the first
    event.
    idle: nothing was read for a while, and nothing waited: the merger need not wait for this partition.
    generation: of the consumer group; a heartbeat of an older one comes from a worker that has lost the partition.
    owner: the worker's name, for people; empty from a build that did not say it.
    said: when, milliseconds UTC by the worker's clock: names this heartbeat among those of its partition; 0 from a
    build that did not say it.
    behind: `said` of an earlier idle one. Nothing waited at a moment when that one was on the topic already: so it is
    good for where that one lies, whenever this one was sent. 0: there is none.
    """

    partition: int
    partitions: int
    generation: int
    watermark: int | None
    idle: bool = False
    owner: str = ""
    said: int = 0
    behind: int = 0
    v: Literal[1] = 1


PartialMessage = PartialAggregate | Heartbeat

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[PartialMessage] = msgspec.msgpack.Decoder(PartialMessage)


class _Place(msgspec.Struct, frozen=True, tag="partial", gc=False):
    """Of a PartialAggregate what says how far it is; all else is passed over."""

    offset: int
    v: Literal[1] = 1


_place = msgspec.msgpack.Decoder(_Place)


def encode_partial(message: PartialMessage) -> bytes:
    """MessagePack of a message."""
    return _encode(message)


def decode_partial(data: bytes) -> PartialMessage:
    """Read a message. Raises InvalidMessage, NewerFormat where a later version could read it."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse_newer(data, "a partial or heartbeat")
        raise InvalidMessage(f"not a partial or a heartbeat: {error}") from error


def partial_offset(data: bytes) -> int:
    """The offset of a partial alone: a fourth of the time that reading its counts takes.

    Raises InvalidMessage, NewerFormat where a later version could read it; not for faults in what is passed over.
    """
    try:
        return _place.decode(data).offset
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse_newer(data, "a partial")
        raise InvalidMessage(f"not a partial: {error}") from error
