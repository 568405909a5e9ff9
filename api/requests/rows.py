"""RowsReader: the rows of POST /predict/batch, all at once where all are right, one by one where one is not.

One typed decode of the whole body costs 1 us a row. It fails at the first fault, so a body that has one is cut into its
rows, and each of them is read as a request of its own: what is right is answered although its neighbour is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

import msgspec

from api.errors import BodyTooLarge, FieldError, InvalidRequest, RequestRefused, Unreadable
from api.requests.cutting import ROWS, continued, count_of
from api.requests.diagnosis import Effort, pointer
from api.requests.hints import Hints
from api.requests.schemas import PredictionRequest, RequestReader

_event_time = attrgetter("event_time")
_MOST_FAULTS = 5  # of one row: a thousand rows may be bad
_LONGEST_BAD_ROW = 65_536
"""Bytes of a row whose faults are looked for. As long as a single request's body is by default; 1 ms, if it is bad."""


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
        """The requests, or None where anything is wrong or looks like too many rows: cut the body then."""
        # a right row opens two objects: the decoder would make all rows of a body that has far too many
        if count_of(b"{", body) > 2 * self._limit + 1:
            return None
        try:
            rows = cast(list[PredictionRequest], self._decode(body).rows)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if not 1 <= len(rows) <= self._limit or continued(body):
            return None
        if any(map(_event_time, rows)):  # nearly always none has one
            latest = self._reader.latest(now)
            return rows if all(self._reader.timely(row, latest) for row in rows) else None
        return rows

    def read_each(self, rows: Sequence[bytes], now: datetime) -> Iterator[PredictionRequest | RequestRefused]:
        """Each row's request or what is wrong with it, its fields under /rows/N; slow, so taken bit by bit."""
        effort = Effort(Hints(), _MOST_FAULTS, _LONGEST_BAD_ROW)
        for number, row in enumerate(rows):
            try:
                yield self._reader.read(row, now, effort)
            except RequestRefused as error:
                yield in_place(error, number)


def in_place(error: RequestRefused, number: int) -> RequestRefused:
    """The same of the row with this number, with pointers into the batch and not into the row."""
    place = pointer(ROWS, str(number))
    errors = tuple(fault._replace(pointer=place + fault.pointer) for fault in error.errors)
    errors = errors or (FieldError(place, str(error), error.category),)
    kind = type(error) if isinstance(error, BodyTooLarge | Unreadable) else InvalidRequest
    return kind(error.category, str(error), errors)
