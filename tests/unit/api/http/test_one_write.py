"""What one answer costs in writes; the fake transport takes them as uvloop's would, one system call each."""

import asyncio
import weakref
from typing import Any

from api.http.one_write import Gathered


class Inner:
    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> str:
        return f"the {name}"


def gathered(inner: Inner) -> Gathered:
    transport: Any = inner
    return Gathered(transport, asyncio.get_running_loop())


async def test_head_and_body_of_an_answer_leave_in_one_write():
    inner = Inner()
    transport = gathered(inner)

    transport.write(b"head ")
    transport.write(b"body")
    assert inner.writes == []
    await asyncio.sleep(0)

    assert inner.writes == [b"head body"]


async def test_what_is_written_later_leaves_later_and_in_order():
    inner = Inner()
    transport = gathered(inner)

    for part in (b"one", b"two"):
        transport.write(part)
        await asyncio.sleep(0)

    assert inner.writes == [b"one", b"two"]


async def test_what_was_written_before_the_end_of_a_connection_still_leaves():
    inner = Inner()
    transport = gathered(inner)

    transport.write(b"the last answer")
    transport.close()
    await asyncio.sleep(0)

    assert inner.writes == [b"the last answer"]
    assert inner.closed


async def test_nothing_is_written_to_a_connection_that_the_client_has_ended():
    inner = Inner()
    transport = gathered(inner)

    transport.write(b"too late")
    inner.closed = True
    await asyncio.sleep(0)

    assert inner.writes == []


async def test_all_else_is_the_transports_own():
    assert gathered(Inner()).get_extra_info("peername") == "the peername"


async def test_a_whole_answer_leaves_at_once_and_after_what_was_written_before_it():
    inner = Inner()
    transport = gathered(inner)

    transport.write_now(b"one")
    transport.write(b"two ")
    transport.write_now(b"three")
    assert inner.writes == [b"one", b"two three"]
    await asyncio.sleep(0)
    inner.closed = True
    transport.write_now(b"too late")

    assert inner.writes == [b"one", b"two three"]


async def test_a_lost_connection_lets_go_of_its_transport_and_takes_no_more():
    inner = Inner()
    alive = weakref.ref(inner)
    transport = gathered(inner)
    transport.write(b"late")

    transport.let_go()
    del inner
    await asyncio.sleep(0)
    transport.write_now(b"later")
    transport.resume_reading()
    transport.close()

    assert alive() is None
    assert transport.is_closing()
