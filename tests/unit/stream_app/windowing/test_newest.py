"""Newest: a former owner's late write does not replace the new owner's."""

from __future__ import annotations

from stream_app.windowing.newest import Newest


def test_an_older_value_does_not_replace_a_younger_one_and_a_tombstone_removes_both() -> None:
    newest = Newest(lambda key, value: (int(value), 0))
    for key, value in [(b"a", b"3"), (b"a", b"2"), (b"b", b"1"), (b"b", b"1"), (b"c", b"9"), (b"c", None)]:
        newest.take(key, value)
    assert newest.values == {b"a": b"3", b"b": b"1"}
