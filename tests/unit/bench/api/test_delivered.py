"""Repeats are told apart by their ids."""

from __future__ import annotations

from itertools import count

import pytest

from bench.api.delivered import Marks, Tally, settled
from bench.benchmark import BenchError
from contracts.events import EventId


def id_of(source: str, epoch: int, sequence: int) -> str:
    return str(EventId(source, epoch, sequence))


def test_an_id_counts_once_however_often_it_comes() -> None:
    marks = Marks()
    for sequence in (0, 1, 1, 25_000, 0):
        marks.add(id_of("api.a", 7, sequence))
    assert len(marks) == 3


def test_the_same_number_of_another_start_or_source_is_another_id() -> None:
    marks = Marks()
    marks.add(id_of("api.a", 7, 3))
    marks.add(id_of("api.a", 8, 3))
    marks.add(id_of("api.b", 7, 3))
    assert len(marks) == 3
    assert id_of("api.b", 7, 3) in marks
    assert id_of("api.b", 8, 3) not in marks
    assert id_of("api.b", 7, 2) not in marks
    assert id_of("api.b", 7, 90_000) not in marks


def test_an_id_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(BenchError, match="not ours: 6f1c"):
        Marks().add("6f1c")


def test_what_is_counted_while_the_topic_is_read_is_waited_for() -> None:
    counts = iter([5, 7, 7, 7])
    looks: list[str] = []

    def there() -> Tally:
        looks.append("read")
        return Tally(len(looks), len(looks), 0)

    assert settled(lambda: next(counts), lambda: looks.append("drained"), there) == (7, Tally(4, 4, 0))
    assert looks == ["drained", "read", "drained", "read"]


def test_a_server_that_never_settles_is_an_error() -> None:
    counts = count()
    with pytest.raises(BenchError, match="goes on counting"):
        settled(lambda: next(counts), lambda: None, lambda: Tally(0, 0, 0))
