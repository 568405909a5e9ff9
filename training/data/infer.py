"""Infer a schema from a table when its owner has not described it, and say what was decided and why."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from contracts.schema import RESERVED_PREFIX, Feature, FeatureSchema, Kind
from training.errors import DataError

TIMES = "times"
"""Why a column of times was left out."""
_IDENTIFIER_SHARE = 0.5
_IDENTIFIER_LEVELS = 50
_ODD_AMONG_MANY, _ODD_AMONG_FEW = 0.5, 0.05
"""Share of the rows below which text among numbers is an error. Of few levels some may well be letters: 1, 2, 3, K."""


@dataclass(frozen=True)
class Guess:
    """What a column was taken for: a kind of feature, or None when it was left out. why: in a few words."""

    column: str
    kind: Kind | None
    why: str


def guess_columns(table: pd.DataFrame, roles: dict[str, str]) -> tuple[Guess, ...]:
    """One guess per column, in the table's order. roles: column -> what it is instead of a feature."""
    return tuple(_guess(table[name], roles.get(name)) for name in table.columns)


def guessed_schema(guesses: tuple[Guess, ...]) -> FeatureSchema:
    """The schema of the columns that were taken for features; each may be missing. Raises DataError without any."""
    features = tuple(Feature(guess.column, guess.kind) for guess in guesses if guess.kind is not None)
    if not features:
        raise DataError("no column looks like a feature: describe them in a dataset.toml and give it with --schema")
    return FeatureSchema(features)


def _guess(column: pd.Series, role: str | None) -> Guess:
    name = str(column.name)
    present = column.dropna()
    if role is not None:
        return Guess(name, None, role)
    if name.startswith(RESERVED_PREFIX):
        return Guess(name, None, "reserved name")
    if present.empty:
        return Guess(name, None, "no value at all")
    if pd.api.types.is_bool_dtype(present) or all(isinstance(value, bool) for value in present.head(100)):
        return Guess(name, "boolean", "true and false")
    if (
        pd.api.types.is_integer_dtype(present)
        and len(present) > 2
        and present.is_monotonic_increasing
        and present.is_unique
    ):
        return Guess(name, None, "rises with every row: a row number?")
    if pd.api.types.is_numeric_dtype(present):
        return Guess(name, "numeric", "numbers")
    return _guess_text(name, present)


def _guess_text(name: str, present: pd.Series) -> Guess:
    if pd.api.types.is_datetime64_any_dtype(present) or _holds_times(present):
        return Guess(name, None, TIMES)
    levels = int(present.astype("str").nunique())
    many = levels > _IDENTIFIER_LEVELS and levels > _IDENTIFIER_SHARE * len(present)
    odd = present[pd.to_numeric(present, errors="coerce").isna()]
    if 0 < len(odd) < (_ODD_AMONG_MANY if many else _ODD_AMONG_FEW) * len(present):
        return Guess(name, None, f"numbers, but {str(odd.iloc[0])!r} in row {odd.index[0] + 1}: repair that")
    if many:
        return Guess(name, None, f"{levels} different texts in {len(present)} rows: an identifier?")
    return Guess(name, "categorical", f"text, {levels} level{'s' if levels != 1 else ''}")


def _holds_times(present: pd.Series) -> bool:
    """Whether every text is a time as ISO 8601 writes it, at least a date."""
    text = present.astype("str")
    if not text.str.match(r"\d{4}-\d\d-\d\d").all():
        return False
    return bool(pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce").notna().all())
