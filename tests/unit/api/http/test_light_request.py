"""What may happen to a request of the light door while it is worked on, on a real socket."""

import asyncio
import logging
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.doors import Answering, an_edge_that_waits, answering
from tests.serving import a_served, an_app, drain, services
from tests.waiting import eventually

HEAD = b"POST /predict HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
GOOD = b'{"features": {"distance": 70, "seats": null, "carrier": "a"}}'


def ask(body: bytes, more: bytes = b"") -> bytes:
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


LAST = b"Connection: close\r\n"


async def under_way(app: Any, count: int) -> None:
    await eventually(lambda: services(app).telemetry.under_way == count, 10, f"{count} requests under way")


def connections(to: Answering) -> list[Any]:
    """uvicorn's."""
    return list(to.server.server_state.connections)


def hang_up(writer: asyncio.StreamWriter) -> None:
    """At once, with a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def test_requests_sent_before_the_answer_to_the_first_are_answered_after_it(tmp_path: Path):
    app, endpoint = an_edge_that_waits(tmp_path)
    async with answering(app) as to:
        talking = asyncio.create_task(to.talk(ask(b"1"), ask(b"2") + ask(b"3") + ask(b"4", LAST)))
        await eventually(lambda: [len(one.pipeline) for one in connections(to)] == [3], 10, "three that wait")
        assert endpoint.begun == 1
        endpoint.go.set()
        answers = await talking

    assert [answer[-1:] for answer in answers.split(b"HTTP/1.1 200 OK")[1:]] == [b"1", b"2", b"3", b"4"]
    assert endpoint.begun == 4


async def test_a_client_that_goes_away_while_its_request_is_worked_on_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    app, endpoint = an_edge_that_waits(tmp_path)
    async with answering(app) as to:
        _, writer = await to.connect()
        writer.write(ask(b"1"))
        await eventually(lambda: to.light, 10, "a request")
        await under_way(app, 1)
        hang_up(writer)
        await eventually(lambda: not to.server.server_state.connections, 10, "a lost connection")
        endpoint.go.set()
        await under_way(app, 0)

        assert (await to.talk(ask(b"2", LAST))).endswith(b"2")

    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_the_event_of_a_client_that_went_away_stays(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    async with answering(app) as to:
        _, writer = await to.connect()
        writer.write(ask(GOOD))
        hang_up(writer)
        await eventually(lambda: not to.server.server_state.connections, 10, "a lost connection")
        taken = to.light
    assert len(drain(services(app).outbox)) == taken


async def test_a_request_under_way_at_the_end_is_answered_and_told_to_hang_up(tmp_path: Path):
    app, endpoint = an_edge_that_waits(tmp_path)
    async with answering(app) as to:
        talking = asyncio.create_task(to.talk(ask(b"1")))
        await under_way(app, 1)
        idle, _ = await to.connect()
        to.server.should_exit = True
        assert await idle.read() == b""
        endpoint.go.set()
        answer = await talking

    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n1")


async def test_an_idle_connection_is_closed_in_uvicorns_time_and_not_before_its_last_use(tmp_path: Path):
    loop = asyncio.get_running_loop()
    async with answering(an_app(tmp_path, served=a_served()), timeout_keep_alive=1) as to:
        reader, writer = await to.connect()
        for _ in range(2):
            writer.write(ask(GOOD))
            await reader.readuntil(b"}")
            used = loop.time()
            await answers_in_between(to)
        assert await reader.read() == b""
        writer.close()

    assert 0.95 < loop.time() - used < 10


async def answers_in_between(to: Answering) -> None:
    """Some, on another connection."""
    for _ in range(20):
        await to.talk(ask(GOOD, LAST))


async def test_a_client_that_does_not_read_gets_all_its_answers_once_it_does(tmp_path: Path):
    count = 4000  # a megabyte and a half of answers
    async with answering(an_app(tmp_path, served=a_served()), buffer=1 << 16) as to:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        slow.connect(("127.0.0.1", to.port))
        reader, writer = await asyncio.open_connection(sock=slow)
        writer.write(ask(b"no JSON") * count + ask(GOOD, LAST))
        await eventually(lambda: any(one.flow.write_paused for one in connections(to)), 10, "a full connection")
        assert 0 < to.light < count
        async with asyncio.timeout(30):
            answers = await reader.read()
        writer.close()

    assert answers.count(b"HTTP/1.1 400 Bad Request\r\n") == count
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 1
