"""Allowance: so many lines a second of one kind; the rest is counted. Pure: the time is an argument.

A client that is wrong is wrong thousands of times a second; its first lines say all there is to say.
"""

from __future__ import annotations

from collections.abc import Hashable


class Allowance:
    """per_second: lines of one kind. kinds: most kinds told apart at a time, a bound on memory.

    >>> allowance = Allowance(per_second=1)
    >>> [allowance.suppressed("a", 0.0), allowance.suppressed("a", 0.5), allowance.suppressed("a", 1.0)]
    [0, None, 1]
    """

    def __init__(self, per_second: int = 5, kinds: int = 1000) -> None:
        self._per_second = per_second
        self._kinds = kinds
        self._counts: dict[Hashable, list[int]] = {}  # the second, lines in it, lines suppressed

    def suppressed(self, kind: Hashable, now: float) -> int | None:
        """None: do not write this line. Otherwise how many of this kind were not written before it. now: seconds."""
        second = int(now)
        count = self._counts.get(kind)
        if count is None:
            if len(self._counts) >= self._kinds:
                self._counts.clear()
            self._counts[kind] = [second, 1, 0]
            return 0
        if count[0] != second:
            count[0], count[1] = second, 0
        count[1] += 1
        if count[1] > self._per_second:
            count[2] += 1
            return None
        missed, count[2] = count[2], 0
        return missed
