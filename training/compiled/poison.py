"""Poisoned rows: rows of the reference with what a request may hold and the reference seldom does.

Missing values wherever they are allowed, levels that were never seen, numbers far beyond the range. They decide whether
a compiled form is right.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from contracts.encoder import Row, Value
from contracts.schema import Feature, FeatureSchema

SHARE = 0.25
"""Of the values of a poisoned row; half of the rows are poisoned."""

HUGE = (1e30, -1e30, 1e300, -1e300)
"""Beyond float32 in the second half: a forest refuses those, and so must its compiled form."""

_ODD_NUMBERS = (0.0, -0.0, 5e-324, -1.0, 1e9, -1e9, 2.0**53 + 1)
_ODD_LEVELS = ("", "never seen", "nan", "None", "0", "\U0001f9ea")


def poisoned_rows(frame: pd.DataFrame, schema: FeatureSchema, rows: int, rng: np.random.Generator) -> list[Row]:
    """So many rows drawn from a feature frame (contracts.model_files), every second one poisoned."""
    found = rows_of(frame.iloc[rng.integers(0, len(frame), rows)], schema)
    for i in range(0, rows, 2):
        hit = rng.random(len(schema.features)) < SHARE
        found[i] = tuple(
            _poison(feature, value, rng) if at else value
            for feature, value, at in zip(schema.features, found[i], hit, strict=True)
        )
    return found


def huge_rows(frame: pd.DataFrame, schema: FeatureSchema, rng: np.random.Generator) -> list[Row]:
    """A row for each of HUGE: all its numbers have that size."""
    drawn = rows_of(frame.iloc[rng.integers(0, len(frame), len(HUGE))], schema)
    kinds = [feature.kind for feature in schema.features]
    return [
        tuple(size if kind == "numeric" else value for kind, value in zip(kinds, row, strict=True))
        for row, size in zip(drawn, HUGE, strict=True)
    ]


def rows_of(frame: pd.DataFrame, schema: FeatureSchema) -> list[Row]:
    """The rows of a feature frame as a request's values: None where missing, booleans as such."""
    columns = [_values(frame[feature.name], feature) for feature in schema.features]
    return list(zip(*columns, strict=True))


def _values(column: pd.Series, feature: Feature) -> list[Value]:
    make = {"numeric": float, "boolean": bool, "categorical": str}[feature.kind]
    there = column.notna().to_numpy()
    return [make(value) if known else None for value, known in zip(column.to_numpy(object), there, strict=True)]


def _poison(feature: Feature, value: Value, rng: np.random.Generator) -> Value:
    if feature.nullable and rng.random() < 0.5:
        return None
    if feature.kind == "numeric":
        return float(_ODD_NUMBERS[rng.integers(len(_ODD_NUMBERS))])
    if feature.kind == "categorical":
        return _ODD_LEVELS[rng.integers(len(_ODD_LEVELS))]
    return not value
