"""What every reading has is a difference; rows that one of them does not miss are a note."""

from __future__ import annotations

from stream_app.audit.difference import Difference, Kind
from stream_app.audit.standing import standing


def a_difference(kind: Kind = "rows", rows: int = 5, words: str = "", *, too_many: bool = False) -> Difference:
    words = words or f"flights/1: {rows} rows"
    return Difference(kind=kind, words=words, model="flights", version="1", rows=rows, too_many=too_many)


def ahead(position: int, last_offset: int) -> Difference:
    return Difference(kind="ahead", words="", partition=3, first_offset=position + 1, last_offset=last_offset)


def test_rows_that_are_missing_in_every_reading_are_a_difference_whatever_else_was_counted_meanwhile() -> None:
    readings = [[a_difference(words=f"5 of {counted}")] for counted in (100, 200, 300)]
    assert standing(readings) == (tuple(readings[-1]), ())


def test_rows_that_are_missing_in_every_reading_are_a_difference_of_the_least_number() -> None:
    for numbers in ((1000, 1012, 1024), (1024, 1000, 1012)):
        (stand,), notes = standing([[a_difference(rows=rows)] for rows in numbers])
        assert (stand.rows, notes) == (1000, ())
        numbers_in_words = ", ".join(map(str, numbers))
        assert str(stand) == (
            f"flights/1: 1000 rows. By reading: {numbers_in_words}; this is the least; a stage 2 that lags looks so, "
            "too: see `status`, and ask again"
        )


def test_rows_that_are_there_twice_are_no_lag() -> None:
    (stand,), notes = standing([[a_difference(rows=rows, too_many=True)] for rows in (5, 9, 7)])
    assert (stand.rows, "lags" in str(stand), notes) == (5, False, ())


def test_rows_that_are_missing_and_then_there_twice_are_a_note() -> None:
    stand, (note,) = standing([[a_difference()], [a_difference(too_many=True)], [a_difference()]])
    assert (stand, note.startswith("flights/1: 5 rows. A moment before")) == ((), True)


def test_a_window_ahead_of_a_position_that_stands_is_a_difference_though_it_counts_on() -> None:
    last = ahead(9, 14)
    assert standing([[ahead(9, 10)], [ahead(9, 12)], [last]]) == ((last,), ())


def test_a_window_ahead_of_a_position_that_went_on_is_a_note() -> None:
    stand, notes = standing([[ahead(9, 10)], [ahead(10, 12)], [ahead(12, 14)]])
    assert (stand, len(notes)) == ((), 1)


def test_rows_that_one_reading_does_not_miss_are_a_note() -> None:
    other = a_difference("reports")
    assert standing([[a_difference()], [], [other, a_difference()]])[0] == (other,)


def test_what_no_worker_can_feign_is_a_difference_at_once() -> None:
    late = [a_difference("records"), a_difference("dead-letters")]
    assert standing([[], [], late]) == (tuple(late), ())
