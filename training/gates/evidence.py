"""What gates look at, and what one of them finds. Values only: who fetched them is training/reports/gate_run.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import pandas as pd

from contracts.baseline import Baseline
from training.evaluation.measures import Labels, Scores
from training.evaluation.record import Evaluation

Status = Literal["passed", "failed", "overridden"]


@dataclass(frozen=True, eq=False)
class Champion:
    """The version that answers now. scores: its own, of the challenger's test rows; None: it could not score them, and
    refused says why. strongest: the AUC of the one feature that alone told most of its own test rows, None where those
    are not known. fitted_on: why it was fitted on some of these rows, "" where nothing on record says so.
    """

    version: str
    baseline: Baseline
    scores: Scores | None
    refused: str = ""
    strongest: float | None = None
    fitted_on: str = ""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of one challenger. features, labels, scores, segments: of its test rows, in one order: the feature frame of
    contracts.model_files; 0 or 1; its own scores; raw columns beyond the features. champion: None where there is none.
    """

    evaluation: Evaluation
    baseline: Baseline
    features: pd.DataFrame
    labels: Labels
    scores: Scores
    segments: pd.DataFrame
    champion: Champion | None

    @property
    def decisions(self) -> Labels:
        """1 where the challenger decides positively at its own threshold, shape (rows,)."""
        return (self.scores >= self.evaluation.threshold).astype(self.labels.dtype)


class Finding(msgspec.Struct, frozen=True):
    """What one gate found. says: one sentence with its numbers. figures: those numbers, by name."""

    gate: str
    status: Status
    says: str
    figures: dict[str, float] = {}


class Verdict(msgspec.Struct, frozen=True):
    """A gate's answer, before it is known whether anybody overrides it."""

    passed: bool
    says: str
    figures: dict[str, float] = {}


def passed(says: str, **figures: float) -> Verdict:
    """The version may go on."""
    return Verdict(True, says, _rounded(figures))


def failed(says: str, **figures: float) -> Verdict:
    """The version may not."""
    return Verdict(False, says, _rounded(figures))


def verdict(wrong: list[str], right: str, **figures: float) -> Verdict:
    """Failed for all that is wrong, passed where nothing is."""
    return failed("; ".join(wrong), **figures) if wrong else passed(right, **figures)


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    """To six digits: a report is read by people."""
    return {name: float(f"{value:.6g}") for name, value in figures.items()}


NO_CHAMPION = passed("no champion: nothing to compare with")
