"""Calibrate: make scores probabilities by rows that the model was not fitted on; and the same for a compiled form.

The fitted pipeline stays as it is: scikit-learn's CalibratedClassifierCV around a frozen one adds a function of its
value. Ranks, and so the AUC, are those of the pipeline itself (isotonic: but for ties).
"""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from contracts.compiled import Isotonic, Sigmoid
from training.data.columns import Labels
from training.errors import NotCompilable

Method = Literal["none", "sigmoid", "isotonic"]


def calibrated(pipeline: Any, method: Method, features: pd.DataFrame, labels: Labels) -> Any:
    """A classifier with the fitted pipeline's scores, calibrated on these rows; the pipeline where method is none.

    sigmoid: two numbers are fitted (Platt), which needs few rows. isotonic: any rising function, from some 1,000 rows.
    """
    if method == "none":
        return pipeline
    return CalibratedClassifierCV(FrozenEstimator(pipeline), method=method).fit(features, labels)


def uncalibrated(estimator: Any) -> tuple[Any, Sigmoid | Isotonic | None]:
    """The estimator inside, and the map from its value to the score; the estimator itself and None where it has no map.

    The map's argument is the decision function where the estimator has one, otherwise the probability: in both cases
    what the compiled function gives before its link. Raises NotCompilable.
    """
    if not isinstance(estimator, CalibratedClassifierCV):
        return estimator, None
    fits = estimator.calibrated_classifiers_
    if len(fits) != 1 or len(fits[0].calibrators) != 1:
        raise NotCompilable("it is calibrated by several fits or has more than two classes")
    inner = fits[0].estimator
    while isinstance(inner, FrozenEstimator):
        inner = inner.estimator
    calibrator = fits[0].calibrators[0]
    if estimator.method == "sigmoid":
        return inner, Sigmoid(-float(calibrator.a_), -float(calibrator.b_))
    if estimator.method == "isotonic":
        at, score = calibrator.X_thresholds_.tolist(), calibrator.y_thresholds_.tolist()
        return inner, Isotonic(tuple(at), tuple(score))
    raise NotCompilable(f"it is calibrated by {estimator.method!r}")
