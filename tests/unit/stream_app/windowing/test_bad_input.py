"""Whatever a record holds: it is counted or it is a dead letter with its reason, never both, and never stops the rest.

test_decoding.py has the plain cases; here are the odd ones, and any bytes at all.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.dead_letters import decode_dead_letter, encode_dead_letter
from contracts.events import encode_event
from contracts.window import WindowCounts
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.decoding import Limits, decode_batch
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import NOON_MS, an_event
from tests.unit.stream_app.windowing.stand import FIRST, Record, by_version

SIZE = 60_000
LIMITS = Limits(max_future_ms=5_000, max_age_ms=SIZE)
EVENT: dict[str, Any] = json.loads(encode_event(an_event()))
GOOD = json.dumps(EVENT).encode()


def with_(old: bytes, new: bytes) -> bytes:
    assert old in GOOD, old
    return GOOD.replace(old, new)


def at(time: bytes) -> bytes:
    return with_(b"2026-01-01T12:00:00Z", time)


def number(digits: bytes, field: bytes = b'"distance": 100.0') -> bytes:
    return with_(field, field[: field.index(b" ") + 1] + digits)


def records(*values: bytes | None) -> list[Record]:
    return [Record("predictions", 0, offset, NOON_MS, None, value) for offset, value in enumerate(values)]


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


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_has_a_reason_and_its_neighbours_are_counted(value: bytes, reason: str) -> None:
    batch = decode_batch(records(GOOD, value, GOOD), by_version(), LIMITS, final=True)
    [letter] = batch.refused
    assert (letter.reason, letter.offset, letter.value) == (reason, 1, value)
    assert 0 < len(letter.detail) <= 500
    assert decode_dead_letter(encode_dead_letter(letter)) == letter
    assert counted(batch, 3) == 1  # the third is a repeat of the first: the same id of the API


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


@pytest.mark.parametrize(("value", "distance"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_odd_and_readable_is_counted(value: bytes, distance: float | None) -> None:
    batch = decode_batch(records(value), by_version(), LIMITS, final=True)
    assert batch.refused == []
    partition = Partition(0, WindowConfig(SIZE))
    assert partition.apply(batch, 0, 0).counted == 1
    partition.idle(NOON_MS + SIZE)
    [part] = partition.due()
    counts = WindowCounts.of(part, FIRST)
    assert (part.window_start, part.rows) == (NOON_MS, 1)
    assert (counts.features[0].minimum, counts.features[0].missing) == (distance, distance is None)


def counted(batch: Any, number: int) -> int:
    """How many of so many records are counted by a partition that never saw any; every record is somewhere."""
    partition = Partition(0, WindowConfig(SIZE))
    touched = partition.apply(batch, 0, number - 1)
    partition.stored(touched.keys)
    assert touched.counted + touched.late + touched.repeats + touched.refused == number
    assert touched.refused == len(batch.refused)
    assert partition.meta is not None
    assert partition.meta.read == number
    return touched.counted


_tokens = st.sampled_from(
    [
        *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"1e999", b"NaN", b"-0", b"\\ud800", b"\xff"),
        *(b"\x00", b"9" * 40, b'"model_version":"9"', b'"model":"payments"', b"2026-13-01", b"T25:00", b"+99:99"),
        *(b"Z", b" ", b"\\"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An event in which a few stretches are replaced by something that may hurt."""
    value = GOOD
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(value)))
        end = draw(st.integers(begin, min(len(value), begin + draw(st.sampled_from([0, 1, 5, 400])))))
        value = value[:begin] + draw(_tokens | st.binary(max_size=4)) + value[end:]
    return value


anything = st.none() | st.just(GOOD) | mutated() | st.binary(max_size=60) | st.text(max_size=20).map(str.encode)


@settings(max_examples=200, deadline=None)
@given(st.lists(anything, min_size=1, max_size=8), st.integers(-100_000, 10_000))
def test_every_record_is_in_exactly_one_place_whatever_it_holds(values: list[bytes | None], drift: int) -> None:
    batch = [record._replace(timestamp=NOON_MS + drift) for record in records(*values)]
    asked = decode_batch(batch, by_version(), LIMITS)
    final = decode_batch(batch, by_version(), LIMITS, final=True)
    refused = {letter.offset for letter in final.refused}
    assert len(refused) == len(final.refused)
    assert {letter.offset for letter in asked.refused} == refused - set(asked.unknown_offsets)
    assert set(asked.unknown_offsets) == {
        letter.offset for letter in final.refused if letter.reason == "unknown-version"
    }
    assert final.unknown_offsets == []
    counted(final, len(values))
    for letter in final.refused:
        assert letter.value == values[letter.offset]
        assert decode_dead_letter(encode_dead_letter(letter)) == letter


@given(st.lists(anything, min_size=1, max_size=6))
def test_a_record_fares_alike_alone_and_among_others(values: list[bytes | None]) -> None:
    together = decode_batch(records(*values), by_version(), LIMITS, final=True).refused
    alone = [
        letter
        for record in records(*values)
        for letter in decode_batch([record], by_version(), LIMITS, final=True).refused
    ]
    assert together == alone
