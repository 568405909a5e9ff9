"""Cutting one worker off: a listener of its own at the broker, and a proxy before it that can stop forwarding."""

from __future__ import annotations

import asyncio

import pytest

from bench.benchmark import BenchError, Options
from bench.nemesis.broker import with_listeners
from bench.nemesis.proxy import Proxy
from bench.nemesis.run import NEMESIS


async def test_what_is_sent_while_the_line_is_cut_arrives_when_it_is_healed() -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            received.put_nowait(data)
            writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy()
    await proxy.start()
    proxy.target = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await reader.read(100) == b"ONE"
    proxy.cut()
    writer.write(b"two")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(100), 0.2)
    assert received.qsize() == 1  # and the other end has not heard of it
    proxy.heal()
    assert await reader.read(100) == b"TWO"
    writer.close()
    await proxy.stop()
    server.close()


async def test_a_connection_to_a_broker_that_is_down_is_closed_again() -> None:
    proxy = Proxy()
    await proxy.start()
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    proxy.target = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    writer.close()
    await proxy.stop()


def test_a_listener_is_advertised_at_its_proxy_and_the_others_stay_as_they_are() -> None:
    told = with_listeners(
        "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:1\nadvertised.listeners=PLAINTEXT://127.0.0.1:1\n", [2], [3]
    )
    assert told.splitlines() == [
        "node.id=1",
        "listeners=PLAINTEXT://127.0.0.1:1,WORKER0://127.0.0.1:2",
        "advertised.listeners=PLAINTEXT://127.0.0.1:1,WORKER0://127.0.0.1:3",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,WORKER0:PLAINTEXT",
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(faults="floods"), "--faults floods: choose one of all, dynamic, kill"),
        (Options(partitions=1), "--partitions 1: two at least"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_starts(options: Options, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        NEMESIS.run(options, print)
