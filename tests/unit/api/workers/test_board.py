"""Pages on shared memory, and as one page."""

import os

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.workers.board import Board, Worker
from api.workers.pages import merge


def a_page(answers: int) -> bytes:
    registry = CollectorRegistry()
    Counter("answers", "Answers.", ("path",), registry=registry).labels('a"b\\c').inc(answers)
    Histogram("seconds", "Time.", buckets=(1, 2), registry=registry).observe(1.5)
    return generate_latest(registry)


def test_every_sample_of_every_page_is_there_once_with_its_worker() -> None:
    merged = merge({"00": a_page(1), "01": a_page(2)}).decode()

    families = {family.name: family for family in text_string_to_metric_families(merged)}
    answers = {s.labels["worker"]: s.value for s in families["answers"].samples if s.name == "answers_total"}
    assert answers == {"00": 1.0, "01": 2.0}
    assert all(s.labels["path"] == 'a"b\\c' for s in families["answers"].samples)
    assert len(families["seconds"].samples) == 2 * (3 + 2)
    assert merged.count("# HELP seconds ") == merged.count("# TYPE seconds ") == 1


def test_a_page_put_by_another_process_is_read_here() -> None:
    board = Board(2)
    child = os.fork()
    if not child:
        board.put(1, b"a 1.0\n")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    assert (board.get(0), board.get(1)) == (b"", b"a 1.0\n")


def test_the_last_page_is_shown_until_it_is_cleared() -> None:
    board = Board(1)
    for number in range(5):
        board.put(0, b"a %d\n" % number)
        assert board.get(0) == b"a %d\n" % number
    board.clear(0)
    assert board.get(0) == b""


def test_a_page_that_is_too_long_is_refused_and_the_one_before_stays() -> None:
    board = Board(1, half_bytes=10)
    board.put(0, b"a 1\n")
    with pytest.raises(ValueError, match="at most 10"):
        board.put(0, b"a" * 11)
    assert board.get(0) == b"a 1\n"


def test_what_a_worker_showed_of_itself_is_what_the_others_show_of_it() -> None:
    """Otherwise a counter seen at one worker could be smaller at the next."""
    board = Board(2)
    one, other = Worker(0, board), Worker(1, board)
    one.page(lambda: b"answers 7.0\n")

    assert b'answers{worker="00"} 7.0\n' in other.page(lambda: b"answers 1.0\n")
