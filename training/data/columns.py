"""Turn raw columns into what a model is fed (contracts.model_files) and what a histogram counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts.schema import Feature, FeatureSchema
from training.errors import DataError

Labels = npt.NDArray[np.int64]

_TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


def feature_frame(table: pd.DataFrame, schema: FeatureSchema) -> pd.DataFrame:
    """The features in schema order with FRAME_DTYPES. Raises DataError that names the column and the fix."""
    require_columns(table, schema.names, "of the description")
    columns = {feature.name: _feature(table[feature.name], feature) for feature in schema.features}
    return pd.DataFrame(columns).reset_index(drop=True)


def labels_of(table: pd.DataFrame, column: str, named: str = "that the description calls the label") -> Labels:
    """The labels as 0 and 1, shape (rows,). named: where the column's name comes from. Raises DataError."""
    require_columns(table, (column,), named)
    labels = _truth(table[column])
    if table[column].isna().any():
        raise DataError(f"label {column!r} is missing in {int(table[column].isna().sum())} rows: remove those rows")
    if labels.isna().any():
        raise DataError(f"label {column!r} holds {_example(table[column][labels.isna()])}: it must be 0 or 1")
    return labels.to_numpy(dtype=np.int64)


def numbers_of(table: pd.DataFrame, column: str, role: str, named: str) -> npt.NDArray[np.float64]:
    """A column of finite numbers that may not be missing, shape (rows,). named: where the column's name comes from.

    Raises DataError.
    """
    require_columns(table, (column,), f"that is named as the {role} ({named})", ": correct the name there")
    numbers = _numeric(table[column])
    if numbers.isna().any():
        raise DataError(f"{role} {column!r} is missing in {int(numbers.isna().sum())} rows: remove those rows")
    return numbers.to_numpy(dtype=np.float64)


def countable(column: pd.Series, feature: Feature) -> npt.NDArray[np.float64] | list[str | bool | None]:
    """A column of a feature frame as `contracts.histogram.Histogram.add` and the bins' `fit` take it."""
    if feature.kind == "numeric":
        return column.to_numpy(dtype=np.float64)
    values = column.to_numpy(dtype=object)
    present = column.notna().to_numpy()
    if feature.kind == "boolean":
        return [bool(value) if there else None for value, there in zip(values, present, strict=True)]
    return [value if there else None for value, there in zip(values, present, strict=True)]


def text_of(column: pd.Series) -> pd.Series:
    """As text; whole numbers without a decimal point, so that a code is the same with and without missing values."""
    if pd.api.types.is_bool_dtype(column):
        return column.astype("str").str.lower()
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    text = column.astype("str")
    return text.where(column.notna())


def require_columns(table: pd.DataFrame, names: tuple[str, ...], which: str, fix: str = "") -> None:
    """Raises DataError when a column is not there. which, fix: what the line says behind its name, and at the end."""
    absent = [name for name in names if name not in table.columns]
    if absent:
        there = ", ".join(str(column) for column in table.columns[:30])
        raise DataError(f"no column {absent[0]!r} {which}; the file has {there}{fix}")


def _feature(column: pd.Series, feature: Feature) -> pd.Series:
    if column.isna().all():
        raise DataError(f"feature {feature.name!r} has no value at all: remove it from the description")
    if feature.kind == "numeric":
        values = _numeric(column)
    elif feature.kind == "boolean":
        values = _boolean(column)
    else:
        values = text_of(column)
    missing = int(values.isna().sum())
    if missing and not feature.nullable:
        raise DataError(
            f"feature {feature.name!r} is missing in {missing} rows: declare nullable = true, or fill or remove them"
        )
    return values


def _numeric(column: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        raise DataError(f"column {column.name!r} holds times: turn it into a number, or remove it from the description")
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    wrong = numbers.isna() & column.notna()
    if wrong.any():
        raise DataError(f"column {column.name!r} holds {_example(column[wrong])}: not a number; is it categorical?")
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        raise DataError(
            f"column {column.name!r} is infinite in row {int(np.flatnonzero(infinite)[0]) + 1}: leave it empty"
        )
    return numbers


def _boolean(column: pd.Series) -> pd.Series:
    truth = _truth(column)
    wrong = truth.isna() & column.notna()
    if wrong.any():
        raise DataError(f"column {column.name!r} holds {_example(column[wrong])}: a boolean is true, false, 1 or 0")
    return truth


def _truth(column: pd.Series) -> pd.Series:
    return column.astype("str").str.lower().map(_TRUTH).astype(np.float64)


def _example(wrong: pd.Series) -> str:
    return f"{str(wrong.iloc[0])[:40]!r} in row {wrong.index[0] + 1}"
