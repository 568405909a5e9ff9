"""Decoding: what can be counted is typed, what cannot is a dead letter with its reason, and a batch never stops."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import encode_event
from stream_app.windowing.decoding import Limits, decode_batch
from tests import poison
from tests.builders import NOON, NOON_MS, a_baseline, a_schema, an_event
from tests.unit.stream_app.windowing.stand import (
    AGAIN,
    FIRST,
    NO_LIMITS,
    SECOND,
    Record,
    a_record,
    a_value,
    by_version,
    decoded,
)

MANY = 41
"""More than have their times converted one by one."""
LIMITS = Limits(max_future_ms=5_000, max_age_ms=60_000)
GOOD = json.loads(encode_event(an_event()))


def changed(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()


def at(seconds: float, offset: int = 0) -> Record:
    """An event that happened so many seconds after its record was appended."""
    value = encode_event(an_event(event_time=NOON + timedelta(seconds=seconds)))
    return Record("predictions", 3, offset, NOON_MS, b"N14228", value)


def test_an_event_is_decoded_with_its_versions_own_schema() -> None:
    first, second = a_record(7, a_value(1_500)), a_record(8, a_value(20, baseline=SECOND))
    batch = decoded([first, second])
    assert [(item.offset, item.time_ms, item.baseline) for item in batch.accepted] == [
        (7, 1_500, FIRST),
        (8, 20, SECOND),
    ]
    assert [item.features for item in batch.accepted] == [{0: 100.0, 1: 100.0, 2: "a"}, {0: 100.0, 1: "a", 2: "a"}]


@given(st.lists(st.sampled_from([FIRST, SECOND, None]), max_size=20))
def test_versions_may_alternate_in_any_way(versions: list[Any]) -> None:
    values = [b"{" if baseline is None else a_value(1, baseline=baseline) for baseline in versions]
    batch = decoded([a_record(offset, value) for offset, value in enumerate(values)])
    found: list[Any] = [None] * len(values)
    for item in batch.accepted:
        found[item.offset] = item.baseline
        assert len(item.features) == 3
    assert found == versions
    assert [letter.offset for letter in batch.refused] == [i for i, baseline in enumerate(versions) if baseline is None]


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (None, "malformed", "no value"),
        (b"", "malformed", "no value"),
        (b"{", "malformed", "truncated"),
        (b"[]", "malformed", "object"),
        (b"\xff\xfe", "malformed", "JSON"),
        (changed(id="\ud800 and more"), "malformed", "surrogate"),
        (b'{"features":' + b"[" * 100_000, "malformed", "nested too deeply"),
        (without("id"), "malformed", "id"),
        (without("event_time"), "malformed", "event_time"),
        (without("features"), "malformed", "features"),
        (changed(score="high"), "malformed", "score"),
        (changed(event_time="2026-01-01T12:00:00"), "malformed", "timezone"),
        (changed(features={"distance": "far"}), "malformed", "distance"),
        (changed(features=None), "malformed", "features"),
        (changed(role="boss"), "malformed", "boss"),
        (changed(role="x" * 1_000_000), "malformed", "Invalid enum value"),
        (changed(v=2), "malformed", "v"),
        (changed(score=float("nan")), "non-finite", "NaN"),
        (changed(features={"distance": float("-inf")}), "non-finite", "Infinity"),
        (changed(score=1).replace(b'"score": 1', b'"score": 1e999'), "non-finite", "out of range"),
        (changed(score=1).replace(b'"score": 1', b'"score": 1' + b"0" * 400), "non-finite", "out of range"),
        (changed(model_version="9"), "unknown-version", "flights/9"),
        (changed(model="m" * 1_000_000), "unknown-version", "mmm"),
    ],
)
def test_a_poison_record_is_a_dead_letter_with_its_reason_and_harms_no_neighbour(
    value: bytes | None, reason: str, words: str
) -> None:
    odd = Record("predictions", 3, 11, NOON_MS, b"N14228", value)
    batch = decode_batch([at(0, 10), odd, at(0, 12)], by_version(), LIMITS, final=True)
    assert [item.offset for item in batch.accepted] == [10, 12]
    [letter] = batch.refused
    assert (letter.reason, letter.id, letter.key, letter.value) == (reason, "predictions/3/11", b"N14228", value)
    assert words in letter.detail
    assert len(letter.detail) <= 500


def test_a_text_of_a_megabyte_and_a_huge_number_that_is_finite_are_counted() -> None:
    value = changed(features={"carrier": "x" * 1_000_000, "distance": 10**300, "seats": None})
    assert len(decoded([a_record(0, value)]).accepted) == 1


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(5.0, None), (5.001, "future"), (1e9, "future"), (-60.0, None), (-60.001, "ancient"), (-1.7e9, "ancient")],
)
def test_an_event_too_far_from_its_records_time_is_refused(seconds: float, reason: str | None) -> None:
    batch = decode_batch([at(seconds)], by_version(), LIMITS)
    assert [letter.reason for letter in batch.refused] == ([] if reason is None else [reason])
    assert len(batch.accepted) == (reason is None)


@pytest.mark.parametrize("good", [0, MANY - 1])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"])
def test_the_ends_of_the_calendar_are_only_times(time: str, good: int) -> None:
    odd = Record("predictions", 3, good, NOON_MS, b"N14228", changed(event_time=time))
    batch = decode_batch([*(at(0.25, i) for i in range(good)), odd], by_version(), LIMITS)
    assert [letter.offset for letter in batch.refused] == [good]
    assert len(batch.accepted) == good


@pytest.mark.parametrize("what", [*poison.REFUSED, *poison.ACCEPTED])
def test_what_somebody_might_send_harms_none_of_the_many_around_it(what: str) -> None:
    value, reason = poison.REFUSED[what] if what in poison.REFUSED else (poison.ACCEPTED[what][0], None)
    records = [at(0.25, i) for i in range(MANY)]
    records[20] = records[20]._replace(value=value)
    batch = decode_batch(records, by_version(), LIMITS, final=True)
    assert [(letter.offset, letter.reason) for letter in batch.refused] == ([] if reason is None else [(20, reason)])
    assert [item.offset for item in batch.accepted] == [i for i in range(MANY) if i != 20 or reason is None]


def test_an_unknown_version_is_asked_for_before_it_is_refused() -> None:
    records = [a_record(0, a_value(1)), a_record(1, a_value(2, baseline=SECOND)), a_record(2, a_value(3))]
    asked = decode_batch(records, by_version(FIRST), NO_LIMITS)
    assert (asked.unknown, asked.unknown_offsets, asked.refused) == ({("flights", "2")}, [1], [])
    assert [item.offset for item in asked.accepted] == [0, 2]
    arrived = decode_batch(records, by_version(FIRST, SECOND), NO_LIMITS, final=True)
    assert [item.offset for item in arrived.accepted] == [0, 1, 2]
    given_up = decode_batch(records, by_version(FIRST), NO_LIMITS, final=True)
    assert given_up.unknown_offsets == []
    assert [(letter.offset, letter.reason) for letter in given_up.refused] == [(1, "unknown-version")]


def test_a_baseline_published_again_with_the_same_features_decodes_alike() -> None:
    record = a_record(0, a_value(1))
    before, after = (decoded([record], baseline).accepted[0] for baseline in (FIRST, AGAIN))
    assert before.features == after.features
    assert (before.baseline, after.baseline) == (FIRST, AGAIN)


def test_an_event_of_another_model_is_not_taken_for_a_broken_one() -> None:
    other = a_baseline(model="payments", schema=a_schema(("amount",), ("distance",)), rows=60)
    value = a_value(1, baseline=other)  # its `distance` is text, the flights' a number
    batch = decoded([a_record(0, a_value(1)), a_record(1, value)], FIRST, other)
    assert [item.baseline.model for item in batch.accepted] == ["flights", "payments"]


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_raise(values: list[bytes]) -> None:
    batch = decode_batch([a_record(i, value) for i, value in enumerate(values)], by_version(), LIMITS, final=True)
    assert len(batch.refused) == len(values)
