"""Why a label was refused before it was joined: every field at fault, with the fix. Values are never repeated."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from api.errors import FieldError, LabelRefused, RequestRefused, Unreadable
from api.receipts.receipt import LONGEST
from api.requests.diagnosis import MOST_ERRORS, encodable, in_range, time_fault, twice, unknown_field
from api.requests.hints import Hints
from api.requests.slow_reading import NonFinite, read_slowly

LONGEST_ID = 300
_FIELDS = ("prediction_id", "truth", "receipt", "labelled_at")
_MEANT = (*_FIELDS, "labels")


def diagnose(body: bytes, fallback: str, hints: Hints) -> RequestRefused:
    """The error to answer with. fallback: what the decoder said, for a fault that is not found here."""
    try:
        data = read_slowly(body)
    except Unreadable as error:
        return error
    errors = tuple(islice(_faults(data, hints), MOST_ERRORS))
    errors = errors or (FieldError("", fallback, "wrong-type"),)
    return LabelRefused(errors[0].category, "This is no label of a prediction.", errors)


def _faults(data: Any, hints: Hints) -> Iterator[FieldError]:
    if not isinstance(data, dict):
        yield FieldError("", "must be an object with the fields prediction_id and truth", "wrong-type")
        return
    for name in data:
        if name not in _FIELDS:
            yield unknown_field(name, _MEANT, hints)
    if "prediction_id" not in data:
        yield FieldError("/prediction_id", "is missing: add prediction_id of the answer", "missing-field")
    elif not _text(data["prediction_id"]) or not 1 <= len(data["prediction_id"]) <= LONGEST_ID:
        told = f"must be a text of 1 to {LONGEST_ID} characters: prediction_id of the answer"
        yield FieldError("/prediction_id", told, "prediction-id")
    if "truth" not in data:
        yield FieldError("/truth", "is missing: add what turned out to be true", "missing-field")
    elif isinstance(data["truth"], NonFinite) or not in_range(data["truth"]):
        yield FieldError(
            "/truth", "NaN, Infinity and numbers out of range are no truth: leave the label out", "non-finite"
        )
    elif not isinstance(data["truth"], bool | int | float):
        yield FieldError("/truth", "must be 0 or 1, true or false, or a number", "truth")
    if data.get("receipt") is not None and not _text(data["receipt"]):
        yield FieldError("/receipt", "must be a text: send it as the answer had it", "receipt-altered")
    elif data.get("receipt") is not None and len(data["receipt"]) > LONGEST:
        yield FieldError("/receipt", "is longer than any receipt: send it as the answer had it", "receipt-altered")
    if data.get("labelled_at") is not None and (wrong := time_fault(data["labelled_at"])) is not None:
        yield FieldError("/labelled_at", wrong, "label-time")
    yield from twice(data, _FIELDS)


def _text(value: Any) -> bool:
    return isinstance(value, str) and encodable(value)
