"""Wishes: what somebody who starts a rollout wants of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from training.rollout.policy import Limits, Steps


@dataclass(frozen=True)
class Wishes:
    """by: who asks. approve: manual: before everybody is answered, and before it is the champion, a person's `promote`
    is waited for. say: told of each step, one line.
    """

    steps: Steps
    limits: Limits
    by: str
    approve: Literal["auto", "manual"]
    say: Callable[[str], None]
