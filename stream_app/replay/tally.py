"""Tally: what became of everything that a replay has read. Its accounts must balance, as those of a worker do. Pure.

read = counted + late + repeats + refused
counted = rows in reports + late at the merge + rows of cut windows + rows of windows still open
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from contracts.dead_letters import DeadLetter
from stream_app.windowing.accumulator import Touched


class Tally:
    """Running numbers of one replay."""

    def __init__(self) -> None:
        self.read = self.counted = self.late = self.repeats = 0
        self.refused: Counter[str] = Counter()

    def add(self, read: int, touched: Touched, refused: Iterable[DeadLetter]) -> None:
        """A batch of so many records was counted, all but these."""
        self.read += read
        self.refused.update(letter.reason for letter in refused)
        self.counted += touched.counted
        self.late += touched.late
        self.repeats += touched.repeats
