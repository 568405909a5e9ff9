"""SHAP: how far each feature moves a score on average, where the extra `shap` is installed (570 MB, so not by default).

Values are in the estimator's own unit, log-odds for boosted trees and linear models; those of a category's columns are
added up.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from training.errors import ConfigError
from training.fitting.pipeline import CLASSIFY

_ROWS = 500


def shap_summary(pipeline: Any, features: pd.DataFrame) -> dict[str, float] | None:
    """Feature -> mean absolute SHAP value over at most 500 rows, the largest first. None without the extra, or for a
    classifier that is neither trees nor linear: others take seconds a row. Raises ConfigError where SHAP itself cannot.
    """
    if find_spec("shap") is None:
        return None
    import shap

    prepare, classifier = pipeline[0], pipeline[CLASSIFY]
    matrix = np.asarray(prepare.transform(features.head(_ROWS)), dtype=np.float64)
    try:
        if hasattr(classifier, "coef_"):
            values = shap.LinearExplainer(classifier, matrix).shap_values(matrix)
        elif hasattr(classifier, "_predictors") or hasattr(classifier, "estimators_"):
            values = shap.TreeExplainer(classifier).shap_values(matrix)
        else:
            return None
    except Exception as error:  # it has errors of its own, and lets those of others through
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"pictures.importance: SHAP cannot explain this estimator: {reason}: set it to 0") from error
    found = np.asarray(values, dtype=np.float64)
    if found.ndim == 3:  # one for each class
        found = found[:, :, 1]
    columns = [_feature(str(name), features) for name in prepare.get_feature_names_out()]
    summed = pd.DataFrame(found, columns=columns).T.groupby(level=0).sum()
    moved = {str(name): float(value) for name, value in summed.abs().mean(axis=1).items()}
    return dict(sorted(moved.items(), key=lambda one: -one[1]))


def _feature(column: str, features: pd.DataFrame) -> str:
    """The feature behind a column of the matrix, such as levels__region_north or numbers__missingindicator_income."""
    rest = column.split("__", 1)[-1].removeprefix("missingindicator_")
    names = [str(name) for name in features.columns if rest == name or rest.startswith(f"{name}_")]
    return max(names, key=len, default=rest)
