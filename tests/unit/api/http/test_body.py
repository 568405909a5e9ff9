"""The body of a request: whole, within its limit, within its time; and no timeout where none is needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api.errors import BodyTooLarge, BodyTooLate
from api.http.body import ClientGone, read_body

Message = dict[str, Any]
GONE: Message = {"type": "http.disconnect"}


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def at_once(*messages: Message) -> Callable[[], Awaitable[Message]]:
    """What has arrived with the headers: receiving it waits for nothing."""
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return receive


def later(*messages: Message) -> Callable[[], Awaitable[Message]]:
    """Each arrives in a later pass of the event loop."""
    left = list(messages)

    async def receive() -> Message:
        for _ in range(3):
            await asyncio.sleep(0)
        return left.pop(0)

    return receive


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def read(receive: Any, *, limit: int = 10, seconds: float = 10, announced: bytes = b"") -> tuple[bytes, int]:
    """The body, and how often it had to be waited for."""
    waits: list[None] = []
    body = await read_body(announced, receive, limit, seconds, lambda: waits.append(None))
    return body, len(waits)


async def test_a_body_that_is_there_is_not_waited_for():
    assert await read(at_once(part(b"{}"))) == (b"{}", 0)
    assert await read(at_once({"type": "http.request"})) == (b"", 0)


@pytest.mark.parametrize("come", [at_once, later])
async def test_a_body_in_parts_is_put_together(come: Any):
    assert await read(come(part(b"a", True), part(b"", True), part(b"b"))) == (b"ab", 1)


async def test_a_body_that_comes_later_than_its_headers_is_waited_for():
    assert await read(later(part(b"{}"))) == (b"{}", 1)


@pytest.mark.parametrize("come", [at_once, later])
@pytest.mark.parametrize("parts", [[part(b"x" * 11)], [part(b"x" * 6, True), part(b"x" * 5, True)]])
async def test_what_is_longer_than_the_limit_is_refused_as_soon_as_it_is_whatever_was_announced(come: Any, parts: Any):
    for announced in (b"", b"3", b"no number"):
        with pytest.raises(BodyTooLarge):
            await read(come(*parts), announced=announced)


async def test_an_announced_length_beyond_the_limit_is_refused_before_anything_is_read():
    with pytest.raises(BodyTooLarge):
        await read(never, announced=b"11")


@pytest.mark.parametrize("first", [[], [part(b"{", True)]])
async def test_a_body_that_stays_away_is_given_up(first: list[Message]):
    came = at_once(*first)

    async def receive() -> Message:
        return await (came() if first.pop(0) else never()) if first else await never()

    with pytest.raises(BodyTooLate, match=r"0\.01 s"):
        await read(receive, seconds=0.01)


async def test_all_of_a_body_has_the_time_and_not_each_of_its_parts():
    async def drip() -> Message:
        await asyncio.sleep(0.01)
        return part(b"x", True)

    with pytest.raises(BodyTooLate):
        await read(drip, limit=10_000, seconds=0.1)


@pytest.mark.parametrize("come", [at_once, later])
@pytest.mark.parametrize("messages", [[GONE], [part(b"{", True), GONE]])
async def test_a_client_that_hangs_up_is_answered_by_nobody(come: Any, messages: list[Message]):
    with pytest.raises(ClientGone):
        await read(come(*messages))


async def test_a_cancelled_reader_takes_its_wait_with_it():
    ended = asyncio.Event()

    async def receive() -> Message:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    reader = asyncio.create_task(read(receive))
    await asyncio.sleep(0)
    reader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reader
    assert ended.is_set()


async def test_a_receiver_that_answers_when_its_time_is_over_is_heard():
    async def receive() -> Message:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return part(b"late")
        raise AssertionError

    assert await read(receive, seconds=0.01) == (b"late", 1)


async def test_whatever_can_be_awaited_is_a_receiver():
    def receive() -> Awaitable[Message]:
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        future.set_result(part(b"{}"))
        return future

    assert await read(receive) == (b"{}", 1)


async def test_when_it_was_waited_for_the_load_is_asked_for_again():
    def busy() -> None:
        raise OverflowError

    with pytest.raises(OverflowError):
        await read_body(b"", later(part(b"{}")), 10, 10, busy)
    assert await read_body(b"", at_once(part(b"{}")), 10, 10, busy) == b"{}"
