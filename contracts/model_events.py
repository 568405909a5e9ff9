"""ModelEvent: a step in the life of a model version, one per record of the topic `model-events`."""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.times import UtcTime

ModelEventKind = Literal[
    "registered",
    "gated",
    "claimed",
    "withdrawn",
    "promoted",
    "rolled-back",
    "rollout-changed",
    "rollout-ended",
    "rollout-trouble",
    "retraining-decided",
    "collected",
    "retraining-ended",
]
"""claimed: somebody is about to promote or roll back; of two at once the first one on the topic wins.
withdrawn: the claim that details name is given up, nothing has changed.
rollout-changed: shadow began, or the canary's share is another; rollout-ended: taken out, or overtaken; a promotion
ends one, too.
collected: a data set was made of predictions and labels; version: the champion, whose features are its columns.
rollout-trouble: the api could not answer or score with the rollout's version; said at most every few seconds."""


class ModelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One step. id: the same for every repetition of it. version: whose step it is; previous: the champion before it.

    by: who, a person or a program. reason: one sentence. details: whatever else a reader may want, as JSON values: the
    gate's report, the share of a canary, the cause of a retraining.
    """

    id: str
    kind: ModelEventKind
    at: UtcTime
    model: str
    version: str
    by: str
    reason: str
    previous: str | None = None
    details: dict[str, str | float | bool | list[str] | dict[str, str | float | bool | None] | None] = {}
    v: Literal[1] = 1


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(ModelEvent)


def encode_model_event(event: ModelEvent) -> bytes:
    """JSON of an event."""
    return _encode(event)


def decode_model_event(data: bytes) -> ModelEvent:
    """Read an event. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a model event: {error}") from error
