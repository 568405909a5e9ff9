"""Whatever a record holds: it is counted or it is a dead letter with its reason, never both, and never stops the rest.

test_decoding.py has the plain cases; here are the odd ones, and any bytes at all.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.dead_letters import decode_dead_letter, encode_dead_letter
from contracts.window import WindowCounts
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.decoding import Limits, decode_batch
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import NOON_MS
from tests.poison import ACCEPTED, GOOD, REFUSED
from tests.unit.stream_app.windowing.stand import FIRST, Record, by_version

SIZE = 60_000
LIMITS = Limits(max_future_ms=5_000, max_age_ms=SIZE)


def records(*values: bytes | None) -> list[Record]:
    return [Record("predictions", 0, offset, NOON_MS, None, value) for offset, value in enumerate(values)]


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_has_a_reason_and_its_neighbours_are_counted(value: bytes, reason: str) -> None:
    batch = decode_batch(records(GOOD, value, GOOD), by_version(), LIMITS, final=True)
    [letter] = batch.refused
    assert (letter.reason, letter.offset, letter.value) == (reason, 1, value)
    assert 0 < len(letter.detail) <= 500
    assert decode_dead_letter(encode_dead_letter(letter)) == letter
    assert counted(batch, 3) == 1  # the third is a repeat of the first: the same id of the API


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


@settings(max_examples=100, deadline=None)
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
