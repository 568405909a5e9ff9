"""Breaker: when something that failed is worth another try, so that who asks often does not wait each time."""

from __future__ import annotations


class Breaker:
    """first, most: the pause after the first failure and the longest one, seconds; each failure in between doubles it.

    >>> breaker = Breaker(first=1, most=60)
    >>> breaker.failed(now=10), breaker.may_try(now=10.5), breaker.may_try(now=11)
    (None, False, True)
    >>> breaker.failed(now=11), breaker.may_try(now=12.5), breaker.may_try(now=13)
    (None, False, True)
    """

    def __init__(self, *, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._pause = 0.0
        self._again = 0.0

    @property
    def broken(self) -> bool:
        """Whether the last try failed."""
        return self._pause > 0

    def may_try(self, now: float) -> bool:
        """now: seconds, monotonic."""
        return now >= self._again or not self.broken

    def failed(self, now: float) -> None:
        """now: seconds, monotonic, when the try had ended."""
        self._pause = min(self._most, self._pause * 2 or self._first)
        self._again = now + self._pause

    def worked(self) -> None:
        """No pause any more."""
        self._pause = 0.0
