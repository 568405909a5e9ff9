"""TokenBucket: how many rows a client may send, on average and at a time. Pure: the time is an argument.

In any span of t seconds at most `burst + rate * t` rows get through, whatever is asked for and when. A request that
does not get through costs nothing, so a client that comes back too early does not push its own turn away.

What a request of many rows costs is known when its body was read, and reading is work. So it costs one row before,
which it is lent where none is left, but not while an earlier loan is open: so no more than `1 + burst + rate * t`
bodies are read for nothing.
"""

from __future__ import annotations

import math


class TokenBucket:
    """rate: rows a second. burst: most rows at once, and what a new bucket holds. now: seconds, monotonic.

    >>> bucket = TokenBucket(rate=2, burst=10, now=0)
    >>> bucket.take(10, now=0), bucket.take(1, now=0), bucket.take(1, now=0.5)
    (0.0, 0.5, 0.0)
    """

    __slots__ = ("_level", "_then", "burst", "rate")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = float(burst)
        self._then = now

    def take(self, rows: int, now: float) -> float:
        """0.0: taken. Otherwise nothing was, and so many seconds must pass; infinite where rows > burst."""
        level = self._level + (now - self._then) * self.rate
        if level > self.burst:
            level = float(self.burst)
        self._then = now
        if rows <= level:
            self._level = level - rows
            return 0.0
        self._level = level
        return math.inf if rows > self.burst else (rows - level) / self.rate

    def lend(self, now: float) -> float:
        """0.0: one row was taken, though there may be none. Otherwise nothing was, and so many seconds must pass until
        there is one again.

        >>> bucket = TokenBucket(rate=2, burst=1, now=0)
        >>> bucket.lend(now=0), bucket.lend(now=0), bucket.lend(now=0)
        (0.0, 0.0, 1.0)
        """
        wait = self.take(1, now)
        if wait == 0.0 or self._level < 0.0:
            return wait
        self._level -= 1.0
        return 0.0

    def give_back(self) -> None:
        """What `lend` took."""
        self._level += 1.0
