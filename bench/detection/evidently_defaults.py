"""Evidently as it comes: for each column the test and the threshold that its `DataDriftPreset` chooses by default.

The extra `detection` installs it (it wants pandas below 3). A report with its plots takes seconds a window, so the
drift functions that the report calls are called directly; `agrees` holds the two against each other once.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.detection.features import FEATURES, Column
from bench.detection.reference import Drawn, frame_of

os.environ.setdefault("DO_NOT_TRACK", "1")  # it would report its use to its makers otherwise

from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.presets import DataDriftPreset

_KINDS = {feature.name: "num" if feature.kind == "numeric" else "cat" for feature in FEATURES}


class EvidentlyDefaults:
    """rows: of the reference that it is given, the first so many (with up to 1,000 it takes other tests)."""

    def __init__(self, reference: Drawn, rows: int) -> None:
        self.names = (f"Evidently, m = {rows:,}",)
        self._columns = {name: _series(column[:rows]) for name, column in reference.by_name.items()}

    def flags(self, feature: str, column: Column) -> tuple[bool, ...]:
        """See ColumnTool. Raises ValueError for a column without a value, as Evidently does."""
        reference, current, kind = self._columns[feature], _series(column), _KINDS[feature]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = get_stattest(reference, current, kind, None)
            return (bool(test(reference, current, kind, None).drifted),)


def agrees(reference: Drawn, rows: int, columns: Sequence[Column]) -> bool:
    """Whether a whole report of these columns calls as many columns drifted as the functions called directly."""
    tool = EvidentlyDefaults(reference, rows)
    directly = sum(tool.flags(f.name, column)[0] for f, column in zip(FEATURES, columns, strict=True))
    definition = DataDefinition(
        numerical_columns=[name for name, kind in _KINDS.items() if kind == "num"],
        categorical_columns=[name for name, kind in _KINDS.items() if kind == "cat"],
    )
    before, now = (
        Dataset.from_pandas(frame_of(tuple(some)), data_definition=definition)
        for some in ([column[:rows] for column in reference.columns], columns)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Report([DataDriftPreset()]).run(now, before).dict()
    counted = next(metric for metric in found["metrics"] if metric["metric_name"].startswith("DriftedColumnsCount"))
    return int(counted["value"]["count"]) == directly


def _series(column: Column) -> pd.Series:
    series = pd.Series(column)
    return series.replace([-np.inf, np.inf], np.nan).dropna() if column.dtype != object else series.dropna()
