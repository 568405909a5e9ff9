"""Tumbling windows: [start, start + size), aligned to the epoch in UTC, so every worker cuts time at the same places.

Daylight saving does not exist here; windows of seven days begin on Thursdays, because 1 January 1970 was one.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt


class WindowConfig(msgspec.Struct, frozen=True):
    """How time is cut. size_ms: length of a window. lateness_ms: how far behind the greatest event time is in time.

    Raises ValueError naming the field when size_ms < 1 or lateness_ms < 0.
    """

    size_ms: int
    lateness_ms: int = 0

    def __post_init__(self) -> None:
        if self.size_ms < 1:
            raise ValueError(f"size_ms is {self.size_ms}: a window must be at least 1 ms long")
        if self.lateness_ms < 0:
            raise ValueError(f"lateness_ms is {self.lateness_ms}: allowed lateness must be 0 or more")


def window_start(time_ms: int, size_ms: int) -> int:
    """Start of the window that holds a time; milliseconds UTC, also before 1970.

    >>> window_start(59_999, 10_000), window_start(60_000, 10_000), window_start(-1, 10_000)
    (50000, 60000, -10000)
    """
    return time_ms // size_ms * size_ms


def window_starts(times_ms: npt.NDArray[np.int64], size_ms: int) -> npt.NDArray[np.int64]:
    """The same of many times, shape of `times_ms`."""
    return times_ms // size_ms * size_ms
