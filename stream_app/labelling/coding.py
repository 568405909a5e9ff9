"""Coding: how a row becomes a cell under one baseline, by a name that two baselines share which count alike.

A version's baseline may be published anew (its natural variation learnt, say) while its windows are open for weeks: as
long as the bins and the threshold are the same, labels go on being counted into them.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.errors import InvalidBaseline, InvalidMessage
from stream_app.performance.counting import OutcomeCounts

Whole = npt.NDArray[np.int64]
_CELL = "<u4"
_MOST_CELLS = 1 << 16


class Coding:
    """Turns rows into cells. name: the same for baselines that count alike. Raises InvalidBaseline where the bins are
    more than two bytes can tell apart.
    """

    __slots__ = ("counts", "name")

    def __init__(self, baseline: Baseline) -> None:
        self.counts = OutcomeCounts(baseline)
        if 2 * self.counts.counts.size > _MOST_CELLS:
            raise InvalidBaseline(f"{baseline.key}: {self.counts.bins} bins are too many to count labels in")
        threshold = baseline.threshold if self.counts.classifies else None
        told = f"{self.counts.classifies}/{threshold!r}/".encode() + self.counts.edges.astype("<f8").tobytes()
        self.name = hashlib.blake2b(told, digest_size=8).hexdigest()


@lru_cache(maxsize=256)
def coding_of(baseline: Baseline) -> Coding:
    """The coding of a baseline; its counts are empty and shared, not to be added to. Raises InvalidBaseline."""
    return Coding(baseline)


def tallied(cells: npt.NDArray[np.integer]) -> bytes:
    """How many rows are in each cell, as LabelPartial.cells has it."""
    return np.bincount(cells).astype(_CELL).tobytes()


def outcomes(baseline: Baseline, tallies: list[bytes]) -> OutcomeCounts:
    """Tallies of parts coded alike, added up. Raises InvalidMessage for one that does not fit the baseline."""
    counts = OutcomeCounts(baseline)
    joined = np.zeros(2 * counts.counts.size, dtype=np.int64)
    for tally in tallies:
        found = np.frombuffer(tally, dtype=_CELL)
        if found.size > joined.size:
            raise InvalidMessage(f"{found.size} cells of labels for {joined.size}: made with another baseline")
        joined[: found.size] += found
    counts.counts += joined[0::2] + joined[1::2]
    counts.decided += np.array([joined[1::4].sum(), joined[3::4].sum()]) if counts.classifies else 0
    return counts
