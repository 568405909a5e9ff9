"""What others do, one column at a time: tests of scipy, and PSI with its customary limits.

evidently_defaults.py has one more. A window alarms for such a tool when any of its columns does.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

import numpy as np
from scipy import stats

from bench.detection.features import FEATURES, Column
from bench.detection.reference import Drawn

_LEVEL = 0.05
_NEVER = 1e-4
"""What PSI's many implementations put in place of an empty group's share."""


class ColumnTool(Protocol):
    """Rules that look at one column at a time, made for one reference. names: of the rules."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def flags(self, feature: str, column: Column) -> tuple[bool, ...]:
        """Whether each rule calls this window's column drifted."""
        ...


class ScipyTests:
    """Per feature `scipy.stats.ks_2samp`, for categories `chi2_contingency`: p < .05, or that divided by 20 features.

    Missing values are left out, as both want it.
    """

    names = ("KS, p < .05", "KS, Bonferroni")

    def __init__(self, reference: Drawn) -> None:
        self._columns = {name: _known(column) for name, column in reference.by_name.items()}
        self._counted = {name: Counter(column) for name, column in self._columns.items() if column.dtype == object}

    def flags(self, feature: str, column: Column) -> tuple[bool, ...]:
        """See ColumnTool."""
        known = _known(column)
        p = 1.0 if not known.size else self._p(feature, known)
        return p < _LEVEL, p < _LEVEL / len(FEATURES)

    def _p(self, feature: str, known: Column) -> float:
        if known.dtype != object:
            return float(stats.ks_2samp(self._columns[feature], known, method="asymp").pvalue)
        before, now = self._counted[feature], Counter(known)
        table = np.array([[before[level], now[level]] for level in before.keys() | now.keys()])
        return float(stats.chi2_contingency(table).pvalue) if len(table) > 1 else 1.0


class CustomaryPsi:
    """PSI over the reference's deciles, or over its levels, above .1 ("moderate") or .2 ("significant")."""

    names = ("PSI > .1", "PSI > .2")

    def __init__(self, reference: Drawn) -> None:
        self._edges = {
            name: np.unique(np.quantile(_known(column), np.arange(1, 10) / 10))
            for name, column in reference.by_name.items()
            if column.dtype != object
        }
        self._shares = {name: self._shares_of(name, column) for name, column in reference.by_name.items()}

    def flags(self, feature: str, column: Column) -> tuple[bool, ...]:
        """See ColumnTool."""
        before, now = self._shares[feature], self._shares_of(feature, column)
        groups = before.keys() | now.keys()
        p = np.maximum([before.get(group, 0.0) for group in groups], _NEVER)
        q = np.maximum([now.get(group, 0.0) for group in groups], _NEVER)
        psi = float(((q - p) * np.log(q / p)).sum()) if _known(column).size else 0.0
        return psi > 0.1, psi > 0.2

    def _shares_of(self, feature: str, column: Column) -> dict[object, float]:
        known = _known(column)
        groups = known if known.dtype == object else self._edges[feature].searchsorted(known)
        return {group: count / max(known.size, 1) for group, count in Counter(groups.tolist()).items()}


def _known(column: Column) -> Column:
    there = [value is not None for value in column] if column.dtype == object else ~np.isnan(column)
    known: Column = column[there]
    return known
