"""Which offset of a partition may be committed, when its records are finished in another order than they came. Pure.

What is finished beyond that offset is written next to it (the commit's metadata), so that whoever goes on after a crash
does not deliver it again while one record before it still waits.
"""

from __future__ import annotations

from collections.abc import Collection

_LONGEST = 3_500
"""Bytes of metadata; Kafka takes 4,096 (offset.metadata.max.bytes). What does not fit may be delivered twice."""


class Progress:
    """Offsets of one partition. earlier: those that somebody else had finished beyond his position.

    >>> progress = Progress()
    >>> progress.took(7), progress.took(8)
    (True, True)
    >>> progress.finished(8)
    >>> progress.position, progress.beyond
    (7, '8')
    >>> progress.finished(7)
    >>> progress.position, progress.beyond
    (9, '')
    """

    def __init__(self, earlier: Collection[int] = ()) -> None:
        self._unfinished: set[int] = set()
        self._ahead = set(earlier)
        self._next: int | None = None

    def took(self, offset: int) -> bool:
        """A record was read. False when it was read or finished before: then it is not to be handled again."""
        if self._next is not None and offset < self._next:
            return False
        self._next = offset + 1
        if offset in self._ahead:
            return False
        self._unfinished.add(offset)
        return True

    def finished(self, offset: int) -> None:
        """The record was delivered or became a dead letter."""
        self._unfinished.remove(offset)
        self._ahead.add(offset)

    @property
    def unfinished(self) -> int:
        """How many records are in hand."""
        return len(self._unfinished)

    @property
    def position(self) -> int | None:
        """The offset to commit: every record before it is finished. None before the first record."""
        return min(self._unfinished, default=self._next)

    @property
    def beyond(self) -> str:
        """What is finished after the position, as `read_beyond` reads it."""
        position = self.position
        if position is not None:
            self._ahead = {offset for offset in self._ahead if offset >= position}
        return _spans(sorted(self._ahead))


def read_beyond(text: str) -> frozenset[int]:
    """The offsets of a commit's metadata. A text that is not ours: none.

    >>> sorted(read_beyond("8,11-13"))
    [8, 11, 12, 13]
    >>> read_beyond("written by a tool")
    frozenset()
    """
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            return frozenset()
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _spans(offsets: list[int]) -> str:
    spans: list[list[int]] = []
    for offset in offsets:
        if spans and spans[-1][1] == offset - 1:
            spans[-1][1] = offset
        else:
            spans.append([offset, offset])
    text = ",".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)
    return text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(",")[0]
