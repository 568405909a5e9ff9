"""What stands in every reading is a difference; rows that move from one to the next are a note."""

from __future__ import annotations

from stream_app.audit.difference import Difference, Kind
from stream_app.audit.standing import standing


def a_difference(kind: Kind = "rows", rows: int = 5, words: str = "") -> Difference:
    return Difference(kind=kind, words=words or f"flights/1: {rows} rows", model="flights", version="1", rows=rows)


def test_rows_that_are_missing_in_every_reading_are_a_difference_whatever_else_was_counted_meanwhile() -> None:
    readings = [[a_difference(words=f"5 of {counted}")] for counted in (100, 200, 300)]
    assert standing(readings) == (tuple(readings[-1]), ())


def test_rows_that_move_from_reading_to_reading_are_a_note() -> None:
    stand, (note,) = standing([[a_difference(rows=rows)] for rows in (5, 9, 7)])
    assert (stand, note.startswith("flights/1: 7 rows. A moment before")) == ((), True)


def test_rows_that_one_reading_does_not_miss_are_a_note() -> None:
    other = a_difference("reports")
    assert standing([[a_difference()], [], [other, a_difference()]])[0] == (other,)


def test_what_no_worker_can_feign_is_a_difference_at_once() -> None:
    late = [a_difference("records"), a_difference("dead-letters")]
    assert standing([[], [], late]) == (tuple(late), ())
