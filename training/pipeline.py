"""Pipelines: an estimator with the imputation, scaling and encoding that it needs. To add one: one line in ESTIMATORS.

Every pipeline takes the frame of contracts.model_files: NaN is missing, and a level that was never seen is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from contracts.schema import FeatureSchema
from training.errors import UnknownEstimator


@dataclass(frozen=True)
class Estimator:
    """name: as on the command line. numbers, levels: make the preparation of numeric (and boolean) and of categorical
    columns. classifier: makes the classifier from a seed.
    """

    name: str
    numbers: Callable[[], Any]
    levels: Callable[[], Any]
    classifier: Callable[[int], Any]


def _as_is() -> str:
    return "passthrough"


def _filled() -> Any:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _filled_and_scaled() -> Any:
    return make_pipeline(_filled(), StandardScaler())


def _codes() -> Any:
    # Trees split on codes as well as on 0/1 columns, six times as fast. A level that was never seen is -1, and NaN
    # stays NaN, which the trees send down a branch of its own.
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def _one_hot() -> Any:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def _boosting(seed: int) -> Any:
    return HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=200,
        max_leaf_nodes=15,
        min_samples_leaf=50,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )


def _forest(seed: int) -> Any:
    # One job: several add their trees' votes in the order in which they finish, and the last digit follows it.
    return RandomForestClassifier(n_estimators=100, min_samples_leaf=20, random_state=seed)


def _logistic(seed: int) -> Any:
    return LogisticRegression(max_iter=500, random_state=seed)


ESTIMATORS: tuple[Estimator, ...] = (
    Estimator("hgb", _as_is, _codes, _boosting),
    Estimator("logistic", _filled_and_scaled, _one_hot, _logistic),
    Estimator("forest", _filled, _one_hot, _forest),
)


def estimator_named(name: str) -> Estimator:
    """The estimator of this name. Raises UnknownEstimator that lists the names."""
    for estimator in ESTIMATORS:
        if estimator.name == name:
            return estimator
    known = ", ".join(estimator.name for estimator in ESTIMATORS)
    raise UnknownEstimator(f"no estimator {name!r}: choose one of {known}")


def build_pipeline(name: str, schema: FeatureSchema, seed: int) -> Pipeline:
    """An unfitted pipeline for `schema`. Raises UnknownEstimator."""
    found = estimator_named(name)
    numbers = [feature.name for feature in schema.features if feature.kind != "categorical"]
    levels = [feature.name for feature in schema.features if feature.kind == "categorical"]
    parts = [("numbers", found.numbers(), numbers), ("levels", found.levels(), levels)]
    prepare = ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0.0)
    return Pipeline([("prepare", prepare), ("classify", found.classifier(seed))])


def scores_of(estimator: Any, features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Score of each row, shape (rows,): the probability of the positive class, or what a regressor predicts."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
    return np.asarray(estimator.predict(features), dtype=np.float64)
