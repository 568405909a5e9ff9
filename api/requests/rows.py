"""RowsReader: the rows of POST /predict/batch, all at once where all are right, one by one where one is not.

One typed decode of the whole body costs 1 us a row. It fails at the first fault, so a body that has one is cut into its
rows, and each of them is read as a request of its own: what is right is answered although its neighbour is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import msgspec

from api.errors import FieldError, InvalidRequest, RequestRefused, Unreadable
from api.requests.diagnosis import pointer
from api.requests.schemas import PredictionRequest, RequestReader

ROWS = "rows"
_SHAPE = 'must be {"rows": [...]}, each row a request as POST /predict takes it'
# NaN and infinities, as Python and JavaScript write them. They are not JSON, but they cost their own row alone.
_CONSTANT = re.compile(rb"(?<=[\s:,\[])(?:NaN|-?Infinity)(?=[\s,\]}])")
_MOST_FAULTS = 5  # of one row: a thousand rows may be bad
_OUT_OF_RANGE = b"1e999"
_ESCAPED = re.compile(rb"\\.", re.DOTALL)

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_cut = msgspec.json.Decoder(list[msgspec.Raw])


class RowsReader:
    """Reads the rows of one version. limit: most rows in a body."""

    def __init__(self, reader: RequestReader, limit: int) -> None:
        self._reader = reader
        self._limit = limit
        self.batch_type = msgspec.defstruct(
            "BatchRequest",
            [(ROWS, list[reader.request_type])],  # type: ignore[name-defined]
            frozen=True,
            gc=False,
            kw_only=True,
            forbid_unknown_fields=True,
        )
        self._decode: Any = msgspec.json.Decoder(self.batch_type).decode

    def read_all(self, body: bytes, now: datetime) -> list[PredictionRequest] | None:
        """The requests, or None where anything at all is wrong: ask `read_each` then."""
        try:
            rows = cast(list[PredictionRequest], self._decode(body).rows)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if not 1 <= len(rows) <= self._limit:
            return None
        latest = self._reader.latest(now)
        return rows if all(self._reader.timely(row, latest) for row in rows) else None

    def read_each(self, body: bytes, now: datetime) -> Iterator[PredictionRequest | RequestRefused]:
        """Each row's request or what is wrong with it, its fields under /rows/N; slow, so taken bit by bit.

        Raises Unreadable or InvalidRequest for a body that is no batch.
        """
        for number, row in enumerate(self._rows(body)):
            try:
                yield self._reader.read(bytes(row), now)
            except RequestRefused as error:
                place = pointer(ROWS, str(number))
                told = error.errors[:_MOST_FAULTS]
                errors = tuple(fault._replace(pointer=place + fault.pointer) for fault in told)
                yield InvalidRequest(
                    error.category, str(error), errors or (FieldError(place, str(error), error.category),)
                )

    def _rows(self, body: bytes) -> list[msgspec.Raw]:
        members = _read_members(body)
        for name in members:
            if name != ROWS:
                raise _no_batch(pointer(name), f"unknown field: leave it out; the body {_SHAPE}", "unknown-field")
        if ROWS not in members:
            raise _no_batch(pointer(ROWS), f"is missing: the body {_SHAPE}", "missing-field")
        try:
            rows = _cut.decode(members[ROWS])
        except msgspec.ValidationError as error:
            raise _no_batch(pointer(ROWS), "must be an array of requests", "wrong-type") from error
        if not 1 <= len(rows) <= self._limit:
            detail = f"has {len(rows)} rows: send 1 to {self._limit} in one request"
            raise _no_batch(pointer(ROWS), detail, "row-count")
        return rows


def finite(body: bytes) -> bytes:
    """The body with NaN and infinities outside of texts written as a number out of range, which JSON has.

    >>> finite(b'{"a": NaN, "b": "NaN, NaN,"}')
    b'{"a": 1e999, "b": "NaN, NaN,"}'
    """
    parts: list[bytes] = []
    at, quoted = 0, False
    for found in _CONSTANT.finditer(body):
        between = body[at : found.start()]
        quoted ^= _ESCAPED.sub(b"", between).count(b'"') % 2 == 1
        parts += between, found[0] if quoted else _OUT_OF_RANGE
        at = found.end()
    return b"".join((*parts, body[at:]))


def _read_members(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable("not-utf-8", f"The body is not UTF-8: byte {error.start} is wrong. Send UTF-8.") from error
    try:
        try:
            return _members.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return _members.decode(finite(body))
    except msgspec.ValidationError as error:
        raise _no_batch("", _SHAPE, "wrong-type") from error
    except msgspec.DecodeError as error:
        raise Unreadable("not-json", f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise Unreadable("not-json", "The body is nested too deeply. A batch has four levels.") from error


def _no_batch(where: str, detail: str, category: Any) -> InvalidRequest:
    return InvalidRequest(category, "The body is no batch of requests.", (FieldError(where, detail, category),))
