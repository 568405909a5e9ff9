"""Label: the late truth about one prediction, one per record of the topic `labels`, joined with what was predicted."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.events import raise_invalid
from contracts.times import UtcTime


class Label(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The truth about one prediction, with all that performance is counted from, so that nobody has to look it up.

    truth: 1 or 0 for a classifier, the value for a regression. labelled_at: when the truth became known. event_time,
    model, model_version, score, decision: of the prediction. Of two labels of one prediction the later record counts.
    """

    prediction_id: str
    event_time: UtcTime
    labelled_at: UtcTime
    model: str
    model_version: str
    score: float
    truth: float
    decision: bool | None = None
    v: Literal[1] = 1


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Label)


def encode_label(label: Label) -> bytes:
    """JSON of a label, UTF-8."""
    return _encode(label)


def decode_label(data: bytes) -> Label:
    """Read a label. Raises InvalidEvent."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise_invalid(data, error)
