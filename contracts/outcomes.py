"""Outcomes: how scores turned out: one histogram of the score for each truth, and the decisions against the truth.

Everything that performance is computed from (AUC, precision, calibration ...) follows from these counts. They merge by
adding, so windows, partitions and workers can be added up in any order.
"""

from __future__ import annotations

import msgspec

from contracts.errors import InvalidBaseline


class Outcomes(msgspec.Struct, frozen=True):
    """Of a classifier's rows whose truth is known. negatives, positives: rows of truth 0 and 1 in each of the bins of
    the baseline's score. decided: rows decided positively of truth 0 and of truth 1; None where there is no threshold.
    """

    negatives: tuple[int, ...]
    positives: tuple[int, ...]
    decided: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.negatives) != len(self.positives):
            raise InvalidBaseline(f"outcomes: {len(self.negatives)} and {len(self.positives)} bins")
        if min((*self.negatives, *self.positives), default=0) < 0:
            raise InvalidBaseline("outcomes: a count is negative")


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each outcome of a decision costs, in a unit of the owner's; a gain is negative."""

    false_positive: float = 1.0
    false_negative: float = 1.0
    true_positive: float = 0.0
    true_negative: float = 0.0


class Residuals(msgspec.Struct, frozen=True):
    """Of a regression's rows whose truth is known: a joint histogram of prediction and truth, row by row of `edges`
    (both share them; shape (len(edges) + 1) squared).

    edges: rising. counts: prediction's bin times (len(edges) + 1) plus truth's bin.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.counts) != (len(self.edges) + 1) ** 2:
            raise InvalidBaseline(f"residuals: {len(self.counts)} counts for {len(self.edges)} edges")
