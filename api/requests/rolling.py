"""Rolling: what people are told of the version on its way; part of the answers of GET /model and /models."""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from contracts.rollout import Rollout
from contracts.times import UtcTime

State = Literal["active", "loading", "refused", "arrived", "unreadable"]


class Rolling(msgspec.Struct, frozen=True):
    """The version on its way, as the registry says, and what this process does about it.

    share: percent of the entities that a canary answers. since: when this stage, with this share, began. state: active;
    loading; refused: the version cannot be served; arrived: it is the champion already; unreadable: what the registry
    says is no rollout. detail: why, or what does not fit. scorer: as of the version that answers.
    """

    version: str
    stage: Literal["shadow", "canary", ""]
    share: float
    since: UtcTime | None
    state: State
    detail: str = ""
    scorer: str = ""

    @classmethod
    def of(cls, rollout: Rollout, state: State, detail: str, scorer: str = "") -> Self:
        """A rollout, and what has become of it here."""
        return cls(rollout.version, rollout.stage, rollout.share, rollout.since, state, detail, scorer)

    @classmethod
    def unreadable(cls, why: str) -> Self:
        """What the registry says is no rollout."""
        return cls("", "", 0.0, None, "unreadable", why)
