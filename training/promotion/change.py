"""A change of the champion: what is to happen, what has happened, and the tools that the outside world lends to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Kind = Literal["promoted", "rolled-back"]
Details = dict[str, str | float | bool | list[str] | dict[str, str | float | bool | None] | None]


@dataclass(frozen=True)
class Change:
    """What is to happen. seen: the champion's version as it was when that was decided, None: none. details: go with the
    event. by: who; reason: one sentence.
    """

    kind: Kind
    version: str
    seen: str | None
    by: str
    reason: str
    details: Details = field(default_factory=dict)


@dataclass(frozen=True)
class Changed:
    """What has happened. remarks: what a person should know besides, one sentence each."""

    change: Change
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tools:
    """now: UTC. seconds: of a clock that only goes forward. new_id: a new event id."""

    now: Callable[[], datetime]
    seconds: Callable[[], float]
    new_id: Callable[[], str]
