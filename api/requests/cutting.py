"""Cutting: the body of a batch cut into its rows, a little at a time.

Any decoder of a whole body holds the event loop for as long as the body asks it to: a million zeros are a million
objects. This one looks only at what separates rows, stops at the first row too many, and lets others have the event
loop in between. What is wrong inside of a row is left to whoever reads the row, so it costs that row alone; only a body
whose brackets or quotes do not match is no JSON as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np

from api.errors import FieldError, InvalidRequest, Unreadable
from api.requests.diagnosis import pointer, shown
from api.requests.slow_reading import BYTE_ORDER_MARK, MARKED, read_slowly

ROWS = "rows"


class Form(NamedTuple):
    """What is cut. name: of the field, which is what its elements are called. shape: of the body, in words."""

    name: str
    shape: str
    no_batch: str


OF_ROWS = Form(
    ROWS, 'must be {"rows": [...]}, each row a request as POST /predict takes it', "The body is no batch of requests."
)
_WINDOW = 8_192  # bytes that one look takes in at most
_BRACKETS, _BRACKETS_TO_SPARE = 8, 4_000
"""So many may be opened for each row, and besides. A right row opens two; each costs a microsecond, and 2 MB of nothing
else would cost two seconds and count as one row of a client's rate."""
_CLOSED = 2_000
_LONGEST_KEY = 1024
_SPACE = b" \t\r\n"
_OPENS = {b"{": b"}", b"[": b"]"}

_blank = re.compile(rb"[ \t\r\n]*+")
_key = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
# `rows` or `labels`, each of whose characters may be written as \uXXXX
_again = re.compile(rb'\][ \t\r\n]*+,[ \t\r\n]*+"(?:[^"\\]|\\u.{4}){4,6}+"[ \t\r\n]*+:', re.DOTALL)
_in_text = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_in_rows = re.compile(rb'[^"\[\]{},]*+')
# inside of a row commas separate no rows, and texts that end within the window need no look of their own
_in_row = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)


def continued(body: bytes) -> bool:
    """Whether a second array may follow the one of a batch that a decoder takes: it keeps the last one, and drops the
    rows of the others. In a text the quote behind `],` has a backslash before it, or ends the text. A body of more than
    2,000 brackets is left to Cutting, which lets others have the event loop.

    >>> continued(b'{"rows": [{}], "ro\\\\u0077s": []}'), continued(b'{"rows": [{"a": "],", "b": "[x],"}]}')
    (True, False)
    """
    if body.find(b"]") == body.rfind(b"]"):  # nearly always there is no other than the array's own
        return False
    return count_of(b"]", body) > _CLOSED or _again.search(body) is not None


def count_of(mark: bytes, body: bytes) -> int:
    """How many there are of one byte, in a tenth of bytes.count's time, which looks for one after the other."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == mark[0]))


class Cutting:
    """rows: those of `body`, whole only when `steps` has come to its end. limit: most of them."""

    def __init__(self, body: bytes, limit: int, form: Form = OF_ROWS) -> None:
        self.rows: list[bytes] = []
        self._body = body
        self._limit = limit
        self._form = form

    def steps(self) -> Iterator[None]:
        """Each takes some microseconds, and some hundred where a row is full of short texts.

        Raises Unreadable or InvalidRequest.
        """
        _check_utf8(self._body)
        yield
        try:
            at = self._after_rows_colon()
        except InvalidRequest:
            _check_json(self._body)
            raise
        yield
        if self._body[at : at + 1] != b"[":
            if at == len(self._body):
                raise _ends()
            raise self._no_batch(pointer(self._form.name), f"must be an array of {self._form.name}", "wrong-type")
        at += 1
        first = self._skip(at)
        if self._body[first : first + 1] == b"]":
            self._end(first + 1)
            raise self._miscounted(0)
        closed: list[int] = []
        yield from self._cut(at, closed)
        yield
        self._end(closed[0])

    def _cut(self, at: int, closed: list[int]) -> Iterator[None]:
        """closed: is given where the array ends."""
        body, length, rows = self._body, len(self._body), self.rows
        begun, expected = at, bytearray()  # of the row; and the brackets that it has to close
        opened = 0
        while at < length:
            at = (_in_row if expected else _in_rows).match(body, at, at + _WINDOW).end()  # type: ignore[union-attr]
            mark = body[at : at + 1]
            if mark == b'"':
                at += 1
                while True:
                    at = _in_text.match(body, at, at + _WINDOW).end()  # type: ignore[union-attr]
                    if body[at : at + 1] == b'"':
                        break
                    if at + 2 > length:
                        raise _ends()
                    yield
                at += 1
            elif mark == b"{" or mark == b"[":
                opened += 1
                if opened > _BRACKETS * (len(rows) + 1) + _BRACKETS_TO_SPARE:
                    where = pointer(self._form.name, str(len(rows)))
                    raise self._no_batch(where, "has more brackets than requests have: send flat ones", "wrong-type")
                expected += _OPENS[mark]
                at += 1
            elif mark == b"}" or mark == b"]":
                if expected:
                    if expected[-1:] != mark:
                        raise _mismatch(at)
                    expected.pop()
                    at += 1
                elif mark == b"]":
                    rows.append(body[begun:at])
                    if len(rows) > self._limit:
                        raise self._miscounted(len(rows))
                    closed.append(at + 1)
                    return
                else:
                    raise _mismatch(at)
            elif mark == b"," and not expected:
                rows.append(body[begun:at])
                if len(rows) > self._limit:
                    raise self._miscounted(len(rows))
                at += 1
                begun = at
            yield
        raise _ends()

    def _after_rows_colon(self) -> int:
        at = self._skip(0)
        first = self._body[at : at + 1]
        if first != b"{":
            if not first or first not in b'["0123456789-tfn':
                raise Unreadable("not-json", "The body is not JSON.")
            raise self._no_batch("", self._form.shape, "wrong-type")
        at = self._skip(at + 1)
        if self._body[at : at + 1] == b"}":
            raise self._no_batch(pointer(self._form.name), f"is missing: the body {self._form.shape}", "missing-field")
        return self._after_key(at)

    def _after_key(self, at: int) -> int:
        """Raises InvalidRequest for any key but `rows`."""
        found = _key.match(self._body, at, at + _LONGEST_KEY)
        if found is None:
            if self._body[at : at + 1] == b'"' and len(self._body) - at > _LONGEST_KEY:
                told = f"has an unknown field: leave it out; the body {self._form.shape}"
                raise self._no_batch("", told, "unknown-field")
            raise Unreadable("not-json", f"The body is not JSON: no key at byte {at}.")
        try:
            name = read_slowly(found[0])
        except Unreadable as error:
            raise Unreadable("not-json", f"The body is not JSON: the key at byte {at} is no text.") from error
        at = self._skip(found.end())
        if self._body[at : at + 1] != b":":
            raise Unreadable("not-json", f"The body is not JSON: no colon at byte {at}.")
        if name != self._form.name:
            told = f"unknown field: leave it out; the body {self._form.shape}"
            raise self._no_batch(pointer(shown(name)), told, "unknown-field")
        return self._skip(at + 1)

    def _end(self, at: int) -> None:
        """What is after the array: the end of the body, and nothing else."""
        at = self._skip(at)
        mark = self._body[at : at + 1]
        if mark == b",":
            self._after_key(self._skip(at + 1))
            raise self._no_batch(pointer(self._form.name), "is there twice: send it once", "wrong-type")
        if mark != b"}" or self._skip(at + 1) != len(self._body):
            raise _mismatch(at)

    def _skip(self, at: int) -> int:
        return _blank.match(self._body, at).end()  # type: ignore[union-attr]

    def _miscounted(self, rows: int) -> InvalidRequest:
        name = self._form.name
        has = f"has no {name.removesuffix('s')}" if not rows else f"has more than {self._limit} {name}"
        return self._no_batch(pointer(name), f"{has}: send 1 to {self._limit} in one request", "row-count")

    def _no_batch(self, where: str, detail: str, category: Any) -> InvalidRequest:
        return InvalidRequest(category, self._form.no_batch, (FieldError(where, detail, category),))


def _check_utf8(body: bytes) -> None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable("not-utf-8", f"The body is not UTF-8: byte {error.start} is wrong. Send UTF-8.") from error
    if text.startswith(BYTE_ORDER_MARK):
        raise Unreadable("not-json", MARKED)


def _check_json(body: bytes) -> None:
    """Raises Unreadable. NaN, infinities and halves of surrogate pairs pass, as they do in a row."""
    body = body.replace(rb"\ud", rb"\u0").replace(rb"\uD", rb"\u0")
    for constant in (b"", b"-Infinity", b"Infinity", b"NaN"):
        if constant:
            body = body.replace(constant, b"0")
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
            return
        except RecursionError:
            return  # brackets and nothing else: what is wrong with the shape says enough
        except msgspec.MsgspecError as error:
            fault = error
    raise Unreadable("not-json", f"The body is not JSON: {fault}.") from fault


def _ends() -> Unreadable:
    return Unreadable("not-json", "The body is not JSON: it ends before its brackets and quotes are closed.")


def _mismatch(at: int) -> Unreadable:
    return Unreadable("not-json", f"The body is not JSON: byte {at} does not belong there.")
