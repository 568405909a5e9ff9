"""References and windows for the tests of causes: a column in, a cause out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from contracts.findings import Cause
from contracts.reports import Finding
from stream_app.drift.cause.infer import infer
from tests.drift import counted

Column = Any
VALUES: tuple[Finding, ...] = ("values",)


def reference_of(column: Column) -> Reference:
    """As training makes it: numbers or levels."""
    bins = Bins.fit(column) if isinstance(column, np.ndarray) else Levels.fit(column)
    return Reference.of(counted(bins, column))


def cause_of(
    before: Column, now: Column, findings: tuple[Finding, ...] = VALUES, name: str = "distance"
) -> Cause | None:
    """What is said of the column `now` where the reference is `before`."""
    reference = reference_of(before)
    return infer(reference, counted(reference.bins, now), findings, name)


def some(share: float, now: Column, before: Column) -> Column:
    """The first `share` of the rows as they are now, the others as before."""
    changed = round(share * len(before))
    if isinstance(before, np.ndarray):
        return np.concatenate((now[:changed], before[changed:]))
    return [*now[:changed], *before[changed:]]


def levels(rows: int, seed: int, shares: Sequence[float] = (0.5, 0.3, 0.2), names: str = "abc") -> list[str]:
    return np.random.default_rng(seed).choice(list(names[: len(shares)]), rows, p=shares).tolist()
