"""Which offset of a partition may be committed, when its records are finished in another order than they came. Pure."""

from __future__ import annotations


class Progress:
    """Offsets of one partition.

    >>> progress = Progress()
    >>> progress.took(7), progress.took(8)
    (True, True)
    >>> progress.finished(8)
    >>> progress.position
    7
    >>> progress.finished(7)
    >>> progress.position
    9
    """

    def __init__(self) -> None:
        self._unfinished: set[int] = set()
        self._next: int | None = None

    def took(self, offset: int) -> bool:
        """A record was read. False when it was read before: then it is not to be handled again."""
        if self._next is not None and offset < self._next:
            return False
        self._unfinished.add(offset)
        self._next = offset + 1
        return True

    def finished(self, offset: int) -> None:
        """The record was delivered or became a dead letter."""
        self._unfinished.remove(offset)

    @property
    def unfinished(self) -> int:
        """How many records are in hand."""
        return len(self._unfinished)

    @property
    def position(self) -> int | None:
        """The offset to commit: every record before it is finished. None before the first record."""
        return min(self._unfinished, default=self._next)
