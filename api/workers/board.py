"""Board: memory that the supervisor and its workers share, on which each worker keeps its page of metrics.

Made before the workers are; nothing is on a disk, so nothing is left behind. Each worker writes its own place alone,
into the half that is not read, and then turns: a reader gets a whole page, the last one or the one before.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Callable

from api.workers.pages import merge

_TURN = struct.Struct("<I")
_HEAD = struct.Struct("<II")
_ATTEMPTS = 5


class Board:
    """A place for each of `places` workers. half_bytes: longest page; what is never written to takes no memory."""

    def __init__(self, places: int, half_bytes: int = 4 << 20) -> None:
        self.places = places
        self._half = _HEAD.size + half_bytes
        self._size = _TURN.size + 2 * self._half
        self._memory = mmap.mmap(-1, places * self._size)

    def put(self, place: int, page: bytes) -> None:
        """Show this page from now on. Raises ValueError for one that is too long."""
        if len(page) > self._half - _HEAD.size:
            raise ValueError(f"a page of {len(page)} bytes: at most {self._half - _HEAD.size} can be shown")
        start = place * self._size
        (turn,) = _TURN.unpack_from(self._memory, start)
        at = start + _TURN.size + ((turn + 1) % 2) * self._half
        _HEAD.pack_into(self._memory, at, len(page), zlib.crc32(page))
        self._memory[at + _HEAD.size : at + _HEAD.size + len(page)] = page
        _TURN.pack_into(self._memory, start, (turn + 1) % (1 << 32))

    def get(self, place: int) -> bytes:
        """The page that is shown there; empty where there is none."""
        start = place * self._size
        for _ in range(_ATTEMPTS):  # again only if its worker turned twice meanwhile
            (turn,) = _TURN.unpack_from(self._memory, start)
            at = start + _TURN.size + (turn % 2) * self._half
            size, checksum = _HEAD.unpack_from(self._memory, at)
            page = self._memory[at + _HEAD.size : at + _HEAD.size + min(size, self._half - _HEAD.size)]
            if zlib.crc32(page) == checksum:
                return page
        return b""

    def clear(self, place: int) -> None:
        """Its worker is gone; only the supervisor calls this."""
        self.put(place, b"")


class Worker:
    """One of several processes. number: from 0; its successor after a death has the same one."""

    def __init__(self, number: int, board: Board) -> None:
        self.number = number
        self._board = board

    def show(self, page: bytes) -> None:
        """What the others show of this worker until the next call."""
        self._board.put(self.number, page)

    def page(self, own: Callable[[], bytes]) -> bytes:
        """All workers' pages as one. own: makes this worker's; it is shown to the others too, so that no counter of it
        that was seen once is smaller the next time, whichever worker answers then.
        """
        self.show(own())
        pages = {f"{place:02d}": self._board.get(place) for place in range(self._board.places)}
        return merge({name: page for name, page in pages.items() if page})
