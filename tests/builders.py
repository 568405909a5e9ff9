"""Things that tests need, with defaults you override by name: an event, a schema, a baseline, counts of a window."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from contracts.baseline import Baseline, Positives, Reference
from contracts.binning import Bins, Levels
from contracts.events import EventId, PredictionEvent, Role
from contracts.histogram import Histogram
from contracts.schema import Feature, FeatureSchema

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


def a_schema(
    numeric: Sequence[str] = ("distance", "seats"), categorical: Sequence[str] = ("carrier",)
) -> FeatureSchema:
    return FeatureSchema(
        (*(Feature(name, "numeric") for name in numeric), *(Feature(name, "categorical") for name in categorical))
    )


def reference_columns(schema: FeatureSchema, rows: int = 5_000, seed: int = 0) -> dict[str, Any]:
    """Numeric features are normal, mean 100 + 10 * position, sd 10; categorical ones are a, b, c with .6, .3, .1."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for i, feature in enumerate(schema.features):
        if feature.kind == "numeric":
            columns[feature.name] = rng.normal(100 + 10 * i, 10, rows)
        elif feature.kind == "categorical":
            columns[feature.name] = rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]).tolist()
        else:
            columns[feature.name] = (rng.random(rows) < 0.5).tolist()
    return columns


def a_baseline(
    *,
    model: str = "flights",
    version: str = "1",
    schema: FeatureSchema | None = None,
    columns: Mapping[str, Any] | None = None,
    scores: Any = None,
    threshold: float | None = 0.5,
    rows: int = 5_000,
    seed: int = 0,
) -> Baseline:
    """A baseline over `reference_columns`, scores uniform; deterministic for its arguments."""
    schema = schema or a_schema()
    columns = columns or reference_columns(schema, rows, seed)
    scores = np.random.default_rng(seed + 1).random(rows) if scores is None else np.asarray(scores)
    features = {}
    for feature in schema.monitored:
        column = columns[feature.name]
        histogram = Histogram(Bins.fit(np.asarray(column)) if feature.kind == "numeric" else Levels.fit(column))
        histogram.add(column)
        features[feature.name] = Reference.of(histogram)
    score = Histogram(Bins.fit(scores))
    score.add(scores)
    positives = None if threshold is None else Positives(int((scores >= threshold).sum()), len(scores))
    return Baseline(
        model=model,
        version=version,
        schema=schema,
        features=features,
        score=Reference.of(score),
        created=NOON,
        rows=rows,
        threshold=threshold,
        positives=positives,
        performance={"auc": 0.8},
        data_digest="0" * 64,
        code_revision="test",
    )


def an_event_id(sequence: int = 0, *, source: str = "api.00", epoch: int = NOON_MS) -> str:
    return str(EventId(source, epoch, sequence))


def an_event(
    *,
    id: str | None = None,
    sequence: int = 0,
    event_time: datetime = NOON,
    model: str = "flights",
    model_version: str = "1",
    score: float = 0.25,
    decision: bool | None = False,
    entity_id: str | None = "N14228",
    features: Any = None,
    role: Role = "champion",
) -> PredictionEvent[Any]:
    """An event with features as a mapping; `encode_event` makes the record's value of it."""
    return PredictionEvent(
        id=an_event_id(sequence) if id is None else id,
        event_time=event_time,
        model=model,
        model_version=model_version,
        score=score,
        decision=decision,
        entity_id=entity_id,
        latency_ms=1.5,
        role=role,
        features={"distance": 100.0, "seats": 110.0, "carrier": "a"} if features is None else features,
    )


def a_model_version(
    tracking_uri: str,
    *,
    model: str = "flights",
    schema: FeatureSchema | None = None,
    estimator: Any = None,
    baseline: bytes | None = None,
    alias: str | None = "champion",
    threshold: float | None = 0.5,
    seed: int = 0,
    **log_model: Any,
) -> str:
    """Register a tiny fitted pipeline with its baseline in MLflow, point `alias` at it, and return its version.

    Without an estimator it is a logistic regression that any schema of numeric, boolean and categorical features fits.
    baseline: bytes to attach instead of the right baseline; b"" attaches none. log_model: more for mlflow's log_model.
    """
    import os

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.sklearn
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    from contracts.model_files import BASELINE_FILE, SKOPS_TRUSTED_TYPES

    schema = schema or a_schema()
    mlflow.set_tracking_uri(tracking_uri)
    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name(model)
    if experiment is None:
        local = tracking_uri.startswith("sqlite:///")
        artifacts = Path(tracking_uri.removeprefix("sqlite:///")).resolve().parent / "artifacts"
        experiment_id = client.create_experiment(model, artifact_location=artifacts.as_uri() if local else None)
    else:
        experiment_id = experiment.experiment_id
    # not set_experiment: it would stay set for the whole process, and the next test has another registry
    with mlflow.start_run(experiment_id=experiment_id):
        info = mlflow.sklearn.log_model(
            a_fitted_pipeline(schema, seed) if estimator is None else estimator,
            name="model",
            **{
                "pip_requirements": ["scikit-learn"],
                "skops_trusted_types": list(SKOPS_TRUSTED_TYPES),
                **log_model,
            },
        )
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(model, source=f"models:/{info.model_id}", model_id=info.model_id)
    version = str(made.version)
    right = a_baseline(model=model, version=version, schema=schema, threshold=threshold, seed=seed).to_bytes()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, BASELINE_FILE)
        file.write_bytes(right if baseline is None else baseline)
        if file.stat().st_size:
            client.log_model_artifact(info.model_id, str(file))
    if alias is not None:
        client.set_registered_model_alias(model, alias, version)
    return version


def a_fitted_pipeline(schema: FeatureSchema, seed: int = 0) -> Any:
    """A scikit-learn pipeline fitted to 200 reference rows; the label is whether the first number is above its mean."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from contracts.model_files import FRAME_DTYPES

    columns = reference_columns(schema, 200, seed)
    frame = pd.DataFrame({f.name: pd.Series(columns[f.name]).astype(FRAME_DTYPES[f.kind]) for f in schema.features})
    numbers = [feature.name for feature in schema.features if feature.kind != "categorical"]
    levels = [feature.name for feature in schema.features if feature.kind == "categorical"]
    scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = ColumnTransformer([("numbers", scale, numbers), ("levels", encode, levels)])
    label = (frame[numbers[0]] > frame[numbers[0]].mean()).astype(int)
    return Pipeline([("prepare", prepare), ("classify", LogisticRegression(random_state=seed))]).fit(frame, label)
