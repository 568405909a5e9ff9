"""The sampler that says where a worker's time goes."""

from __future__ import annotations

import threading
import time

from bench.stream.profile import step_of, table
from bench.stream.sampled import Sampled, Sampler, Samples


def _apply(until: threading.Event) -> int:
    """Works until it is told to stop. Of this name is the function with which sampling begins."""
    turns = 0
    while not until.is_set():
        turns += 1
    return turns


def test_time_is_booked_on_the_thread_that_works_and_none_on_one_that_waits() -> None:
    stop, sampler = threading.Event(), Sampler()
    counting = _apply.__code__.replace(co_filename="stream_app/agents/counting.py")
    busy = threading.Thread(target=type(_apply)(counting, globals()), args=(stop,), name="busy")
    waiting = threading.Thread(target=stop.wait, name="waiting")
    for thread in (busy, waiting):
        thread.start()
    deadline = time.monotonic() + 20
    try:
        while time.monotonic() < deadline:
            sampler.sample()
            if any(thread == "busy" and seconds > 0.02 for (thread, _), seconds in sampler._booked.items()):
                break
    finally:
        stop.set()
        for thread in (busy, waiting):
            thread.join()
    by_thread = {thread for (thread, _), seconds in sampler._booked.items() if seconds > 0.02}
    assert "busy" in by_thread
    assert "waiting" not in by_thread


def test_nothing_is_booked_before_the_first_batch() -> None:
    sampler, stop = Sampler(), threading.Event()
    other = threading.Thread(target=lambda: [None for _ in iter(stop.is_set, True)], name="not counting")
    other.start()
    for _ in range(100):
        sampler.sample()
    stop.set()
    other.join()
    assert not sampler._booked


def test_a_stack_belongs_to_the_innermost_step_that_is_known() -> None:
    counting = ("/x/stream_app/agents/counting.py", "_apply")
    assert step_of((("<string>", "f"), ("/x/stream_app/windowing/decoding.py", "decode_batch"), counting)) == "decode"
    assert step_of((("/usr/lib/selectors.py", "select"), ("/x/asyncio/base_events.py", "_run_once"))) == "event loop"
    assert step_of((("/x/elsewhere.py", "f"),)) == "everything else"


def test_records_parsed_for_the_consumer_are_not_the_producers_compression() -> None:
    parse = ("/x/aiokafka/record/default_records.py", "__next__")
    assert step_of((parse, ("/x/aiokafka/consumer/fetcher.py", "_unpack_records"))) == "parse records"
    assert step_of((parse, ("/x/aiokafka/producer/message_accumulator.py", "_build"))) == "compression"


def test_the_table_gives_each_step_its_share_and_its_microseconds_an_event() -> None:
    decode = (("/x/stream_app/windowing/decoding.py", "decode_batch"),)
    parse = (("/x/aiokafka/consumer/fetcher.py", "_unpack_records"),)
    lines = table(Samples([Sampled("MainThread", decode, 3.0), Sampled("Thread-3", parse, 1.0)], 0.4), events=1_000_000)
    assert lines[1].split() == ["decode", "MainThread", "75.0%", "3.00"]
    assert lines[2].split() == ["parse", "records", "Thread-3", "25.0%", "1.00"]
    assert lines[3].split() == ["all", "100.0%", "4.00"]
    assert lines[4].split() == ["of", "it", "garbage", "collection", "10.0%", "0.40"]
