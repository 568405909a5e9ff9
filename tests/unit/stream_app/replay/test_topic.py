"""What records say before a replay begins: which baselines there are, and how far time was."""

from __future__ import annotations

from stream_app.replay.known import Change
from stream_app.replay.topic import changes_of, greatest_time
from stream_app.windowing.decoding import Limits
from stream_app.windowing.typed import Version
from tests.builders import a_baseline
from tests.unit.stream_app.windowing.stand import Record, a_record, a_value

ONE, TWO = a_baseline(rows=60), a_baseline(rows=60, version="2")
LIMITS = Limits(max_future_ms=1_000, max_age_ms=10_000)


def published(offset: int, key: str, value: bytes | None) -> Record:
    return Record("baselines", 0, offset, 1_000 + offset, key.encode(), value)


def test_each_baseline_is_a_change_from_its_records_time_on_and_a_tombstone_is_one_too() -> None:
    keys: dict[bytes, Version] = {}
    records = [
        published(0, ONE.key, ONE.to_bytes()),
        published(1, TWO.key, TWO.to_bytes()),
        published(2, ONE.key, None),
    ]
    said: list[str] = []
    assert list(changes_of(records, keys, said.append)) == [
        Change(1_000, ("flights", "1"), ONE),
        Change(1_001, ("flights", "2"), TWO),
        Change(1_002, ("flights", "1"), None),
    ]
    assert not said


def test_a_record_that_is_no_baseline_is_named_and_passed_over() -> None:
    said: list[str] = []
    records = [published(0, "x/1", b"{"), published(1, "y/1", None), published(2, ONE.key, ONE.to_bytes())]
    assert [change.baseline for change in changes_of(records, {}, said.append)] == [ONE]
    (line,) = said
    assert line.startswith("baselines/0 offset 0 is passed over: not a baseline: ")


def test_how_far_time_was_is_told_by_events_that_can_be_counted() -> None:
    values = [a_value(5_000), b"{", a_value(7_000), a_value(60_000), a_value(6_000), None]
    records = [a_record(i, value, timestamp=8_000) for i, value in enumerate(values)]
    assert greatest_time(records, LIMITS) == 7_000


def test_without_such_an_event_nothing_is_known() -> None:
    assert greatest_time([a_record(0, b"{", timestamp=8_000)], LIMITS) is None
