import threading

import pytest

from demo.stack.side_by_side import run_side_by_side


def test_all_jobs_run_and_no_more_at_a_time_than_asked_for() -> None:
    done: list[int] = []
    running = threading.Semaphore(3)
    crowded: list[int] = []

    def job(number: int) -> None:
        if not running.acquire(blocking=False):
            crowded.append(number)
        done.append(number)
        running.release()

    run_side_by_side([lambda n=n: job(n) for n in range(100)], at_a_time=3)
    assert sorted(done) == list(range(100))
    assert crowded == []


def test_jobs_do_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2)
    run_side_by_side([lambda: meeting.wait(10), lambda: meeting.wait(10)], at_a_time=2)


def test_the_first_error_is_raised_and_nothing_begins_after_it() -> None:
    begun: list[int] = []

    def job(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise ValueError("job 1")

    with pytest.raises(ValueError, match="job 1"):
        run_side_by_side([lambda n=n: job(n) for n in range(5)], at_a_time=1)
    assert begun == [0, 1]


def test_no_jobs_are_done_at_once() -> None:
    run_side_by_side([], at_a_time=4)
