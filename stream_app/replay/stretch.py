"""Stretch: consecutive rows of a file by column, checked and typed, ready to be counted without making events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter

Rows = npt.NDArray[np.intp]
Times = npt.NDArray[np.int64]


class Share(NamedTuple):
    """The rows of one model version. rows: their positions in the stretch, rising. columns: one a monitored feature, in
    the order of the schema: float64 with NaN for missing, or a list with None. decisions: None where there is none.
    """

    baseline: Baseline
    rows: Rows
    columns: list[npt.NDArray[np.float64] | list[Any]]
    scores: npt.NDArray[np.float64]
    decisions: list[bool | None]


class Stretch(NamedTuple):
    """numbers: of the rows in the file, from 0. times: milliseconds UTC. ids: None where the file has none. Each of
    these rows is in one share. refused: the rows that cannot be used. read: rows of the file, those included.
    """

    numbers: Rows
    times: Times
    ids: Sequence[str] | None
    shares: list[Share]
    refused: list[DeadLetter]
    read: int
