"""Decision trees scored many rows at a time, in numpy: by which leaves each comparison leaves possible.

A row's leaf is the first, from the left, that no false comparison rules out: one at x <= threshold rules out the leaves
on its left. Those that are left of a tree are the bits of a word; for each column and each stretch between two of its
thresholds there is one row of words, of all trees. So a row of features costs a search in each column's thresholds, an
AND with what is found there, and a look at the first bit of each word: no branch for the processor to foretell, which
is what walking the trees costs. The sums are added up in the order of the trees, and so are onnxruntime's, bit for bit.

Source: QuickScorer (Lucchese et al., SIGIR 2015, section 3), with the ANDs of each column done beforehand.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.trees import TreeArrays

Scores = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

MOST_LEAVES = 32
"""Of one tree. A word of 16 or 32 bits is a float exactly, whose exponent is the place of the first bit."""
MOST_BYTES = 32 << 20
"""Of all words; 200 trees of 31 leaves have 2 MB, 1,000 have 22, and take half as long as to walk them even then."""
_ROWS = 256
"""At a time: so many words of 200 trees stay in the cache."""


class _Kind(NamedTuple):
    """How words become places. exponent: by so many bits it lies above the float's end; zero: what it is for 1."""

    word: type[Any]
    bits: int
    all_: int
    float_: type[Any]
    whole: type[Any]
    exponent: int
    zero: int


_NARROW = _Kind(np.uint16, 16, 0xFFFF, np.float32, np.int32, 23, 127)
_WIDE = _Kind(np.uint32, 32, 0xFFFFFFFF, np.float64, np.int64, 52, 1023)


class _Column(NamedTuple):
    """words: shape (thresholds + 1, trees): of a value by how many thresholds are below it; the last one: missing."""

    place: int
    thresholds: npt.NDArray[np.float64]
    words: npt.NDArray[Any]


class TreeBits:
    """Made by tree_bits()."""

    def __init__(self, kind: _Kind, columns: list[_Column], leaves: npt.NDArray[np.float64]) -> None:
        """leaves: values by the place of their bit, shape (trees, bits)."""
        self._kind = kind
        self._columns = columns
        self._trees = len(leaves)
        self._leaves = leaves.ravel()
        self._begins = (np.arange(self._trees) * kind.bits - kind.zero).astype(kind.whole)[:, None]

    def sums(self, rows: npt.NDArray[np.float64]) -> Scores:
        """Of the leaves that each row falls into. rows: shape (rows, columns), NaN where missing."""
        columns, kind = np.ascontiguousarray(rows.T), self._kind
        sums = np.empty(len(rows))
        for start in range(0, len(rows), _ROWS):
            part = columns[:, start : start + _ROWS]
            possible = np.full((part.shape[1], self._trees), kind.all_, kind.word)
            found = np.empty_like(possible)
            for place, thresholds, words in self._columns:
                words.take(thresholds.searchsorted(part[place]), 0, found, "clip")
                np.bitwise_and(possible, found, possible)
            first = np.ascontiguousarray(possible.T).astype(kind.float_).view(kind.whole)
            first >>= kind.exponent
            first += self._begins
            np.add.reduce(self._leaves.take(first, mode="clip"), 0, out=sums[start : start + _ROWS])
        return sums


def tree_bits(trees: TreeArrays, width: int) -> TreeBits | None:
    """None where a tree has too many leaves, or the words would be too many. trees: checked (TreeTables.arrays)."""
    found = _ordered(trees)
    if found is None:
        return None
    tree, first, leaves = found
    kind = _NARROW if leaves.max() <= _NARROW.bits else _WIDE
    inner = trees.feature >= 0
    used = [
        (place, np.unique(np.append(trees.threshold[trees.feature == place], np.inf)))
        for place in range(width)
        if (trees.feature == place).any()
    ]
    if sum(len(thresholds) + 1 for _, thresholds in used) * len(trees.roots) * kind.bits // 8 > MOST_BYTES:
        return None
    without = np.zeros((2, len(tree)), kind.word)  # the words without the leaves on the left, and on the right
    for side, child in enumerate((trees.left[inner], trees.right[inner])):
        ruled_out = ((1 << leaves[child]) - 1) << (kind.bits - first[child] - leaves[child])
        without[side, inner] = ~ruled_out.astype(kind.word)
    columns = [_column(trees, tree, without, place, thresholds) for place, thresholds in used]
    values = np.zeros((len(trees.roots), kind.bits))
    values[tree[~inner], kind.bits - 1 - first[~inner]] = trees.value[~inner]
    return TreeBits(kind, columns, values)


def _column(
    trees: TreeArrays, tree: Places, without: npt.NDArray[Any], place: int, thresholds: npt.NDArray[np.float64]
) -> _Column:
    splits = np.flatnonzero(trees.feature == place)
    words = np.full((len(thresholds) + 1, len(trees.roots)), np.iinfo(without.dtype).max, without.dtype)
    passable = splits[trees.threshold[splits] < np.inf]  # no number is above infinity
    passed = thresholds.searchsorted(trees.threshold[passable]) + 1
    np.bitwise_and.at(words, (passed, tree[passable]), without[0, passable])
    np.bitwise_and.accumulate(words[:-1], 0, out=words[:-1])
    missing = np.where(trees.missing_left[splits] == 1, without[1, splits], without[0, splits])
    np.bitwise_and.at(words[-1], tree[splits], missing)
    return _Column(place, thresholds, words)


def _ordered(trees: TreeArrays) -> tuple[Places, Places, Places] | None:
    """Of each node: its tree, the place of its first leaf from the left in it, and how many leaves it has below.

    None where a tree has too many leaves.
    """
    tree, first = np.zeros((2, len(trees.feature)), np.int64)
    leaves = (trees.feature < 0).astype(np.int64)
    tree[trees.roots] = np.arange(len(trees.roots))
    levels, level = [], trees.roots
    while len(level):
        splits = level[trees.feature[level] >= 0]
        levels.append(splits)
        for side in (trees.left, trees.right):
            tree[side[splits]] = tree[splits]
        level = np.concatenate([trees.left[splits], trees.right[splits]])
    if np.bincount(tree, leaves).max() > MOST_LEAVES:
        return None
    for splits in reversed(levels):
        leaves[splits] = leaves[trees.left[splits]] + leaves[trees.right[splits]]
    for splits in levels:
        first[trees.left[splits]] = first[splits]
        first[trees.right[splits]] = first[splits] + leaves[trees.left[splits]]
    return tree, first, leaves
