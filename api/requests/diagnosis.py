"""Why a body was refused: every field at fault with its JSON pointer and the fix.

The decoder that answers requests stops at the first fault and cannot say more than its place, so a refused body is
read a second time, slowly, here. Values are never repeated (they may be private), names are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from api.errors import FieldError, InvalidRequest, RequestRefused, Unreadable
from api.requests.hints import Hints
from api.requests.slow_reading import NonFinite, Repeating, read_slowly
from contracts.schema import Feature, FeatureSchema, Kind
from contracts.times import UtcTime

MOST_ERRORS = 20
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NAME = 100
_TOP = ("features", "entity_id", "event_time")
_WORDS: dict[Kind, str] = {"numeric": "a number", "categorical": "a text", "boolean": "true or false"}
_HALF = "holds half of a surrogate pair, which is no character: send the whole character"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FORM = "an RFC 3339 time with a zone, such as 2026-01-31T12:00:00Z"


Check = Callable[[Any], str | None]
"""What is wrong with a value, in words; None where nothing is."""


class Effort(NamedTuple):
    """How far what is wrong is looked for. most: faults of one body. longest: bytes of a body that is looked into at
    all. hints: of the rows of a batch together.
    """

    hints: Hints
    most: int = MOST_ERRORS
    longest: int | None = None


def diagnose(
    body: bytes,
    schema: FeatureSchema,
    fallback: str,
    more: Mapping[str, Check] = MappingProxyType({}),
    effort: Effort | None = None,
) -> RequestRefused:
    """The error to answer with. fallback: what the decoder said, for a fault that is not found here. more: fields that
    this request has beside those of a prediction. effort: by default that for one request.
    """
    effort = effort or Effort(Hints())
    try:
        data = read_slowly(body)
    except Unreadable as error:
        return error
    errors = tuple(islice(_faults(data, schema, more, effort.hints), effort.most))
    if not errors:
        errors = (FieldError("", fallback, "wrong-type"),)
    return InvalidRequest(errors[0].category, "The request does not fit the model.", errors)


def event_time_error(time: datetime, latest: datetime) -> FieldError | None:
    """What is wrong with an event time that is absurdly far off; None where nothing is."""
    if _EARLIEST <= time <= latest:
        return None
    detail = f"is before 1970 or after {latest:%Y-%m-%d}: check the clock or the unit of the sender"
    return FieldError("/event_time", detail, "event-time")


def pointer(*parts: str) -> str:
    """JSON pointer (RFC 6901).

    >>> pointer("features", "a/b~c")
    '/features/a~1b~0c'
    """
    return "".join("/" + part[:_LONGEST_NAME].replace("~", "~0").replace("/", "~1") for part in parts)


def _faults(data: Any, schema: FeatureSchema, more: Mapping[str, Check], hints: Hints) -> Iterator[FieldError]:
    if not isinstance(data, dict):
        yield FieldError("", "must be an object with the field features", "wrong-type")
        return
    known = (*_TOP, *more)
    for name in data:
        if name not in known:
            yield unknown_field(name, known, hints)
    for name, check in more.items():
        if name in data and (wrong := check(data[name])) is not None:
            yield FieldError(pointer(name), wrong, "wrong-type")
    if data.get("entity_id") is not None:
        yield from _entity_faults(data["entity_id"])
    if data.get("event_time") is not None:
        wrong = time_fault(data["event_time"])
        if wrong is not None:
            yield FieldError("/event_time", wrong, "event-time")
    yield from twice(data, known)
    if "features" not in data:
        yield FieldError("/features", "is missing: add the model's features", "missing-field")
    elif not isinstance(data["features"], dict):
        yield FieldError("/features", "must be an object of feature names and values", "wrong-type")
    else:
        yield from _feature_faults(data["features"], schema, hints)


def _entity_faults(value: Any) -> Iterator[FieldError]:
    if isinstance(value, str) and not encodable(value):
        yield FieldError("/entity_id", f"{_HALF}, or leave it out", "entity-id")
    elif not isinstance(value, str) or not 1 <= len(value) <= 200:
        yield FieldError("/entity_id", "must be a text of 1 to 200 characters: mend it or leave it out", "entity-id")


def unknown_field(name: str, known: tuple[str, ...], hints: Hints) -> FieldError:
    """Of a body that has a field which it should not have."""
    return FieldError(pointer(shown(name)), f"unknown field: leave it out{_meant(name, known, hints)}", "unknown-field")


def twice(data: dict[str, Any], known: Collection[str], *place: str) -> Iterator[FieldError]:
    """Of an object at this place: the known names that it has more than once."""
    for name in data.again if isinstance(data, Repeating) else ():
        if name in known:
            yield FieldError(pointer(*place, name), "is there twice: send it once", "wrong-type")


def time_fault(value: Any) -> str | None:
    """What is wrong with a time, in words; None where nothing is."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if isinstance(value, str) and _DATE.fullmatch(value):
        return f"is a date without a time: send {_FORM}"
    if time is not None and time.tzinfo is None:
        return "has no time zone: add Z, or an offset such as +02:00"
    try:
        msgspec.convert(value, UtcTime)
    except msgspec.ValidationError:
        return f"must be {_FORM}"
    return None


def _feature_faults(values: dict[str, Any], schema: FeatureSchema, hints: Hints) -> Iterator[FieldError]:
    names = frozenset(schema.names)
    for name in values:
        if name not in names:
            detail = f"unknown feature: leave it out{_meant(name, schema.names, hints)}"
            yield FieldError(pointer("features", shown(name)), detail, "unknown-field")
    for feature in schema.features:
        if feature.name in values:
            fault = _value_fault(values[feature.name], feature)
            if fault is not None:
                yield FieldError(pointer("features", feature.name), *fault)
        elif not feature.nullable:
            where = pointer("features", feature.name)
            yield FieldError(where, f"is missing and has no default: add {_WORDS[feature.kind]}", "missing-field")
    yield from twice(values, names, "features")


def _value_fault(value: Any, feature: Feature) -> tuple[str, Any] | None:
    words = _WORDS[feature.kind] + (" or null" if feature.nullable else "")
    if isinstance(value, NonFinite) or not in_range(value):
        fix = "send null" if feature.nullable else "send a finite number"
        return f"NaN, Infinity and numbers out of range are not JSON: {fix}", "non-finite"
    if value is None:
        return None if feature.nullable else (f"may not be null: send {words}", "wrong-type")
    if feature.kind == "boolean":
        right = isinstance(value, bool)
    elif feature.kind == "categorical":
        right = isinstance(value, str) and encodable(value)
    else:
        right = isinstance(value, int | float) and not isinstance(value, bool)
    if right:
        return None
    if feature.kind == "categorical" and isinstance(value, str):
        return _HALF, "wrong-type"
    hint = ", without quotes" if feature.kind != "categorical" and isinstance(value, str) else ""
    return f"must be {words}{hint}", "wrong-type"


def in_range(value: Any) -> bool:
    """Whether a number is finite as a float; True for what is no number."""
    try:
        return not isinstance(value, int | float) or math.isfinite(float(value))
    except OverflowError:  # an integer beyond the largest float
        return False


def encodable(text: str) -> bool:
    """Half of a surrogate pair can be written in JSON (as an escape), but stands for no character."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def shown(name: str) -> str:
    """A name as answers have it: not too long, and without halves of characters."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode()


def _meant(name: str, known: tuple[str, ...], hints: Hints) -> str:
    meant = hints.meant(name, known)
    return f"; did you mean {meant}?" if meant else ""
