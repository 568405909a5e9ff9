"""Candidate: one explanation of a window's values, with what speaks for it. The best one becomes the cause."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.findings import CauseKind


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """gain: log-likelihood above that of "no change". penalty: for the freedom that the explanation took.

    share: of the known values that are concerned. value, factor, unit: as in contracts.findings.Cause. exact: whether
    `value` is the very value, not just the middle of its bin. upper: of a tail or a clip, which side. in_part: only
    some rows moved.
    """

    kind: CauseKind
    gain: float
    penalty: float
    share: float = 1.0
    value: float | None = None
    factor: float | None = None
    unit: str | None = None
    exact: bool = True
    in_part: bool = False
    upper: bool = True

    @property
    def merit(self) -> float:
        """Penalised gain; what candidates are ranked by."""
        return self.gain - self.penalty
