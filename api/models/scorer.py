"""Scorer: rows of a request's features to scores, through the model's own predict_proba (or predict).

One frame is built for the whole batch: the frame, not the model, is what costs (5.4 ms for one row, .3 ms a row for
16). `api.models.compiled` is the fast one; both have the same two names, `kind` and `score`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from api.errors import ModelRefused, ScoringFailed
from contracts.model_files import FRAME_DTYPES
from contracts.schema import FeatureSchema

if TYPE_CHECKING:
    import pandas as pd

Scores = npt.NDArray[np.float64]


class Scorer(Protocol):
    """What the predictor asks of one. kind: told in `GET /model` and a metric."""

    @property
    def kind(self) -> str: ...

    def score(self, rows: Sequence[msgspec.Struct]) -> Scores:
        """One score a row, float64, shape (len(rows),). Raises ScoringFailed."""


class FrameScorer:
    """Scores with a scikit-learn estimator on a pandas frame. rows: structs of the schema's features_type."""

    def __init__(self, estimator: Any, schema: FeatureSchema) -> None:
        """Raises ModelRefused for an estimator that gives no single score."""
        classes = getattr(estimator, "classes_", None)
        if hasattr(estimator, "predict_proba"):
            if classes is None or len(classes) != 2:
                raise ModelRefused(
                    f"the classifier has {0 if classes is None else len(classes)} classes, it must have 2"
                )
            self.kind = "predict_proba"
        elif hasattr(estimator, "predict"):
            self.kind = "predict"
        else:
            raise ModelRefused(f"a {type(estimator).__name__} has neither predict_proba nor predict")
        _run_on_one_thread(estimator)
        self._estimator = estimator
        self._columns = [(feature.name, FRAME_DTYPES[feature.kind]) for feature in schema.features]

    def score(self, rows: Sequence[msgspec.Struct]) -> Scores:
        frame = self._frame(rows)
        try:
            raw = self._estimator.predict_proba(frame)[:, 1] if self.kind == "predict_proba" else self._predict(frame)
            return np.asarray(raw, dtype=np.float64)
        except Exception as error:  # a user's model may raise anything
            raise ScoringFailed(f"The model failed: {type(error).__name__}: {error}") from error

    def _predict(self, frame: pd.DataFrame) -> Any:
        return np.ravel(self._estimator.predict(frame))

    def _frame(self, rows: Sequence[msgspec.Struct]) -> pd.DataFrame:
        import pandas as pd  # .3 s that a version with a compiled form does not need

        values = zip(*map(msgspec.structs.astuple, rows), strict=True)
        return pd.DataFrame(
            {name: _column(column, dtype) for (name, dtype), column in zip(self._columns, values, strict=True)}
        )


def _column(values: tuple[Any, ...], dtype: str) -> Any:
    """None becomes NaN in both kinds."""
    import pandas as pd

    return np.array(values, dtype=np.float64) if dtype == "float64" else pd.Series(values, dtype="str")


def _run_on_one_thread(estimator: Any) -> None:
    """A forest fitted with n_jobs=2 would start threads for every batch: more than the batch costs."""
    parameters = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    jobs = {name: 1 for name in parameters if name == "n_jobs" or name.endswith("__n_jobs")}
    if jobs:
        estimator.set_params(**jobs)
