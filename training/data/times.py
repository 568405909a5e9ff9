"""Times of rows: a column read as moments, in milliseconds since the epoch (UTC)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.data.columns import require_columns
from training.errors import DataError

Milliseconds = npt.NDArray[np.int64]

_ZONE = r"(?:[zZ]|[+-]\d\d(?::?\d\d)?)$"
_DATE = r"\d{4}-?\d\d(?:-?\d\d)?"  # it ends like an offset
_HOW = "write it as 2026-01-31T12:00:00Z"


@dataclass(frozen=True, eq=False)
class Times:
    """When each row happened. milliseconds: UTC, shape (rows,). assumed_utc: some had no zone and were taken as UTC."""

    column: str
    milliseconds: Milliseconds
    assumed_utc: bool


def times_of(table: pd.DataFrame, column: str, named: str = "time in the dataset.toml, or --time") -> Times:
    """Read a column of times: ISO 8601 text, or times as Parquet stores them. Raises DataError.

    named: where the column's name comes from.

    >>> times_of(pd.DataFrame({"at": ["1970-01-01T00:00:01Z", "1970-01-01T01:00+01:00"]}), "at").milliseconds.tolist()
    [1000, 0]
    """
    require_columns(table, (column,), f"that is named as the time ({named})", ": correct the name there")
    raw = table[column]
    missing = int(raw.isna().sum())
    if missing:
        raise DataError(f"time {column!r} is missing in {missing} rows: remove those rows")
    if pd.api.types.is_numeric_dtype(raw):
        raise DataError(f"time {column!r} holds numbers such as {raw.iloc[0]}: a time has a date, {_HOW}")
    if pd.api.types.is_datetime64_any_dtype(raw):
        assumed_utc, moments = raw.dt.tz is None, pd.to_datetime(raw, utc=True)
    else:
        text = raw.astype("str").str.strip()
        assumed_utc = not text.str.contains(_ZONE, regex=True).all() or bool(text.str.fullmatch(_DATE).any())
        moments = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    wrong = moments.isna()
    if wrong.any():
        raise DataError(f"time {column!r} holds {str(raw[wrong].iloc[0])!r}: not a time; {_HOW}")
    return Times(column, moments.dt.as_unit("ms").to_numpy(dtype="datetime64[ms]").astype(np.int64), assumed_utc)
