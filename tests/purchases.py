"""Purchases with gaps, levels and flags, and a fitted pipeline of each kind on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from contracts.baseline import Baseline
from contracts.compiled import Compiled
from contracts.model_files import BASELINE_FILE, COMPILED_FILE
from contracts.schema import Feature, FeatureSchema
from tests.builders import a_baseline
from training.compiled.export import export
from training.compiled.poison import rows_of

NUMBERS, LEVELS = ["amount", "age", "member"], ["shop", "country"]
SCHEMA = FeatureSchema(
    (
        Feature("amount", "numeric"),
        Feature("age", "numeric"),
        Feature("member", "boolean"),
        Feature("shop", "categorical"),
        Feature("country", "categorical"),
    )
)
ROWS = (
    (912.3, None, True, "toys", "at"),
    (12.5, 34.0, False, "books", "de"),
    (250.0, 71.0, None, "zeppelins", None),
    (None, 18.0, True, None, "ch"),
    (99.9, 45.0, False, "food", "de"),
)
KINDS = ("hgb", "forest", "logistic")


def purchases(rows: int = 1500, seed: int = 0) -> tuple[pd.DataFrame, Any]:
    """A feature frame (contracts.model_files) and labels."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": np.round(rng.lognormal(4, 1, rows), 2),
            "age": rng.integers(18, 90, rows).astype(float),
            "member": rng.integers(0, 2, rows).astype(float),
            "shop": pd.Series(rng.choice(["books", "toys", "food", "wine"], rows), dtype="str"),
            "country": pd.Series(rng.choice(["de", "at", "ch"], rows, p=[0.6, 0.3, 0.1]), dtype="str"),
        }
    )
    risk = frame["amount"] / 150 + (frame["shop"] == "toys") * (frame["age"] < 40) - 1.5 * frame["member"]
    labels = (risk + rng.normal(0, 1, rows) > 0.5).astype(int).to_numpy()
    frame.loc[rng.random(rows) < 0.1, "age"] = np.nan
    frame.loc[rng.random(rows) < 0.05, "shop"] = np.nan
    return frame, labels


def fitted(kind: str) -> Any:
    """A small pipeline of one kind."""
    frame, labels = purchases()
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    filled = SimpleImputer(strategy="median", add_indicator=True)
    numbers, levels, model = {
        "hgb": (
            "passthrough",
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            HistGradientBoostingClassifier(max_iter=15, max_leaf_nodes=12, min_samples_leaf=10, early_stopping=False),
        ),
        "forest": (filled, one_hot, RandomForestClassifier(8, min_samples_leaf=5, max_depth=9, random_state=0)),
        "logistic": (make_pipeline(filled, StandardScaler()), one_hot, LogisticRegression(max_iter=500)),
    }[kind]
    prepare = ColumnTransformer([("numbers", numbers, NUMBERS), ("levels", levels, LEVELS)], sparse_threshold=0)
    return Pipeline([("prepare", prepare), ("model", model)]).fit(frame, labels)


def compiled(kind: str) -> Compiled:
    """The compiled form of `fitted(kind)`, as training writes it."""
    found = export(fitted(kind), SCHEMA, purchases()[0], model="purchases", version="1", seed=0).compiled
    assert found is not None
    return found


def baseline(version: str = "1") -> Baseline:
    """The purchases' own."""
    frame, _ = purchases()
    columns = dict(zip(SCHEMA.names, map(list, zip(*rows_of(frame, SCHEMA), strict=True)), strict=True))
    floats = {name: np.array(columns[name], dtype=np.float64) for name in ("amount", "age")}
    return a_baseline(model="purchases", version=version, schema=SCHEMA, columns=columns | floats, rows=len(frame))


def a_folder(directory: Path, form: Compiled, version: str = "1") -> Path:
    """A version's files, without its model."""
    directory.mkdir()
    (directory / BASELINE_FILE).write_bytes(baseline(version).to_bytes())
    (directory / COMPILED_FILE).write_bytes(form.to_bytes())
    return directory
