"""Stopwatch: how long each step of a training took, and who is told while it goes on."""

from __future__ import annotations

import time
from typing import Protocol


class Audience(Protocol):
    """Who follows a training."""

    def begins(self, step: str) -> None:
        """A step starts."""

    def says(self, detail: str) -> None:
        """What goes on within the step."""

    def ends(self, step: str, seconds: float) -> None:
        """A step is done."""


class Nobody:
    """An audience that is not there."""

    def begins(self, step: str) -> None: ...
    def says(self, detail: str) -> None: ...
    def ends(self, step: str, seconds: float) -> None: ...


class Stopwatch:
    """`laps`: step -> seconds, in order. A step is what happened since the one before it."""

    def __init__(self, audience: Audience | None = None) -> None:
        self.laps: dict[str, float] = {}
        self.audience: Audience = audience or Nobody()
        self._last = time.perf_counter()

    def begin(self, step: str) -> None:
        """Say what comes next; lap() with the same name ends it."""
        self.audience.begins(step)

    def lap(self, step: str) -> None:
        """The step that ends now."""
        now = time.perf_counter()
        self.laps[step] = self.laps.get(step, 0.0) + now - self._last
        self.audience.ends(step, now - self._last)
        self._last = now
