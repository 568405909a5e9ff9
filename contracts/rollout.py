"""Rollout: a version on its way to become the champion. It is a tag of the registered model in MLflow, which is where
the truth is; `model-events` only says that it changed.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.times import UtcTime

ROLLOUT_TAG = "tidemark.rollout"
"""Tag of the registered model; absent, or empty, while nothing is on its way."""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """stage shadow: the version scores the same requests after the answer; canary: it answers `share` percent of the
    entities. since: when this stage, with this share, began.
    """

    version: str
    stage: Literal["shadow", "canary"]
    since: UtcTime
    share: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    v: Literal[1] = 1


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Rollout)


def encode_rollout(rollout: Rollout) -> str:
    """As the tag holds it."""
    return _encode(rollout).decode()


def decode_rollout(text: str | None) -> Rollout | None:
    """What the tag says; None for no tag and an empty one. Raises InvalidMessage."""
    if not text:
        return None
    try:
        return _decoder.decode(text.encode())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"tag {ROLLOUT_TAG}: not a rollout: {error}") from error
