"""Ends: when windows end, and which ends first. A window a minute is 43,200 in a month, and each tick asks."""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush


class Ends:
    """Counts windows by their end, milliseconds UTC."""

    __slots__ = ("_heap", "_number")

    def __init__(self) -> None:
        self._number: Counter[int] = Counter()
        self._heap: list[int] = []

    def add(self, end: int) -> None:
        """One more window ends there."""
        if end not in self._number:
            heappush(self._heap, end)
        self._number[end] += 1

    def drop(self, end: int) -> None:
        """One of them is gone."""
        self._number[end] -= 1
        if not self._number[end]:
            del self._number[end]

    @property
    def first(self) -> int | None:
        """The earliest end; None without a window."""
        while self._heap and self._heap[0] not in self._number:
            heappop(self._heap)
        return self._heap[0] if self._heap else None

    @property
    def last(self) -> int:
        """The latest end. Raises ValueError without a window."""
        return max(self._number)

    def until(self, time: int) -> int:
        """How many windows end there or before."""
        first = self.first
        if first is None or first > time:
            return 0
        return sum(number for end, number in self._number.items() if end <= time)
