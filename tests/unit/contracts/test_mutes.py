"""Mutes: what they cover, by the end of a window alone, and the keys by which one takes the place of another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import InvalidMessage
from contracts.mutes import Mute, decode_mute, encode_mute, in_force

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_it_covers_windows_that_end_behind_its_beginning_and_up_to_its_end() -> None:
    mute = Mute(model="flights", since=NOON, until=NOON + HOUR)
    ends = [NOON, NOON + HOUR / 2, NOON + HOUR, NOON + HOUR * 1.01]
    assert [mute.covers("flights", "1", end) for end in ends] == [False, True, True, False]


def test_names_that_look_alike_together_have_keys_of_their_own() -> None:
    subjects = [("a", None, None), ("a", "b", None), ("a", None, "b"), ("a/b", None, None), ("a", "None", None)]
    mutes = [Mute(model=m, version=v, feature=f, since=NOON, until=NOON) for m, v, f in subjects]
    assert len({mute.key for mute in mutes}) == len(subjects)


def test_those_in_force_come_in_one_order_whatever_the_topics_was() -> None:
    mutes = [Mute(model="flights", feature=name, since=NOON, until=NOON + HOUR) for name in ("b", "a", "c")]
    other = Mute(model="payments", since=NOON, until=NOON + HOUR)
    found = in_force([*mutes, other], "flights", "1", NOON + HOUR)
    assert found == in_force([other, *reversed(mutes)], "flights", "1", NOON + HOUR)
    assert [mute.feature for mute in found] == ["a", "b", "c"]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"model":"a","since":"2026-01-01T00:00:00","until":"noon"}'])
def test_what_is_no_mute_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(InvalidMessage, match="not a mute"):
        decode_mute(data)


def test_it_is_read_as_it_was_written() -> None:
    mute = Mute(model="flights", version="3", feature="größe", since=NOON, until=NOON + HOUR, reason="mended")
    assert decode_mute(encode_mute(mute)) == mute
