"""TreeShap: exact path-dependent Shapley values of the columns of one row, for a sum of trees.

What a forest is worth to a set S of known columns is the expectation of its sum where a split on a column of S is
followed as the row has it, and any other one goes both ways, by the share of the fit's rows that went each (Lundberg,
Erion and Lee 2018, "Consistent individualized feature attribution for tree ensembles", their algorithm 1). For one leaf
of value v that expectation is a product over the columns j on its path:

    v * prod_j (o_j if j in S else z_j),   o_j = 1 where the row answers j's splits as the path does, else 0,
                                           z_j = product of the covers' ratios of j's splits

The Shapley value of such a game is an integral of its multilinear extension along the diagonal (Owen 1972):

    phi_i = v * integral over t in [0, 1] of (o_i - z_i) * prod_{j != i} (z_j (1 - t) + o_j t) dt

The integrand is a polynomial of degree d - 1 for d columns, so Gauss-Legendre with ceil(d / 2) points is exact, not an
approximation; that the polynomial need only be evaluated at points is the idea of Linear TreeShap (Yu, Bifet, Read and
Xu 2022). No subtraction of near numbers: it stays exact to some 1e-14 at any depth.

A tree that is `1 if x <= 5 else 0`, by which 3 of 4 rows went left; for x = 2:

>>> trees = TreeArrays(
...     roots=np.array([0]), feature=np.array([0, -1, -1]), threshold=np.array([5.0, 0, 0]),
...     missing_left=np.array([1, 0, 0]), left=np.array([1, 0, 0]), right=np.array([2, 0, 0]),
...     value=np.array([0, 1.0, 0]), cover=np.array([4.0, 3, 1]))
>>> shap = TreeShap(trees, 1)
>>> float(shap.base), shap.contributions(np.array([2.0])).tolist()
(0.75, [0.25])
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from api.explaining.paths import Floats, Paths, paths_of
from contracts.trees import TreeArrays


class _Table(NamedTuple):
    """Paths with their points: t and 1 - t, shape (points, 1, 1); weights times values, shape (points, leaves)."""

    paths: Paths
    t: Floats
    rest: Floats
    weighted: Floats


class TreeShap:
    """trees: with covers. width: how many columns a row has. base: the expected sum, of no known column.

    Raises api.explaining.paths.TooLarge.
    """

    def __init__(self, trees: TreeArrays, width: int) -> None:
        self._width = width
        self._tables = [_table(paths) for paths in paths_of(trees)]
        self.base = float(sum((table.paths.value * table.paths.share.prod(axis=0)).sum() for table in self._tables))

    def contributions(self, row: Floats) -> Floats:
        """Of each column, shape (width,): with `base` they add up to the trees' sum. row: NaN where missing."""
        total = np.zeros(self._width)
        for paths, t, rest, weighted in self._tables:
            followed = paths.followed(row)
            factors = paths.share * rest + followed * t  # (points, columns, leaves), above 0 as every share is
            products = factors.prod(axis=1) * weighted
            gains = (products[:, None, :] / factors).sum(axis=0) * (followed - paths.share)
            total += np.bincount(paths.column.ravel(), gains.ravel(), self._width)
        return total


def _table(paths: Paths) -> _Table:
    points, weights = np.polynomial.legendre.leggauss((len(paths.column) + 1) // 2)
    t = ((points + 1) / 2).reshape(-1, 1, 1)
    return _Table(paths, t, 1 - t, weights.reshape(-1, 1) / 2 * paths.value)
