"""Bins of a numeric feature and Levels of a categorical one: fixed once from the reference, and versioned with it.

Bins never move with the current window: counts of any two windows can then be added and compared bin by bin.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidReference

Floats = npt.NDArray[np.float64]
Counted = npt.NDArray[np.int64]

EQUAL_MASS_BINS = 240
"""Nests 10, 20 and 24 groups exactly."""
TAIL_MASSES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3)
"""Extra edges in both tails: a shift of the tail alone then costs KS at most .0008."""
SENTINELS = (0.0, -1.0, 999.0, -999.0, 9999.0, -9999.0, 1e9)
"""Values that stand for "nothing" in somebody's code: each always owns a bin, so a default fill shows as a spike."""
_QUARTER_DECADES = np.array([10.0 ** (k / 4) for k in range(-8, 41)])  # .01 to 1e10
TOP_LEVELS = 50
_MANY = 64


class Bins(msgspec.Struct, frozen=True, dict=True, tag="numeric", forbid_unknown_fields=True):
    """Bins of a numeric feature: bin i holds edges[i-1] <= x < edges[i]; the outer two are open.

    lowest, highest: the range of the reference. Bins outside it count what is out of range: one value per quarter
    decade, so that a change of unit can be told from its histogram.
    """

    edges: tuple[float, ...]
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not self.edges or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise InvalidReference("bin edges must be rising and at least one")
        if not all(map(math.isfinite, self.edges)):
            raise InvalidReference("bin edges must be finite")

    @cached_property
    def edge_array(self) -> Floats:
        """The edges, float64, shape (size - 1,)."""
        return np.array(self.edges, dtype=np.float64)

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1

    @cached_property
    def inside(self) -> slice:
        """The bins of the reference's own range; every other bin is out of range."""
        first = int(np.searchsorted(self.edge_array, self.lowest, side="right"))
        last = int(np.searchsorted(self.edge_array, self.highest, side="right"))
        return slice(first, last + 1)

    @cached_property
    def atoms(self) -> npt.NDArray[np.bool_]:
        """Which bins hold one single value, shape (size,)."""
        single = np.zeros(self.size, dtype=np.bool_)
        single[1:-1] = self.edge_array[1:] == np.nextafter(self.edge_array[:-1], np.inf)
        return single

    def count(self, rising: Floats) -> Counted:
        """How many of the values are in each bin, shape (size,). rising: sorted, without NaN.

        Where values are many, the edges are searched in them: with the sorting that takes half of searching each value
        among the edges. Below edges[i] and not below edges[i-1] is what bin i holds.
        """
        if rising.size < _MANY:
            return np.bincount(self.edge_array.searchsorted(rising, side="right"), minlength=self.size)
        below = np.empty(self.size + 1, dtype=np.int64)
        below[0], below[-1] = 0, rising.size
        below[1:-1] = rising.searchsorted(self.edge_array)
        return below[1:] - below[:-1]

    @classmethod
    def fit(cls, values: Floats) -> Bins:
        """Bins for a reference sample, NaN left out: equal mass, finer tails, a bin for each atom and sentinel.

        An atom is a value with more mass than one bin. Raises InvalidReference without a single finite value, or
        with an infinite one.
        """
        known = np.sort(values[~np.isnan(values)])
        if known.size == 0:
            raise InvalidReference("no value is present: leave the feature out of the monitored ones")
        if not np.isfinite(known[[0, -1]]).all():
            raise InvalidReference("a value is infinite: replace it by null in the reference")
        lowest, highest = float(known[0]), float(known[-1])
        tails = np.array(TAIL_MASSES)
        masses = np.concatenate([np.arange(1, EQUAL_MASS_BINS) / EQUAL_MASS_BINS, tails, 1 - tails])
        quantiles = known[np.minimum((masses * known.size).astype(np.intp), known.size - 1)]
        distinct, counts = np.unique(known, return_counts=True)
        alone = np.concatenate([distinct[counts > known.size / EQUAL_MASS_BINS], np.array(SENTINELS)])
        decades = np.concatenate([-_QUARTER_DECADES, _QUARTER_DECADES])
        edges = [quantiles, alone, np.nextafter(alone, np.inf), decades[(decades < lowest) | (decades > highest)]]
        edges.append(np.array([lowest, np.nextafter(highest, np.inf)]))
        # -0.0 and 0.0 are one edge; + 0.0 gives it one sign
        return cls(tuple((np.unique(np.concatenate(edges)) + 0.0).tolist()), lowest, highest)


class Levels(msgspec.Struct, frozen=True, dict=True, tag="categorical", forbid_unknown_fields=True):
    """Levels of a categorical or boolean feature: the most frequent ones, OTHER for the rest of the reference's,
    UNSEEN for those that the reference never had. Booleans are the levels "false" and "true".

    levels: the top levels, one bin each. rest: the reference's other levels, all in one bin.
    """

    levels: tuple[str, ...]
    rest: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of bins: one for each level, OTHER, UNSEEN."""
        return len(self.levels) + 2

    @property
    def other(self) -> int:
        """The bin of the reference's rarer levels."""
        return len(self.levels)

    @property
    def unseen(self) -> int:
        """The bin of levels that the reference never had."""
        return len(self.levels) + 1

    @cached_property
    def bin_of(self) -> dict[str | bool, int]:
        """The bin of each value that the reference had; of any other it is `unseen`."""
        table: dict[str | bool, int] = dict.fromkeys(self.rest, self.other)
        table |= {level: i for i, level in enumerate(self.levels)}
        for flag, text in ((True, "true"), (False, "false")):
            if text in table:
                table[flag] = table[text]
        return table

    def count(self, values: Iterable[str | bool | None]) -> tuple[Counted, int]:
        """How many of the values are in each bin, shape (size,), and how many are None."""
        amounts, counts = Counter(values), np.zeros(self.size, dtype=np.int64)
        missing = amounts.pop(None, 0)
        for value, amount in amounts.items():
            counts[self.bin_of.get(value, self.unseen)] += amount  # type: ignore[arg-type]  # None was taken out
        return counts, missing

    @classmethod
    def fit(cls, values: Sequence[str | bool | None], top: int = TOP_LEVELS) -> Levels:
        """Levels of a reference sample, ties in frequency by name. Raises InvalidReference without values."""
        known = [str(value).lower() if isinstance(value, bool) else value for value in values if value is not None]
        if not known:
            raise InvalidReference("no value is present: leave the feature out of the monitored ones")
        distinct, counts = np.unique(np.array(known, dtype=np.str_), return_counts=True)
        ranked = [str(distinct[i]) for i in np.lexsort((distinct, -counts))]
        return cls(tuple(ranked[:top]), tuple(sorted(ranked[top:])))


Binning = Bins | Levels
