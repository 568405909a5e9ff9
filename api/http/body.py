"""The body of a request: read whole, within its limit and its time.

A timeout costs 2 us of processor time even when it has nothing to do, and a body is nearly always there together with
its headers. So the first `receive()` is begun by hand: when it ends at once, which it does when the body is there, no
timeout was needed; when it waits for something, a timeout is put around the rest of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from types import CoroutineType, coroutine
from typing import Any

from api.errors import BodyTooLarge, BodyTooLate
from api.guard.room import Place
from api.requests.headers import length_in

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class ClientGone(Exception):
    """The client closed the connection before its body was there: there is nobody to answer."""


async def read_body(
    announced: bytes,
    receive: Receive,
    limit: int,
    seconds: float,
    waited: Callable[[], None],
    place: Place | None = None,
) -> bytes:
    """Counts as it reads: a client may announce nothing, or something else than it sends.

    announced: Content-Length. seconds: for all of the body. waited: called when it had to be waited for; what it raises
    is raised. place: of the request; it may be lost while the body is waited for.

    Raises BodyTooLarge, BodyTooLate, Overloaded or ClientGone.
    """
    if announced and (length_in(announced) or 0) > limit:
        raise _too_large(limit)
    first = receive()
    if isinstance(first, CoroutineType):
        try:
            first = _go_on(first, first.send(None))
        except StopIteration as done:
            message = done.value
            if message["type"] == "http.request" and not message.get("more_body", False):
                body: bytes = message.get("body", b"")
                if len(body) > limit:
                    raise _too_large(limit) from None
                return body
            first = _There(message)
    try:
        async with asyncio.timeout(seconds) as patience:
            if place is not None:
                place.coming = patience
            body = await _rest(first, receive, limit)
    except TimeoutError:
        if place is not None:
            place.came()
        raise BodyTooLate("body-late", f"The body was not there after {seconds:g} s.") from None
    if place is not None:
        place.came()
    waited()
    return body


class _There:
    """Something to await that is there already."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def __await__(self) -> Generator[Any, Any, Message]:
        return self._message
        yield


@coroutine
def _go_on(step: Coroutine[Any, Any, Message], wants: Any) -> Generator[Any, Any, Message]:
    """What `await step` would have done, from its first wait on."""
    while True:
        try:
            yield wants
            break
        except BaseException as error:  # a cancellation, above all: it belongs to what waits
            try:
                wants = step.throw(error)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
    message: Message = yield from step  # a coroutine may be yielded from here, thanks to the decorator
    return message


async def _rest(first: Awaitable[Message], receive: Receive, limit: int) -> bytes:
    message, parts, length = await first, list[bytes](), 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        parts.append(part)  # joined once: each `+=` would copy all that came before
        length += len(part)
        if length > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        "too-large", f"The body has more than {limit} bytes: send only the model's features; of a batch, fewer rows."
    )
