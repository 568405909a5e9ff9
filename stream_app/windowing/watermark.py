"""Watermark: how far the event time of one source partition is. It never goes back.

A window whose end is at or before the watermark takes no more events; what still comes for it is late.
"""

from __future__ import annotations


class Watermark:
    """Greatest event time seen minus allowed lateness, or further where an idle partition was advanced by the clock."""

    __slots__ = ("lateness_ms", "value")

    def __init__(self, lateness_ms: int, value: int | None = None) -> None:
        self.lateness_ms = lateness_ms
        self.value = value

    def observe(self, event_time_ms: int) -> None:
        """An event of this time was read."""
        self.advance_idle(event_time_ms - self.lateness_ms)

    def advance_idle(self, to: int) -> bool:
        """Move to `to` if that is ahead; whether it moved."""
        if self.value is not None and to <= self.value:
            return False
        self.value = to
        return True

    def passed(self, window_end: int) -> bool:
        """Whether the window that ends there is over."""
        return self.value is not None and window_end <= self.value
