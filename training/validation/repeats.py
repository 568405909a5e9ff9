"""Repeats: rows that are there more than once, and test rows that were trained on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.data.columns import Labels
from training.validation.finding import Finding

_WORTH_SAYING = 0.01


def repeated(features: pd.DataFrame, labels: Labels | None = None) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each row, of its label too where labels are given: equal rows have equal ones."""
    hashes: npt.NDArray[np.uint64] = pd.util.hash_pandas_object(features, index=False).to_numpy().astype(np.uint64)
    return hashes if labels is None else hashes * np.uint64(2) + labels.astype(np.uint64)


def duplicate_findings(features: pd.DataFrame, labels: Labels, limit: float) -> list[Finding]:
    """Of rows that repeat an earlier one, label included."""
    again = pd.Series(repeated(features, labels)).duplicated().to_numpy()
    share = float(again.mean())
    if share <= min(limit, _WORTH_SAYING):
        return []
    row = int(np.flatnonzero(again)[0]) + 1
    said = f"{share:.1%} of the rows repeat an earlier one, row {row} is the first (checks.duplicates {limit:g})"
    return [Finding(f"{said}: remove them, or raise the limit if rows may be alike", fatal=share > limit)]


def overlap_findings(training: pd.DataFrame, test: pd.DataFrame, limit: float) -> list[Finding]:
    """Of test rows whose features are those of a training row."""
    share = float(np.isin(repeated(test), repeated(training)).mean())
    if share <= min(limit, _WORTH_SAYING):
        return []
    said = f"{share:.1%} of the test rows are also among the training rows (checks.overlap {limit:g})"
    return [
        Finding(
            f"{said}: the test would flatter; remove repeats, or raise the limit if rows may be alike", share > limit
        )
    ]
