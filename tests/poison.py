"""Values of records that somebody might send: those to be refused, with the reason, and the odd readable ones."""

from __future__ import annotations

import json
from typing import Any

from contracts.events import encode_event
from tests.builders import an_event

EVENT: dict[str, Any] = json.loads(encode_event(an_event()))
GOOD = json.dumps(EVENT).encode()


def with_(old: bytes, new: bytes) -> bytes:
    assert old in GOOD, old
    return GOOD.replace(old, new)


def at(time: bytes) -> bytes:
    return with_(b"2026-01-01T12:00:00Z", time)


def number(digits: bytes, field: bytes = b'"distance": 100.0') -> bytes:
    return with_(field, field[: field.index(b" ") + 1] + digits)


REFUSED = {
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "malformed"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "malformed"),
    "compressed by hand": (b"\x1f\x8b\x08" + GOOD, "malformed"),
    "two objects": (GOOD + GOOD, "malformed"),
    "something behind the object": (GOOD + b" // done", "malformed"),
    "single quotes": (GOOD.replace(b'"', b"'"), "malformed"),
    "nothing but blanks": (b"  \n", "malformed"),
    "null": (b"null", "malformed"),
    "a number": (b"1", "malformed"),
    "a text that holds the event": (json.dumps(GOOD.decode()).encode(), "malformed"),
    "NULs": (b"\x00" * 100, "malformed"),
    "a feature that is not UTF-8": (with_(b'"a"', b'"\xff"'), "malformed"),
    "an id that is not UTF-8": (with_(b'"api.', b'"\xc3('), "malformed"),
    "an id that is a number": (json.dumps({**EVENT, "id": 17}).encode(), "malformed"),
    "an extra field nested too deeply": (GOOD[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed"),
    "a decision that is a number": (with_(b'"decision": false', b'"decision": 1'), "malformed"),
    "a score in quotes": (with_(b'"score": 0.25', b'"score": "0.25"'), "malformed"),
    "no score": (with_(b'"score": 0.25', b'"score": null'), "malformed"),
    "a numeric feature in quotes": (number(b'"100"'), "malformed"),
    "a numeric feature that is true": (number(b"true"), "malformed"),
    "a numeric feature that is a list": (number(b"[100.0]"), "malformed"),
    "a text feature that is a number": (with_(b'"a"', b"5"), "malformed"),
    "features in a list": (json.dumps({**EVENT, "features": [1, 2]}).encode(), "malformed"),
    "a time in seconds": (with_(b'"2026-01-01T12:00:00Z"', b"1767268800"), "malformed"),
    "a time without zone": (at(b"2026-01-01T12:00:00"), "malformed"),
    "a leap second": (at(b"2016-12-31T23:59:60Z"), "malformed"),
    "the hour 24": (at(b"2026-01-01T24:00:00Z"), "malformed"),
    "the 30th of February": (at(b"2026-02-30T12:00:00Z"), "malformed"),
    "the year 10000": (at(b"10000-01-01T00:00:00Z"), "malformed"),
    "the year 0": (at(b"0000-01-01T00:00:00Z"), "malformed"),
    "a zone of 99 hours": (at(b"2026-01-01T12:00:00+99:00"), "malformed"),
    "the year 1": (at(b"0001-01-01T00:00:00Z"), "ancient"),
    "the year 1 in a zone ahead": (at(b"0001-01-01T00:00:00+23:59"), "ancient"),
    "the last microsecond of the calendar, in a zone behind": (at(b"9999-12-31T23:59:59.999999-23:59"), "future"),
    "NaN": (number(b"NaN"), "non-finite"),
    "minus infinity": (number(b"-Infinity"), "non-finite"),
    "10**400": (number(b"1" + b"0" * 400), "non-finite"),
    "-1e400": (number(b"-1e400"), "non-finite"),
    "NaN in a field that nobody asked for": (GOOD[:-1] + b', "x": NaN}', "non-finite"),
    "an empty model": (json.dumps({**EVENT, "model": ""}).encode(), "unknown-version"),
    "a version that is a number": (json.dumps({**EVENT, "model_version": 1}).encode(), "malformed"),
    "a format of the future": (json.dumps({**EVENT, "v": 2}).encode(), "malformed"),
}
"""By what is wrong: the value, and the dead letter's reason."""

ACCEPTED: dict[str, tuple[bytes, float | None]] = {
    "blanks around it": (b" \r\n" + GOOD + b"\n", 100.0),
    "2**70": (number(str(2**70).encode()), float(2**70)),
    "the greatest double": (number(b"1.7976931348623157e308"), 1.7976931348623157e308),
    "the least one": (number(b"5e-324"), 5e-324),
    "a number too small for a double is 0": (number(b"1e-400"), 0.0),
    "negative zero is 0": (number(b"-0.0"), 0.0),
    "a whole number": (number(b"100"), 100.0),
    "fields of others": (GOOD[:-1] + ', "trace": {"a": [1, null]}, "größe": "x"}'.encode(), 100.0),
    "features of others": (number(b'100.0, "wheels": [4, {}]'), 100.0),
    "a field twice: the last one counts": (number(b'99.0, "distance": 100.0'), 100.0),
    "names that are escaped": (with_(b'"score"', b'"\\u0073core"'), 100.0),
    "no decision": (with_(b'"decision": false', b'"decision": null'), 100.0),
    "small letters in the time": (at(b"2026-01-01t12:00:00z"), 100.0),
    "a zone of a quarter of an hour": (at(b"2026-01-01T17:45:00+05:45"), 100.0),
    "nanoseconds": (at(b"2026-01-01T12:00:00.123456789Z"), 100.0),
    "an id of a megabyte": (json.dumps({**EVENT, "id": "x" * (1 << 20)}).encode(), 100.0),
    "an empty id": (json.dumps({**EVENT, "id": ""}).encode(), 100.0),
    "a level of a megabyte is an unseen one": (with_(b'"a"', b'"' + b"x" * (1 << 20) + b'"'), 100.0),
    "a feature left out is missing": (with_(b'"distance": 100.0, ', b""), None),
    "a feature that is null is missing": (number(b"null"), None),
}
"""By what is odd: the value, and what its feature `distance` is counted as."""
