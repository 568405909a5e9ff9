"""Memory: the last cell that was said of each prediction of one window, so that another truth replaces the one before.

Most are in two sorted arrays, of 10 bytes a prediction; what came last is in a dict, which is put into the arrays when
it has grown. All of it in a dict would take ten times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_RECENT, _SHARE = 2048, 8
"""The dict is put into the arrays when it has so many, and a share of what they have."""


class Said(NamedTuple):
    """What labels did. changed: positions of those that the window's counts follow from: the first of a prediction, and
    those that said another cell than the one before, `replaced` of them. The rest said the same again.
    """

    changed: list[int]
    replaced: int

    @property
    def counted(self) -> int:
        """Predictions that had no label before."""
        return len(self.changed) - self.replaced


class Memory:
    """By 8-byte hash of the prediction's id."""

    __slots__ = ("_cells", "_hashes", "_recent")

    def __init__(self) -> None:
        self._hashes: npt.NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self._cells: npt.NDArray[np.uint16] = np.zeros(0, dtype=np.uint16)
        self._recent: dict[int, int] = {}

    @property
    def size(self) -> int:
        """Predictions that something was said of."""
        return int(self._hashes.size) + len(self._recent)

    @property
    def cells(self) -> npt.NDArray[np.uint16]:
        """The last cell of each, in no order."""
        return np.concatenate([self._cells, np.fromiter(self._recent.values(), np.uint16, len(self._recent))])

    def say(self, hashes: Sequence[int], cells: Sequence[int]) -> Said:
        """Labels in the order in which they came, as many of both."""
        changed, replaced, recent = [], 0, self._recent
        settled = self._settled(hashes)
        for position, (hash_, cell) in enumerate(zip(hashes, cells, strict=True)):
            place = settled.get(hash_)
            former = recent.get(hash_) if place is None else int(self._cells[place])
            if former == cell:
                continue
            changed.append(position)
            replaced += former is not None
            if place is None:
                recent[hash_] = cell
            else:
                self._cells[place] = cell
        if len(recent) > max(_RECENT, self._hashes.size // _SHARE):
            self._settle()
        return Said(changed, replaced)

    def _settled(self, hashes: Sequence[int]) -> dict[int, int]:
        """Where in the arrays those are that are there."""
        if not self._hashes.size:
            return {}
        wanted = np.array(hashes, dtype=np.uint64)
        where = np.minimum(self._hashes.searchsorted(wanted), self._hashes.size - 1)
        there = np.flatnonzero(self._hashes[where] == wanted)
        return {hashes[i]: place for i, place in zip(there.tolist(), where[there].tolist(), strict=True)}

    def _settle(self) -> None:
        number = len(self._recent)
        hashes = np.concatenate([self._hashes, np.fromiter(self._recent, np.uint64, number)])
        cells, order = self.cells, hashes.argsort(kind="stable")
        self._hashes, self._cells, self._recent = hashes[order], cells[order], {}
