"""Arrow columns turned into what histograms count: typed, missing as NaN or None, and what is of no use marked. Pure.

The fast way is a cast of the whole column. Where that fails, some value does not fit: then each is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.schema import Kind

# Only for numbers: in a column of text "NA" may well be Namibia.
_NO_NUMBER = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"})
_TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_PER_MILLISECOND = {"ms": 1, "us": 1_000, "ns": 1_000_000}
_NO_TIME = "there is no time"
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_SHOWN = 40
"""Characters of a value in the words on it."""

Wrong = dict[int, str]
"""What is wrong, in words, by position in the column."""


class Numbers(NamedTuple):
    """values: float64, NaN where there is none. wrong: not numbers. infinite: numbers that JSON has no word for."""

    values: npt.NDArray[np.float64]
    wrong: Wrong
    infinite: Wrong


class Objects(NamedTuple):
    """values: text, or booleans; None where there is none."""

    values: list[Any]
    wrong: Wrong


class Times(NamedTuple):
    """values: int64, milliseconds UTC, cut and not rounded as `contracts.events.event_time_ms` does."""

    values: npt.NDArray[np.int64]
    wrong: Wrong


def holds_times(type_: pa.DataType) -> bool:
    """Whether a column of this type can hold times."""
    return bool(pa.types.is_timestamp(type_) or _is_text(type_) or pa.types.is_null(type_))


def fits(kind: Kind, type_: pa.DataType) -> bool:
    """Whether a column of this type can hold a feature of this kind at all."""
    type_ = type_.value_type if pa.types.is_dictionary(type_) else type_
    text = _is_text(type_) or pa.types.is_null(type_)
    if kind == "categorical":
        return text or pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_boolean(type_)
    if kind == "boolean":
        return text or pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_floating(type_)
    number = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    return text or number or pa.types.is_boolean(type_)


def numbers(column: pa.Array) -> Numbers:
    """A column of numbers."""
    column, wrong = _plain(column), Wrong()
    try:
        values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values, wrong = _number_by_number(column)
    infinite = {int(i): f"{values[i]} is not finite" for i in np.flatnonzero(np.isinf(values))}
    return Numbers(values, wrong, infinite)


def texts(column: pa.Array) -> Objects:
    """A column of text; whole numbers are written without a decimal point, booleans as true and false."""
    column = _plain(column)
    if pa.types.is_floating(column.type):
        column = _whole_where_it_can_be(column)
    return Objects(_mapped(pc.cast(column, pa.large_string()), lambda text: text)[0], {})


def truths(column: pa.Array) -> Objects:
    """A column of booleans: true, false, 1 or 0."""
    column = _plain(column)
    if pa.types.is_boolean(column.type):
        return Objects(column.to_pylist(), {})
    values, texts_ = _mapped(pc.cast(column, pa.large_string()), lambda text: _TRUTH.get(text.strip().lower()))
    return Objects(
        values,
        {
            i: f"{text[:_SHOWN]!r} is neither true nor false"
            for i, (value, text) in enumerate(zip(values, texts_, strict=True))
            if value is None and text
        },
    )


def times(column: pa.Array, *, assume_utc: bool) -> Times:
    """A column of times with a zone; without one only where it may be taken for UTC."""
    column = _plain(column)
    if pa.types.is_timestamp(column.type) and (column.type.tz is not None or assume_utc):
        return _cut(column)
    for type_ in [pa.timestamp("ns", "UTC"), *([pa.timestamp("ns")] if assume_utc else [])]:
        try:
            return _cut(pc.cast(column, type_))
        except pa.ArrowInvalid:
            pass  # one of them is no time, or has no zone, or one too many, or is far away
    return _time_by_time(column, assume_utc)


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def _number_by_number(column: pa.Array) -> tuple[npt.NDArray[np.float64], Wrong]:
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.large_string()))
    known = pc.if_else(pc.is_in(text, value_set=pa.array(sorted(_NO_NUMBER), pa.large_string())), None, text)
    try:
        return pc.cast(known, pa.float64()).to_numpy(zero_copy_only=False), {}
    except pa.ArrowInvalid:
        pass
    values, wrong = np.full(len(column), np.nan), Wrong()
    for i, value in enumerate(known.to_pylist()):
        try:
            values[i] = np.nan if value is None else pc.cast(pa.scalar(value), pa.float64()).as_py()
        except pa.ArrowInvalid:
            wrong[i] = f"{value[:_SHOWN]!r} is not a number"
    return values, wrong


def _whole_where_it_can_be(column: pa.Array) -> pa.Array:
    column = pc.if_else(pc.is_nan(column), None, column)
    try:
        return pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        return column


def _mapped(column: pa.Array, of: Callable[[str], Any]) -> tuple[list[Any], list[str | None]]:
    """Each value through a function that is called once for each distinct one; and the values themselves."""
    encoded = column.dictionary_encode()
    words: list[str | None] = [*encoded.dictionary.to_pylist(), None]
    found = np.empty(len(words), dtype=object)
    found[:] = [None if word is None else of(word) for word in words]
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return found[codes].tolist(), np.array(words, dtype=object)[codes].tolist()


def _cut(column: pa.Array) -> Times:
    missing = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
    ticks = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    values = ticks * 1000 if column.type.unit == "s" else ticks // _PER_MILLISECOND[column.type.unit]
    return Times(values, {int(i): _NO_TIME for i in missing})


def _time_by_time(column: pa.Array, assume_utc: bool) -> Times:
    values, wrong = np.zeros(len(column), dtype=np.int64), Wrong()
    for i, value in enumerate(column.to_pylist()):
        try:
            time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value or "").strip())
        except ValueError:
            wrong[i] = f"{str(value)[:_SHOWN]!r} is not a time in ISO 8601" if value else _NO_TIME
            continue
        if time.tzinfo is None and not assume_utc:
            wrong[i] = f"{str(value)[:_SHOWN]!r} has no zone: write one, or give --utc if it is UTC"
            continue
        time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
        values[i] = (time - _EPOCH) // _MILLISECOND
    return Times(values, wrong)
