"""TreeTables: the decision trees of a model as flat arrays, checked so that whoever walks them cannot go astray.

A model file is not trusted (docs/decisions/0006-model-files-are-not-trusted.md): a child that points outside, or back
at its parent, would be a crash or an endless walk in native code. Here every node must be reached exactly once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import InvalidCompiled

MAX_NODES = 8_000_000
MAX_DEPTH = 1_000
"""Deeper than any tree that was fitted to data; native code may build a tree by recursion."""


_UNKNOWN = np.zeros(0)


class TreeArrays(NamedTuple):
    """One entry a node, trees one after the other; roots: one entry a tree. feature: -1 in a leaf.

    cover: how many rows of the fit reached the node, by weight where they had one; empty where that is not known.
    """

    roots: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    missing_left: npt.NDArray[np.uint8]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    cover: npt.NDArray[np.float64] = _UNKNOWN


_TYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(kind)
    for name, kind in zip(TreeArrays._fields, ("<i4", "<i4", "<f8", "u1", "<i4", "<i4", "<f8", "<f8"), strict=True)
}


class TreeTables(msgspec.Struct, frozen=True, omit_defaults=True):
    """The arrays as little-endian bytes.

    A row goes left where its feature is <= threshold, or where it is NaN and missing_left is 1. left, right: 0 in a
    leaf. value: what a leaf adds, 0 elsewhere. Every tree has a split: single leaves belong into a constant. cover:
    empty in files from before explanations; scores do not need it.
    """

    roots: bytes
    feature: bytes
    threshold: bytes
    missing_left: bytes
    left: bytes
    right: bytes
    value: bytes
    cover: bytes = b""

    @staticmethod
    def of(arrays: TreeArrays) -> TreeTables:
        """Freeze arrays."""
        return TreeTables(**{name: getattr(arrays, name).astype(kind).tobytes() for name, kind in _TYPES.items()})

    def arrays(self, width: int) -> TreeArrays:
        """The arrays, checked; read-only. width: how many columns a row has. Raises InvalidCompiled."""
        for name, kind in _TYPES.items():
            size = len(getattr(self, name))
            if size % kind.itemsize or size > MAX_NODES * kind.itemsize:
                raise InvalidCompiled(f"trees: {name} has {size} bytes")
        found = TreeArrays(**{name: np.frombuffer(getattr(self, name), kind) for name, kind in _TYPES.items()})
        _check_values(found, width)
        _check_shape(found)
        _check_cover(found)
        return found


def _check_values(trees: TreeArrays, width: int) -> None:
    nodes = len(trees.feature)
    arrays = trees[1:] if len(trees.cover) else trees[1:-1]
    if not nodes or not len(trees.roots) or any(len(array) != nodes for array in arrays):
        raise InvalidCompiled(f"trees: {[len(array) for array in trees]} entries do not belong together")
    inner = trees.feature >= 0
    if trees.feature.min() < -1 or trees.feature.max() >= width:
        raise InvalidCompiled(f"trees: a split reads a column that is not among the {width}")
    if np.isnan(trees.threshold[inner]).any() or not np.isfinite(trees.value).all():
        raise InvalidCompiled("trees: a threshold or a leaf's value is not a number")
    if trees.missing_left.max() > 1:
        raise InvalidCompiled("trees: missing_left is neither 0 nor 1")
    if not (_within(trees.roots, nodes) and _within(trees.left, nodes) and _within(trees.right, nodes)):
        raise InvalidCompiled(f"trees: a node outside the {nodes} there are")
    if not inner[trees.roots].all():
        raise InvalidCompiled("trees: a tree without a split")


def _check_cover(trees: TreeArrays) -> None:
    """Shares of a parent's rows are divided by: each lies above 0 and is at most 1."""
    if not len(trees.cover):
        return
    inner = trees.feature >= 0
    if not np.isfinite(trees.cover).all():
        raise InvalidCompiled("trees: a cover is not a number")
    for child in (trees.left[inner], trees.right[inner]):
        if not ((trees.cover[child] > 0) & (trees.cover[child] <= trees.cover[inner])).all():
            raise InvalidCompiled("trees: a node was reached by no row of the fit, or by more than its parent")


def _within(places: npt.NDArray[np.int32], nodes: int) -> bool:
    return bool(places.min() >= 0 and places.max() < nodes)


def _check_shape(trees: TreeArrays) -> None:
    """Walk all trees level by level: every node is met exactly once."""
    met = np.zeros(len(trees.feature), dtype=np.int64)
    level = trees.roots
    for _ in range(MAX_DEPTH):
        np.add.at(met, level, 1)
        if met.max() > 1:
            break  # two parents, or a circle
        splits = level[trees.feature[level] >= 0]
        if not len(splits):
            break
        level = np.concatenate([trees.left[splits], trees.right[splits]])
    else:
        raise InvalidCompiled(f"trees: deeper than {MAX_DEPTH}")
    if (met != 1).any():
        raise InvalidCompiled("trees: a node that is reached more than once, or never")
