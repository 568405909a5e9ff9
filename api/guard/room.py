"""Room: how many requests are worked on at a time, where each of them may be large.

A place is taken before the body is read: bodies that are not there yet, or not whole, are what fills memory. One client
may have all places while nobody else wants one. Otherwise it loses those whose bodies have still to come, the oldest
first, until it has as many as who wants one: heads without bodies cost their sender nothing, and would lock out all.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from api.errors import Overloaded
from api.requests.headers import length_in


class Place:
    """Of one request. client: whose it is. coming: the time limit of its body, while that is waited for."""

    __slots__ = ("client", "coming", "lost")

    def __init__(self, client: str) -> None:
        self.client = client
        self.coming: asyncio.Timeout | None = None
        self.lost = False

    def came(self) -> None:
        """The body is waited for no longer. Raises Overloaded where the place was given to another one meanwhile."""
        self.coming = None
        if self.lost:
            raise Overloaded("More batches wait than can be answered soon, and the body of this one was not there.")

    def lose(self) -> None:
        """Only for one that is coming."""
        self.lost = True
        if self.coming is not None and not self.coming.expired():
            self.coming.reschedule(0.0)  # at once: the clock of the event loop is beyond that


class Room:
    """most: places. spared: a body that announces no more bytes than this takes none.

    >>> room = Room(1)
    >>> place = room.enter("a"); room.leave(place); place = room.enter("b"); room.taken
    1
    """

    __slots__ = ("_most", "_places", "_spared")

    def __init__(self, most: int, spared: int = 0) -> None:
        self._most = most
        self._spared = spared
        self._places: dict[Place, None] = {}  # in the order in which they were taken

    @property
    def taken(self) -> int:
        """Places."""
        return len(self._places)

    def wanted(self, announced: bytes) -> bool:
        """Whether a request takes a place. announced: its Content-Length."""
        length = length_in(announced) if self._spared else None
        return length is None or length > self._spared

    def enter(self, client: str) -> Place:
        """Take a place, for which `leave` has to be called. Raises Overloaded."""
        if len(self._places) >= self._most:
            self._make_room(client)
        place = Place(client)
        self._places[place] = None
        return place

    def leave(self, place: Place) -> None:
        """Give the place back, if it was not lost."""
        self._places.pop(place, None)

    def _make_room(self, client: str) -> None:
        held = Counter(place.client for place in self._places)
        # who has one more would only change places with this client
        coming = [place for place in self._places if place.coming is not None and held[place.client] > held[client] + 1]
        if not coming:
            raise Overloaded("More batches wait than can be answered soon.")
        given_up = max(coming, key=lambda place: held[place.client])  # the first of them
        del self._places[given_up]
        given_up.lose()
