"""Restarts: how long to wait before a worker that died is started again. Pure.

The first is soon, because most deaths are single ones; each further death in a row doubles the pause, because a worker
that dies at once would otherwise burn the processor that the living ones need.
"""

from __future__ import annotations

from typing import NamedTuple

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
LASTED_SECONDS = 60.0
"""Whoever lived so long did not die of its start: the count begins again."""


class Deaths(NamedTuple):
    """Of one worker, in a row."""

    number: int = 0

    def after(self, lived_seconds: float) -> Deaths:
        """One more, of a process that lived so long."""
        return Deaths(1 if lived_seconds >= LASTED_SECONDS else self.number + 1)

    @property
    def pause_seconds(self) -> float:
        """Before the next start.

        >>> [Deaths(number).pause_seconds for number in (0, 1, 2, 3, 7, 8, 5000)]
        [0.0, 0.5, 1.0, 2.0, 30.0, 30.0, 30.0]
        """
        if not self.number:
            return 0.0
        return min(FIRST_SECONDS * float(1 << min(self.number - 1, 16)), LONGEST_SECONDS)
