"""Dataset: what the demo asks of an example: rows to train on, quiet rows to serve, and episodes of drift.

Every frame has the columns of `description`: the features, the label (0 or 1), the entity and the time (UTC).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from contracts.findings import CauseKind
from training.data.description import Description


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


@dataclass(frozen=True, eq=False)
class SecondAct:
    """What happens after the bug was repaired: the world itself moves, the truth comes late, the loop closes.

    rows: in the order in which they are sent. rows_per_window: as many in each. learn: so many windows are labelled
    before retraining may begin, so that all of them are learnt. blames: features that a drift alert must name; none:
    no feature may move. base: whether the reference is learnt beside them, or is a world that is over.
    reference_rows: as many rows of the reference cover the same stretch of the world as a window of these does, so that
    training can learn how much such windows differ by nature; None: they differ by chance alone. muted: features that
    an operator would mute from the start, each with the reason.
    """

    name: str
    title: str
    rows: pd.DataFrame
    rows_per_window: int
    learn: int
    blames: tuple[str, ...]
    base: bool
    reference_rows: int | None = None
    muted: tuple[tuple[str, str], ...] = ()


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

    def second_act(self, seed: int) -> SecondAct:
        """The world moves for good."""
        ...
