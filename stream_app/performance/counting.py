"""OutcomeCounts: labels counted into what performance is computed from. Counting the parts and adding them up equals
counting the whole, exactly.

A row is counted in one *cell*, an integer that fits two bytes: of a classifier its score's bin, its truth and its
decision, of a regression the bins of prediction and truth. Whoever remembers a row's cell can take the row back when
another truth is said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.errors import InvalidMessage
from contracts.outcomes import Outcomes, Residuals
from stream_app.performance.bins import classifies, residual_edges_of, score_edges_of

Cells = npt.NDArray[np.int32]
UNDECIDED = -1
"""A decision that is not known: the baseline's threshold decides."""


class OutcomeCounts:
    """Counts over the bins of one baseline. counts: int64, of a classifier shape (2 * bins,): each bin's rows of truth
    0, then of truth 1; of a regression (bins * bins,), see contracts.outcomes.Residuals. decided: rows decided
    positively, of truth 0 and of truth 1. A count below 0 is possible while rows are taken back that another part has.
    """

    __slots__ = ("_threshold", "bins", "classifies", "counts", "decided", "edges")

    def __init__(self, baseline: Baseline) -> None:
        self.classifies = classifies(baseline)
        self.edges = score_edges_of(baseline) if self.classifies else residual_edges_of(baseline)
        self.bins = self.edges.size + 1
        self.counts = np.zeros(self.bins * (2 if self.classifies else self.bins), dtype=np.int64)
        self.decided = np.zeros(2, dtype=np.int64)
        self._threshold = baseline.threshold if self.classifies else None

    def usable(self, scores: Any, truths: Any) -> npt.NDArray[np.bool_]:
        """Which rows can be counted, shape (rows,): the score is a number, and the truth is 0 or 1, or for a regression
        finite."""
        scores, truths = np.asarray(scores, dtype=np.float64), np.asarray(truths, dtype=np.float64)
        known = (truths == 0) | (truths == 1) if self.classifies else np.isfinite(truths)
        usable: npt.NDArray[np.bool_] = np.isfinite(scores) & known
        return usable

    def cells(self, scores: Any, truths: Any, decisions: Any = None) -> Cells:
        """The cell of each row, shape (rows,). decisions: bool, or 1, 0 and UNDECIDED; None: nobody knows any.

        Raises ValueError for a row that is not `usable`.
        """
        scores, truths = np.asarray(scores, dtype=np.float64), np.asarray(truths, dtype=np.float64)
        usable = self.usable(scores, truths)
        if not usable.all():
            odd = int(np.flatnonzero(~usable)[0])
            raise ValueError(f"row {odd} cannot be counted: score {scores[odd]}, truth {truths[odd]}")
        found = self.edges.searchsorted(scores, side="right")
        if self.classifies:
            cells = (found * 2 + truths.astype(np.int64)) * 2 + self._decided(scores, decisions)
        else:
            cells = (found * self.bins + self.edges.searchsorted(truths, side="right")) * 2
        return np.asarray(cells, dtype=np.int32)

    def add(self, scores: Any, truths: Any, decisions: Any = None) -> Cells:
        """Count rows; returns their cells. Raises ValueError, see `cells`."""
        cells = self.cells(scores, truths, decisions)
        self.add_cells(cells)
        return cells

    def add_cells(self, cells: npt.ArrayLike) -> None:
        """Count rows by their cells."""
        self._count(np.asarray(cells, dtype=np.int64), 1)

    def subtract_cells(self, cells: npt.ArrayLike) -> None:
        """Take rows back: another truth was said, and is counted beside."""
        self._count(np.asarray(cells, dtype=np.int64), -1)

    def merge(self, other: OutcomeCounts | Outcomes | Residuals) -> None:
        """Add counts over the same bins. Raises InvalidMessage when they are not."""
        if isinstance(other, OutcomeCounts):
            if other.counts.shape != self.counts.shape or other.classifies != self.classifies:
                raise InvalidMessage("outcomes over different bins cannot be added")
            self.counts += other.counts
            self.decided += other.decided
        elif isinstance(other, Outcomes) and self.classifies and len(other.negatives) == self.bins:
            self.counts[0::2] += np.array(other.negatives, dtype=np.int64)
            self.counts[1::2] += np.array(other.positives, dtype=np.int64)
            self.decided += np.array(other.decided or (0, 0), dtype=np.int64)
        elif isinstance(other, Residuals) and not self.classifies and other.edges == tuple(self.edges.tolist()):
            self.counts += np.array(other.counts, dtype=np.int64)
        else:
            raise InvalidMessage("outcomes over different bins cannot be added: made with another baseline")

    @property
    def labelled(self) -> int:
        """Rows counted."""
        return int(self.counts.sum())

    @property
    def positives(self) -> int | None:
        """Rows of truth 1; None for a regression."""
        return int(self.counts[1::2].sum()) if self.classifies else None

    def value(self) -> Outcomes | Residuals:
        """The counts as they travel. Raises InvalidBaseline while a count is negative."""
        if not self.classifies:
            return Residuals(tuple(self.edges.tolist()), tuple(self.counts.tolist()))
        decided = None if self._threshold is None else (int(self.decided[0]), int(self.decided[1]))
        return Outcomes(tuple(self.counts[0::2].tolist()), tuple(self.counts[1::2].tolist()), decided)

    @classmethod
    def of(cls, baseline: Baseline, value: Outcomes | Residuals) -> OutcomeCounts:
        """The counts that `value` was taken of. Raises InvalidMessage when it does not fit the baseline."""
        counts = cls(baseline)
        counts.merge(value)
        return counts

    def _decided(self, scores: npt.NDArray[np.float64], decisions: Any) -> npt.NDArray[np.int64]:
        if self._threshold is None:
            return np.zeros(scores.shape, dtype=np.int64)
        at_threshold = (scores >= self._threshold).astype(np.int64)
        if decisions is None:
            return at_threshold
        said = np.asarray(decisions).astype(np.int64)
        return np.where(said == UNDECIDED, at_threshold, said)

    def _count(self, cells: npt.NDArray[np.int64], sign: int) -> None:
        where = cells >> 1
        self.counts += sign * np.bincount(where, minlength=self.counts.size)
        decided = where[(cells & 1).astype(bool)] & 1
        self.decided += sign * np.bincount(decided, minlength=2)
