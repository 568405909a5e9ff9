"""Dataset: what the demo asks of an example: rows to train on, quiet rows to serve, and episodes of drift.

Every frame has the columns of `description`: the features, the label (0 or 1), the entity and the time (UTC).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from contracts.findings import CauseKind
from training.description import Description


@dataclass(frozen=True)
class TrueCause:
    """What an episode does to one feature, as an alert should name it. share: of the rows, 0 to 1."""

    feature: str
    kind: CauseKind
    factor: float
    share: float


@dataclass(frozen=True)
class Episode:
    """One stretch of drift. make(quiet, seed) turns fresh quiet rows into drifted ones, or brings rows of its own.

    blames: features that an alert should name, the first one first. own_rows: make ignores the quiet rows.
    cause: what an alert should say of it, where one sentence can.
    """

    name: str
    title: str
    blames: tuple[str, ...]
    make: Callable[[pd.DataFrame, int], pd.DataFrame]
    own_rows: bool = False
    cause: TrueCause | None = None


class Dataset(Protocol):
    """An example data set. The same seed gives the same rows."""

    @property
    def description(self) -> Description:
        """What the columns mean, in the form that training reads."""
        ...

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Drift to show, in the order in which the demo shows it."""
        ...

    def reference(self, seed: int) -> pd.DataFrame:
        """Rows to train on, in time order."""
        ...

    def quiet(self, seed: int) -> pd.DataFrame:
        """Rows of the same period that `reference(seed)` does not hold, in random order."""
        ...
