"""Memory: the last cell that was said of each prediction of one window, so that another truth replaces the one before.

Two sorted arrays, of 10 bytes a prediction: most are in the large one, what came last in the small one, which is put
into the large one when it has grown. A dict would take ten times as much.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Cells = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]

_SMALL, _SHARE = 2048, 8
"""The small array is put into the large one when it has so many, and a share of the large one's."""


class Said(NamedTuple):
    """What labels did, shape (labels,) each. counted: the first of their prediction; replaced: said another cell than
    the one before. The rest said the same again.
    """

    counted: Bools
    replaced: Bools

    @property
    def changed(self) -> Bools:
        """Those that the window's counts follow from."""
        return self.counted | self.replaced


class _Sorted:
    __slots__ = ("cells", "hashes")

    def __init__(self) -> None:
        self.hashes: Hashes = np.zeros(0, dtype=np.uint64)
        self.cells: Cells = np.zeros(0, dtype=np.uint16)

    def places(self, hashes: Hashes) -> tuple[Bools, npt.NDArray[np.intp]]:
        """Which are known, and where."""
        if not self.hashes.size:
            return np.zeros(hashes.size, dtype=np.bool_), np.zeros(hashes.size, dtype=np.intp)
        where = np.minimum(self.hashes.searchsorted(hashes), self.hashes.size - 1)
        return self.hashes[where] == hashes, where

    def take(self, hashes: Hashes, cells: Cells) -> None:
        """More, none of them known."""
        hashes, cells = np.concatenate([self.hashes, hashes]), np.concatenate([self.cells, cells])
        order = hashes.argsort(kind="stable")
        self.hashes, self.cells = hashes[order], cells[order]


class Memory:
    """By 8-byte hash of the prediction's id."""

    __slots__ = ("_large", "_small")

    def __init__(self) -> None:
        self._large, self._small = _Sorted(), _Sorted()

    @property
    def size(self) -> int:
        """Predictions that something was said of."""
        return int(self._large.hashes.size + self._small.hashes.size)

    @property
    def cells(self) -> Cells:
        """The last cell of each, in no order."""
        return np.concatenate([self._large.cells, self._small.cells])

    def say(self, hashes: Hashes, cells: Cells) -> Said:
        """Labels in the order in which they came, shape (labels,) each."""
        said = Said(np.zeros(hashes.size, dtype=np.bool_), np.zeros(hashes.size, dtype=np.bool_))
        for which in _rounds(hashes):
            counted, replaced = self._say_once(hashes[which], cells[which])
            said.counted[which], said.replaced[which] = counted, replaced
        return said

    def _say_once(self, hashes: Hashes, cells: Cells) -> tuple[Bools, Bools]:
        """Labels of different predictions."""
        known, replaced = np.zeros(hashes.size, dtype=np.bool_), np.zeros(hashes.size, dtype=np.bool_)
        for part in (self._large, self._small):
            here, where = part.places(hashes)
            changed = here & (part.cells[where] != cells) if part.hashes.size else here
            part.cells[where[changed]] = cells[changed]
            known |= here
            replaced |= changed
        if not known.all():
            self._small.take(hashes[~known], cells[~known])
            if self._small.hashes.size > max(_SMALL, self._large.hashes.size // _SHARE):
                self._large.take(self._small.hashes, self._small.cells)
                self._small = _Sorted()
        return ~known, replaced


def _rounds(hashes: Hashes) -> list[npt.NDArray[np.intp]]:
    """Positions, so that no prediction is in a round twice, and each one's labels are in the order of the rounds."""
    order = hashes.argsort(kind="stable")
    rising = hashes[order]
    again = rising[1:] == rising[:-1]
    if not again.any():
        return [np.arange(hashes.size)]
    begins = np.flatnonzero(np.concatenate([[True], ~again]))
    lengths = np.diff(np.concatenate([begins, [hashes.size]]))
    turn = np.arange(hashes.size) - np.repeat(begins, lengths)
    return [np.sort(order[turn == number]) for number in range(int(turn.max()) + 1)]
