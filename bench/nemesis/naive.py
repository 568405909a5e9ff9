"""Counting said plainly: one value after the other, with bisect and Counter, over a baseline's edges and levels. Pure.

The truth is counted with it. It imports nothing of the project (a test sees to that), so a fault of the code that it
judges cannot be in both. A baseline's bins come as plain numbers and names; so do the bytes of a part's counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Numeric(NamedTuple):
    """A numeric column's bins: the i-th holds edges[i-1] <= value < edges[i]."""

    edges: Sequence[float]

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1


class Named(NamedTuple):
    """A text column's bins: one for each level, one for those of `rest`, one for all others."""

    levels: Sequence[str]
    rest: Sequence[str]

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.levels) + 2


class Tally:
    """How often each bin was hit, how many values were not there, the least and the greatest number."""

    def __init__(self, bins: Numeric | Named) -> None:
        self.bins = bins
        self.hits: Counter[int] = Counter()
        self.missing = 0
        self.lowest: float | None = None
        self.highest: float | None = None

    def add(self, values: Sequence[float] | Sequence[str]) -> None:
        """Numbers, nan for what is missing, or texts."""
        bins = self.bins
        if isinstance(bins, Numeric):
            numbers = [float(value) for value in values if value == value]  # nan is the one that is not itself
            self.missing += len(values) - len(numbers)
            self.hits.update(bisect_right(bins.edges, number) for number in numbers)
            self.stretch(min(numbers, default=None), max(numbers, default=None))
        else:
            place = {name: i for i, name in enumerate(bins.levels)}
            rare, unseen = len(bins.levels), len(bins.levels) + 1
            for level, times in Counter(map(str, values)).items():
                self.hits[place.get(level, rare if level in bins.rest else unseen)] += times

    def add_counts(self, counts: bytes, missing: int, lowest: float | None, highest: float | None) -> None:
        """What another counted. counts: one unsigned integer a bin, little endian.

        Raises ValueError when they do not fit the bins.
        """
        width, rest = divmod(len(counts), self.bins.size)
        if rest or width not in (1, 2, 4, 8):
            raise ValueError(f"{len(counts)} bytes for {self.bins.size} bins")
        for i in range(self.bins.size):
            self.hits[i] += int.from_bytes(counts[i * width : (i + 1) * width], "little")
        self.missing += missing
        self.stretch(lowest, highest)

    def stretch(self, lowest: float | None, highest: float | None) -> None:
        """Numbers from `lowest` to `highest` were seen."""
        if lowest is not None:
            self.lowest = lowest if self.lowest is None else min(self.lowest, lowest)
        if highest is not None:
            self.highest = highest if self.highest is None else max(self.highest, highest)

    @property
    def counts(self) -> list[int]:
        """By bin."""
        return [self.hits[i] for i in range(self.bins.size)]

    @property
    def range(self) -> tuple[float | None, float | None]:
        """Least and greatest number."""
        return self.lowest, self.highest


class Counted:
    """One window of one model version. bins: of each column by name, in the order of the schema, the score first."""

    def __init__(self, bins: Mapping[str, Numeric | Named]) -> None:
        self.rows = self.positives = self.decided = 0
        self.tallies = {name: Tally(mine) for name, mine in bins.items()}

    def add(self, columns: Mapping[str, Sequence[float] | Sequence[str]], decisions: Iterable[bool]) -> None:
        """Rows by column, and their decisions."""
        taken = list(decisions)
        for name, tally in self.tallies.items():
            tally.add(columns[name])
        self.rows += len(taken)
        self.decided += len(taken)
        self.positives += sum(taken)
