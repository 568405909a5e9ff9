"""Read a CSV or Parquet file into a raw table, with an error a person can act on for whatever is wrong with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from training.errors import DataError

# Only for columns of numbers: in a column of text, "NA" may well be Namibia.
_NO_NUMBER = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"]


def read_table(file: Path, text_columns: Iterable[str] = ()) -> pd.DataFrame:
    """All columns of `file` (.csv, .csv.gz, .parquet). Columns named in text_columns are read as text from a CSV file,
    so that the postcode 01234 keeps its zero. Raises DataError.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        table = _read(file, frozenset(text_columns))
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{file}: the file is empty: it needs a header line and rows") from error
    except pd.errors.ParserWarning as error:
        raise DataError(f"{file}: rows have more fields than the header has names: mend the header") from error
    except (ValueError, OSError) as error:  # pandas' and Arrow's parse errors are ValueErrors or OSErrors
        reason = " ".join(str(error).split())
        raise DataError(f"{file}: cannot be read as {file.suffix or 'a table'}: {reason}") from error
    if table.empty:
        raise DataError(f"{file}: no rows")
    return table


def _read(file: Path, text_columns: frozenset[str]) -> pd.DataFrame:
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    if file.name.endswith((".csv", ".csv.gz")):
        header = _header(file)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                file,
                # else pandas takes surplus fields for row names, and every value lands in its neighbour's column
                index_col=False,
                dtype=dict.fromkeys(text_columns & set(header), "str"),
                na_values={name: [""] if name in text_columns else _NO_NUMBER for name in header},
                keep_default_na=False,
                low_memory=False,
            )
    raise DataError(f"{file}: unknown kind of file: use .csv, .csv.gz or .parquet")


def _header(file: Path) -> list[str]:
    """The names in the first line. pandas would rename the second of two equal ones without a word."""
    first = pd.read_csv(file, header=None, nrows=1, dtype="str", keep_default_na=False)
    names = [str(name) for name in first.iloc[0]]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{file}: the header has {twice!r} more than once: give each column a name of its own")
    return names
