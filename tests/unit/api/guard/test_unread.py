"""Who takes nothing of its answers loses its connection, and nobody else; also on real sockets."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.guard.unread import UnreadAnswers, acknowledged
from tests.doors import Answering, answering
from tests.serving import a_served, an_app
from tests.waiting import eventually

PAGE = b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: api\r\n\r\n"
SECONDS = 0.5
CLOSED = bytes([7])


class Connection:
    """As uvicorn's; it is its own transport. left: bytes to write. taken: by its client."""

    def __init__(self, left: int, taken: int = 0) -> None:
        self.left, self.taken = left, taken
        self.aborted = False
        self.transport: Any = self

    def get_write_buffer_size(self) -> int:
        return self.left

    def abort(self) -> None:
        self.aborted = True


def a_look() -> UnreadAnswers:
    return UnreadAnswers(10, lambda connection: connection.taken, Connection.abort)


def test_a_client_that_takes_nothing_is_given_up_after_its_time():
    unread, connection = a_look(), Connection(100)

    assert [unread.close([connection], now) for now in (0, 5, 9.9)] == [0, 0, 0]
    assert not connection.aborted
    connection.left = 200  # more was written
    assert unread.close([connection], 10) == 1
    assert connection.aborted


def test_one_that_takes_a_little_is_waited_for_although_as_much_is_left():
    unread, connection = a_look(), Connection(100)

    for now in range(0, 100, 9):
        connection.taken += 1
        assert unread.close([connection], now) == 0


def test_one_that_had_everything_meanwhile_begins_anew():
    unread, connection = a_look(), Connection(100)
    unread.close([connection], 0)
    connection.left = 0
    unread.close([connection], 9)
    connection.left = 100

    assert unread.close([connection], 10) == 0
    assert unread.close([connection], 19) == 0
    assert unread.close([connection], 20) == 1


def test_what_is_gone_is_forgotten():
    unread = a_look()
    unread.close([Connection(100)], 0)
    unread.close([], 1)

    assert unread._waits == {}


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with closing(socket.socket()) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setblocking(False)
        yield made


async def look_over(to: Answering) -> None:
    unread = UnreadAnswers(SECONDS)
    while True:
        unread.close(tuple(to.server.server_state.connections), time.monotonic())
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("requests", [1, 4])
async def test_a_page_that_is_not_read_holds_its_connection_for_no_longer(
    tmp_path: Path, client: socket.socket, requests: int
):
    async with answering(an_app(tmp_path, served=a_served()), buffer=8192, timeout_keep_alive=1) as to:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", to.port))
        await loop.sock_sendall(client, PAGE * requests)
        await eventually(lambda: _left(to) > 0, 10, "an answer that is not read")
        watching = asyncio.create_task(look_over(to))

        await eventually(lambda: not to.server.server_state.connections, 10, "the end of its connection")
        await eventually(lambda: _state(client) == CLOSED, 10, "word of it, though the client has not read")

        watching.cancel()


async def test_a_page_that_is_read_slowly_is_read_whole(tmp_path: Path, client: socket.socket):
    async with answering(an_app(tmp_path, served=a_served()), buffer=8192) as to:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", to.port))
        await loop.sock_sendall(client, PAGE.replace(b"Host", b"Connection: close\r\nHost"))
        watching = asyncio.create_task(look_over(to))
        read, begun = b"", time.monotonic()
        while part := await loop.sock_recv(client, 2048 if time.monotonic() - begun < 4 * SECONDS else 1 << 20):
            read += part
            if time.monotonic() - begun < 4 * SECONDS:
                await asyncio.sleep(0.02)
        watching.cancel()

    head, _, body = read.partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(body) in head


def _state(client: socket.socket) -> bytes:
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)


def _left(to: Answering) -> int:
    return sum(one.transport.get_write_buffer_size() for one in to.server.server_state.connections)


async def test_a_connection_that_is_gone_has_taken_nothing():
    class Gone:
        def get_extra_info(self, _: str) -> socket.socket:
            made = socket.socket()
            made.close()
            return made

    assert acknowledged(Gone()) == 0
