"""Pipelines: an estimator with the imputation, scaling and encoding that it needs. To add one: one line in ESTIMATORS.

Every pipeline takes the frame of contracts.model_files: NaN is missing, and a level that was never seen is allowed.
Classifiers that are not in the table are found by their import path (training.fitting.estimators).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from contracts.schema import FeatureSchema
from training.configuration.config import Preparation, Scalar
from training.errors import UnknownEstimator
from training.fitting.preparation import levels_step, numbers_step, settled

CLASSIFY = "classify"
"""The estimator's step in a pipeline."""


@dataclass(frozen=True)
class Estimator:
    """name: as on the command line. prepare: of its columns, where the configuration does not say. classifier: makes
    the classifier from a seed.
    """

    name: str
    prepare: Preparation
    classifier: Callable[[int], Any]


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
    Estimator("hgb", Preparation(impute="keep", scale=False, encode="codes"), _boosting),
    Estimator("logistic", Preparation(impute="median", scale=True, encode="one_hot"), _logistic),
    Estimator("forest", Preparation(impute="median", scale=False, encode="one_hot"), _forest),
)


def estimator_named(name: str) -> Estimator:
    """The estimator of this name in the table. Raises UnknownEstimator that lists the names."""
    for estimator in ESTIMATORS:
        if estimator.name == name:
            return estimator
    known = ", ".join(estimator.name for estimator in ESTIMATORS)
    raise UnknownEstimator(f"no estimator {name!r}: choose one of {known}")


def build_pipeline(name: str, schema: FeatureSchema, seed: int) -> Pipeline:
    """An unfitted pipeline for `schema`. Raises UnknownEstimator."""
    return pipeline_of(estimator_named(name), schema, seed)


def pipeline_of(
    found: Estimator,
    schema: FeatureSchema,
    seed: int,
    params: Mapping[str, Scalar] | None = None,
    prepare: Preparation | None = None,
) -> Pipeline:
    """Likewise, with parameters of the classifier and another preparation."""
    how = settled(prepare or Preparation(), found.prepare)
    numbers = [feature.name for feature in schema.features if feature.kind != "categorical"]
    levels = [feature.name for feature in schema.features if feature.kind == "categorical"]
    parts = [("numbers", numbers_step(how), numbers), ("levels", levels_step(how), levels)]
    columns = ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0.0)
    return Pipeline([("prepare", columns), (CLASSIFY, found.classifier(seed).set_params(**params or {}))])


def scores_of(estimator: Any, features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Score of each row, shape (rows,): the probability of the positive class, or what a regressor predicts."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
    return np.asarray(estimator.predict(features), dtype=np.float64)
