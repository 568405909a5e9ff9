"""The span over which a rate is taken, and who used the machine meanwhile."""

from __future__ import annotations

import os
import sys

import pytest

from bench.stream.observing import Load, Reading, Span, busy_span, load_between, read
from bench.stream.processor import busy_seconds, cpu_seconds


def reading(at: float, *counted: int, cpu: float = 0.0) -> Reading:
    return Reading(at, machine=0.0, broker=0.0, own=0.0, subjects=(cpu,) * len(counted), counted=counted)


def test_a_rate_is_taken_from_the_first_count_to_the_last() -> None:
    # start-up | 10 counted | ................ | all 100 | idle
    readings = [
        reading(0, 0),
        reading(1, 10, cpu=1.0),
        reading(2, 60, cpu=1.5),
        reading(3, 100, cpu=2.5),
        reading(4, 100),
    ]
    assert busy_span(readings) == Span(1, 3, 90, 1.5)


def test_with_two_workers_only_the_time_counts_in_which_both_had_work() -> None:
    # a:  20 ... 50 ... 80 ... 80     b joins later and has work for longer
    # b:   0 ... 10 ... 60 ... 90
    readings = [reading(0, 20, 0), reading(1, 50, 10, cpu=1.0), reading(2, 80, 60, cpu=1.9), reading(3, 80, 90)]
    assert busy_span(readings) == Span(1, 2, 80, pytest.approx(1.8))


def test_there_is_no_span_when_a_worker_had_nothing_to_do_or_all_was_over_between_two_readings() -> None:
    assert busy_span([reading(0, 0, 0), reading(1, 100, 0)]) is None
    assert busy_span([reading(0, 0), reading(1, 100)]) is None


def test_what_neither_broker_nor_subjects_nor_the_measurement_used_was_used_by_others() -> None:
    begin = Reading(at=10.0, machine=100.0, broker=20.0, own=5.0, subjects=())
    end = Reading(at=14.0, machine=108.0, broker=21.0, own=5.4, subjects=())
    assert load_between([begin, end], 10.0, 14.0, subjects=4.0) == Load(0.25, pytest.approx(0.65))
    # of a part of the time a part, as if use had been even
    assert load_between([begin, end], 11.0, 13.0, subjects=2.0) == Load(0.25, pytest.approx(0.65))


def test_processor_time_of_a_process_is_its_user_and_system_time() -> None:
    before = os.times()
    measured = cpu_seconds(os.getpid())
    after = os.times()
    assert before.user + before.system - 0.03 <= measured <= after.user + after.system + 0.03


def test_a_process_that_is_gone_is_said_to_be() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})
    os.waitpid(pid, 0)
    with pytest.raises(ProcessLookupError):
        cpu_seconds(pid)


def test_a_reading_holds_totals_of_now() -> None:
    found = read(os.getpid(), [os.getpid()], [7])
    assert found.counted == (7,)
    assert found.subjects[0] == pytest.approx(found.broker, abs=0.05)
    assert 0 < found.own < found.machine <= busy_seconds() + 1
