"""What stage 1 of the labels tells stage 2 over `label-partials`: how a window stands in one partition of `labels`.

MessagePack. A part is cumulative: the newest of a source partition replaces those before it. Heartbeats are those of
contracts/partials.py; their watermark is how far the labels' own time is.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.formats import refuse_newer
from contracts.partials import Heartbeat


class LabelPartial(msgspec.Struct, frozen=True, kw_only=True, tag="labels", gc=False):
    """All that one partition of `labels` has of one window of one model version, by event time of the predictions.

    baseline: digest of the one it was counted with; coding: of its bins alone. window_start, window_end: milliseconds
    UTC. offset: of the last label that changed it. labelled: predictions with a label; replaced: labels that said
    another truth than the one before. cells: labelled predictions by cell (see stream_app.performance.counting), one
    unsigned integer of 32 bits each, little endian, behind the last that is not 0 none.
    """

    model: str
    version: str
    baseline: str
    coding: str
    window_start: int
    window_end: int
    partition: int
    offset: int
    labelled: int
    replaced: int
    cells: bytes
    v: Literal[1] = 1


LabelMessage = LabelPartial | Heartbeat

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[LabelMessage] = msgspec.msgpack.Decoder(LabelMessage)


def encode_label_partial(part: LabelPartial) -> bytes:
    """MessagePack of a part."""
    return _encode(part)


def decode_label_partial(data: bytes) -> LabelMessage:
    """Read a part or a heartbeat. Raises InvalidMessage, NewerFormat."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse_newer(data, "label partial")
        raise InvalidMessage(f"not a label partial: {error}") from error
