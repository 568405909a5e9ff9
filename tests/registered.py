"""Versions as training registers them: with the compiled form that the API then answers with."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from api.models.served import Served, prepare
from api.models.store import ModelStore
from contracts.model_files import COMPILED_FILE, FRAME_DTYPES
from contracts.schema import FeatureSchema
from tests.builders import a_model_version, a_schema, reference_columns
from training.compiled.export import export


def a_compiled_version(
    tracking_uri: str, *, model: str, schema: FeatureSchema | None = None, estimator: Any = None, **more: Any
) -> str:
    """As a_model_version, and only then the champion. Without an estimator it is a small forest of boosted trees."""
    from mlflow.tracking import MlflowClient

    schema = schema or a_schema()
    estimator = boosted_trees(schema) if estimator is None else estimator
    version = a_model_version(tracking_uri, model=model, schema=schema, estimator=estimator, alias=None, **more)
    form = export(estimator, schema, reference_frame(schema, 100), model=model, version=version, seed=0).compiled
    assert form is not None
    client = MlflowClient(tracking_uri)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, COMPILED_FILE)
        file.write_bytes(form.to_bytes())
        logged = client.get_model_version(model, version).source.removeprefix("models:/")
        client.log_model_artifact(logged, str(file))
    client.set_registered_model_alias(model, "champion", version)
    return version


def a_local_copy(tracking_uri: str, cache: Path, model: str, version: str) -> Served:
    """What a process of the API that served this version leaves behind: a start takes it, and asks the model later."""
    store = ModelStore(tracking_uri, model, "champion", cache)
    loaded = store.load(version)
    served = prepare(loaded, datetime.now(UTC), timedelta(days=1))
    store.keep(loaded, served.proof)
    return served


def reference_frame(schema: FeatureSchema, rows: int) -> pd.DataFrame:
    """A feature frame (contracts.model_files) of the reference that every version of the tests has."""
    columns = reference_columns(schema, rows)
    return pd.DataFrame({f.name: pd.Series(columns[f.name]).astype(FRAME_DTYPES[f.kind]) for f in schema.features})


def boosted_trees(schema: FeatureSchema) -> Any:
    """A pipeline fitted to 200 reference rows; the label is whether the first number is above its mean."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    frame = reference_frame(schema, 200)
    numbers = [feature.name for feature in schema.features if feature.kind != "categorical"]
    levels = [feature.name for feature in schema.features if feature.kind == "categorical"]
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    prepare = ColumnTransformer([("numbers", "passthrough", numbers), ("levels", encode, levels)])
    trees = HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=8, early_stopping=False, random_state=0)
    label = (frame[numbers[0]] > frame[numbers[0]].mean()).astype(int)
    return Pipeline([("prepare", prepare), ("classify", trees)]).fit(frame, label)
