"""Paths: for each leaf of a forest, what its way down asks of each column, in tables that a row passes at once.

Splits on one column along a path are one question: is the value in (low, high], or missing where all of them send
missing values this way? share is the product of their covers' ratios: how many of the fit's rows would follow them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.trees import TreeArrays

MAX_QUESTIONS = 10_000_000
"""Leaves times columns on their paths: some 300 MB. A larger forest would take seconds for a row."""
_LEAVES_AT_A_TIME = 50_000
_CHUNK = 40_000

Floats = npt.NDArray[np.float64]


class TooLarge(Exception):
    """The forest has more paths than are worth while."""


class Paths(NamedTuple):
    """Leaves with the same number of columns on their paths: all shapes are (columns, leaves), value (leaves,).

    low: NaN where there is no bound. missing: whether a missing value follows.
    """

    value: Floats
    column: npt.NDArray[np.int64]
    share: Floats
    low: Floats
    high: Floats
    missing: npt.NDArray[np.bool_]

    def followed(self, row: Floats) -> npt.NDArray[np.bool_]:
        """Whether the row answers each question as the leaf's path does. row: encoded columns, NaN where missing."""
        x = row[self.column]
        return np.where(np.isnan(x), self.missing, (x <= self.high) & ~(x <= self.low))


class _Steps(NamedTuple):
    """One entry for each split above each leaf."""

    leaf: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    ratio: Floats
    low: Floats
    high: Floats
    missing: npt.NDArray[np.bool_]


def paths_of(trees: TreeArrays, *, most: int = MAX_QUESTIONS, at_a_time: int = _LEAVES_AT_A_TIME) -> list[Paths]:
    """All leaves in tables small enough for a processor's cache. trees: with covers. Raises TooLarge above `most`."""
    found: list[Paths] = []
    questions = 0
    leaves = np.flatnonzero(trees.feature < 0)
    for at in range(0, len(leaves), at_a_time):
        for paths in _tables(trees, leaves[at : at + at_a_time], most):
            questions += paths.column.size
            if questions > most:
                raise _too_large(most)
            found.append(paths)
    return found


def _tables(trees: TreeArrays, leaves: npt.NDArray[np.int64], most: int) -> Iterator[Paths]:
    steps = _steps(trees, leaves, most)
    order = np.lexsort((steps.column, steps.leaf))
    leaf, column = steps.leaf[order], steps.column[order]
    first = np.flatnonzero(np.r_[True, (leaf[1:] != leaf[:-1]) | (column[1:] != column[:-1])])
    leaf, column = leaf[first], column[first]
    share = np.multiply.reduceat(steps.ratio[order], first)
    low = np.fmax.reduceat(steps.low[order], first)
    high = np.minimum.reduceat(steps.high[order], first)
    missing = np.logical_and.reduceat(steps.missing[order], first)
    amounts = np.bincount(leaf, minlength=len(leaves))
    starts = np.cumsum(amounts) - amounts
    for amount in np.unique(amounts):
        members = np.flatnonzero(amounts == amount)
        leaves_in_one = max(1, _CHUNK // int(amount) ** 2)
        for at in range(0, len(members), leaves_in_one):
            chosen = members[at : at + leaves_in_one]
            where = starts[chosen] + np.arange(amount)[:, None]
            value = trees.value[leaves[chosen]]
            yield Paths(value, column[where], share[where], low[where], high[where], missing[where])


def _steps(trees: TreeArrays, leaves: npt.NDArray[np.int64], most: int) -> _Steps:
    """Up from all leaves at once, one split at a time."""
    inner = np.flatnonzero(trees.feature >= 0)
    parent = np.full(len(trees.feature), -1, dtype=np.int64)
    parent[trees.left[inner]] = parent[trees.right[inner]] = inner
    is_left = np.zeros(len(parent), dtype=np.bool_)
    is_left[trees.left[inner]] = True
    found: list[_Steps] = []
    met, node, leaf = 0, leaves, np.arange(len(leaves))
    while True:
        up = parent[node]
        node, leaf, up = node[up >= 0], leaf[up >= 0], up[up >= 0]
        if not len(up):
            break
        met += len(up)
        if met > most:
            raise _too_large(most)
        left, threshold = is_left[node], trees.threshold[up]
        found.append(
            _Steps(
                leaf,
                trees.feature[up].astype(np.int64),
                trees.cover[node] / trees.cover[up],
                np.where(left, np.nan, threshold),
                np.where(left, threshold, np.inf),
                left == (trees.missing_left[up] == 1),
            )
        )
        node = up
    return _Steps(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"its trees have more than {most:,} splits above leaves")
