"""What the follower makes of the records of `alert-mutes`."""

from __future__ import annotations

import pytest
from aiokafka import ConsumerRecord

from contracts.mutes import Mute, encode_mute
from stream_app.alerting.known_alerts import Alerts, learn
from stream_app.alerting.policy_state import PolicyState
from tests.alerting import a_mute, window


def a_record(key: bytes, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("alert-mutes", 0, 0, 0, 0, key, value, None, len(key), len(value or b""), ())


def after(*records: ConsumerRecord) -> dict[bytes, Mute]:
    mutes: dict[bytes, Mute] = {}
    for record in records:
        learn(record, mutes)
    return mutes


def test_a_later_mute_of_the_same_thing_takes_the_place_of_the_former() -> None:
    short, long = a_mute(first=1, last=2), a_mute(first=1, last=9)
    other = a_mute("distance", first=1, last=3)
    found = after(*(a_record(mute.key, encode_mute(mute)) for mute in (short, other, long)))
    assert set(found.values()) == {long, other}


def test_a_tombstone_ends_a_mute_and_what_cannot_be_read_mutes_nothing() -> None:
    mute = a_mute(first=1, last=2)
    assert after(a_record(mute.key, encode_mute(mute)), a_record(mute.key, None)) == {}
    assert after(a_record(b"x", b"{"), a_record(b"y", b'{"v":2}')) == {}


def test_whoever_asks_for_mutes_is_told_of_a_record_that_is_none(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    learn(a_record(b"x", b"{"), {}, told.append)
    (line,) = told
    assert line.startswith("alert-mutes/0 offset 0 is passed over: ")
    assert not caplog.records
    learn(a_record(b"x", b"{"), {})
    assert [record.getMessage() for record in caplog.records] == [line]


def test_before_anything_was_read_nothing_was_said_and_nothing_is_muted() -> None:
    known = Alerts("", "drift-alerts", "alert-mutes", page_after=2)
    assert known.state("flights", "3") == PolicyState()
    assert known.mutes("flights", "3", window(1)) == ()
