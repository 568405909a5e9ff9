"""How the reference's scores turned out, put into the baseline: what the performance of its windows is held against."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.baseline import Baseline
from contracts.outcomes import Outcomes, Residuals
from stream_app.performance.bins import residual_edges
from stream_app.performance.counting import OutcomeCounts
from training.data.columns import labels_of, numbers_of
from training.errors import DataError

Floats = npt.NDArray[np.float64]


def with_outcomes(baseline: Baseline, scores: Floats, truths: npt.NDArray[np.int64]) -> Baseline:
    """Of a classifier. scores, truths (0 or 1): of rows that the model was not fitted on, shape (rows,) each."""
    nothing = (0,) * baseline.score.bins.size  # scores may look like a regression's: margins without a threshold
    empty = msgspec.structs.replace(baseline, outcomes=Outcomes(nothing, nothing))
    counts = OutcomeCounts(empty)
    counts.add(scores, truths)
    return msgspec.structs.replace(empty, outcomes=counts.value())


def with_residuals(baseline: Baseline, predictions: Floats, truths: Floats) -> Baseline:
    """Of a regression. predictions, truths: finite, of rows that the model was not fitted on, shape (rows,) each."""
    edges = tuple(residual_edges(np.concatenate([predictions, truths])).tolist())
    empty = msgspec.structs.replace(baseline, residuals=Residuals(edges, (0,) * (len(edges) + 1) ** 2))
    counts = OutcomeCounts(empty)
    counts.add(predictions, truths)
    return msgspec.structs.replace(empty, residuals=counts.value())


def truths_of(table: pd.DataFrame, column: str, *, decided: bool) -> tuple[npt.NDArray[np.int64] | None, Floats | None]:
    """A column of truths: labels 0 and 1, or, where it holds other numbers, the values of a regression; the other is
    None. decided: a threshold was given, so it must be labels. Raises DataError that names the column and the fix.
    """
    try:
        labels = labels_of(table, column, "that is named as the label (--label-column)")
    except DataError as error:
        if column not in table.columns or pd.to_numeric(table[column], errors="coerce").isna().any():
            raise
        if decided:
            raise DataError(f"{error}; or leave out --threshold: without one it is a regression's truth") from None
        return None, numbers_of(table, column, "label", "--label-column")
    for value in (0, 1):
        if not (labels == value).any():
            raise DataError(
                f"label {column!r} is {1 - value} in every row: performance needs rows of both truths; give a longer "
                "reference, or leave out --label-column"
            )
    return labels, None
