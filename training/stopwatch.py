"""Stopwatch: how long each step of a training took."""

from __future__ import annotations

import time


class Stopwatch:
    """`laps`: step -> seconds, in order. A step is what happened since the one before it."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """The step that ends now."""
        now = time.perf_counter()
        self.laps[step] = self.laps.get(step, 0.0) + now - self._last
        self._last = now
