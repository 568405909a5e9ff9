"""Room: how many requests are worked on at a time, where each of them may be large.

A place is taken before the body is read: bodies that are not there yet, or not whole, are what fills memory.
"""

from __future__ import annotations

from api.errors import Overloaded
from api.requests.headers import length_in


class Room:
    """most: places. spared: a body that announces no more bytes than this takes none.

    >>> room = Room(1)
    >>> room.enter(); room.leave(); room.enter(); room.taken
    1
    """

    __slots__ = ("_most", "_spared", "taken")

    def __init__(self, most: int, spared: int = 0) -> None:
        self._most = most
        self._spared = spared
        self.taken = 0

    def wanted(self, announced: bytes) -> bool:
        """Whether a request takes a place. announced: its Content-Length."""
        length = length_in(announced) if self._spared else None
        return length is None or length > self._spared

    def enter(self) -> None:
        """Take a place, for which `leave` has to be called. Raises Overloaded."""
        if self.taken >= self._most:
            raise Overloaded("More batches wait than can be answered soon.")
        self.taken += 1

    def leave(self) -> None:
        """Give the place back."""
        self.taken -= 1
