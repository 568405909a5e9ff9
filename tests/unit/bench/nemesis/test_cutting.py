"""Cutting one worker off: by a proxy that stops forwarding, or a namespace whose cable is pulled."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from bench.benchmark import BenchError, Options
from bench.nemesis import namespaces as namespaces_module
from bench.nemesis.broker import Listener, with_listeners
from bench.nemesis.namespaces import Cable, Namespaces, NotAllowed
from bench.nemesis.network import Proxies, connected
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
        "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:1\nadvertised.listeners=PLAINTEXT://127.0.0.1:1\n",
        [Listener("127.0.0.1:2", "127.0.0.1:3")],
    )
    assert told.splitlines() == [
        "node.id=1",
        "listeners=PLAINTEXT://127.0.0.1:1,WORKER0://127.0.0.1:2",
        "advertised.listeners=PLAINTEXT://127.0.0.1:1,WORKER0://127.0.0.1:3",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,WORKER0:PLAINTEXT",
    ]


_KNOCK = """
import socket, sys, time
host, port = sys.argv[1].split(":")
with socket.create_connection((host, int(port))) as line:
    while True:
        line.sendall(b".")
        time.sleep(0.02)
"""


class Heard:
    """A server at Kafka's place. said: bytes that came, by the host that sent them."""

    def __init__(self) -> None:
        self.said: dict[str, int] = {}

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("peername")[0]
        while data := await reader.read(1000):
            self.said[host] = self.said.get(host, 0) + len(data)
        writer.close()

    async def goes_on(self, host: str, seconds: float) -> bool:
        """Whether something comes from there within so long."""
        until, before = asyncio.get_running_loop().time() + seconds, self.said.get(host, 0)
        while self.said.get(host, 0) == before:
            if asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(0.02)
        return True


@pytest.fixture
async def namespaces() -> AsyncIterator[Namespaces]:
    try:
        made = await Namespaces.start(2)
    except NotAllowed as reason:
        pytest.skip(f"no network namespaces on this machine: {reason}")
    yield made
    await made.stop()


@pytest.fixture
def knock() -> Iterator[Callable[[Cable], subprocess.Popen[bytes]]]:
    """Starts a process that sends a byte to Kafka's place again and again."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(way: Cable) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen([*way.inside, sys.executable, "-c", _KNOCK, way.bootstrap]))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


async def test_a_cable_that_is_pulled_loses_what_is_sent_and_the_other_worker_notices_nothing(
    namespaces: Namespaces, knock: Callable[[Cable], subprocess.Popen[bytes]]
) -> None:
    heard, (listener,), (one, other) = Heard(), namespaces.listeners, namespaces.ways
    host, port = listener.bound.split(":")
    server = await asyncio.start_server(heard.listen, host, int(port))
    knocking = [knock(one), knock(other)]
    assert await heard.goes_on(one.host, 30)
    assert await heard.goes_on(other.host, 30)
    one.cut()
    await asyncio.sleep(0.1)  # what was under way
    assert not await heard.goes_on(one.host, 1.0)
    assert await heard.goes_on(other.host, 30)
    assert [process.poll() for process in knocking] == [None, None]  # nobody was told
    one.heal()
    assert await heard.goes_on(one.host, 30)
    server.close()


async def test_nothing_is_left_of_namespaces_that_were_stopped_and_of_those_of_a_run_that_was_killed(
    namespaces: Namespaces,
) -> None:
    killed = await asyncio.create_subprocess_exec("true")
    await killed.wait()
    _ip("link", "add", f"tm{killed.pid}", "address", namespaces_module._MAC, "type", "bridge")
    _ip("link", "add", "tm0", "type", "bridge")  # somebody else's
    try:
        await namespaces.stop()
        await (await Namespaces.start(1)).stop()
        left = set(_ip("-o", "link").split(": "))
        assert not {namespaces.bridge, f"tm{killed.pid}", namespaces.ways[0].name} & left
        assert "tm0" in left
    finally:
        _ip("link", "del", "tm0")


async def test_a_machine_that_allows_no_namespaces_gets_proxies_and_is_told_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "nsenter" else f"/bin/{tool}")
    network = await connected(2, said.append)
    assert isinstance(network, Proxies)
    assert said == ["workers are cut off by TCP proxies: no network namespaces here (no nsenter)"]
    assert len({(listener.bound, listener.advertised) for listener in network.listeners}) == 2
    assert [way.bootstrap for way in network.ways] == [listener.advertised for listener in network.listeners]
    await network.stop()


async def test_a_machine_whose_links_cannot_be_listed_gets_proxies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(order: str, inside: object = (), *, may_fail: bool = False) -> str:
        raise subprocess.CalledProcessError(2, ["ip"], stderr="Cannot open netlink socket: Operation not permitted")

    monkeypatch.setattr(namespaces_module, "_ip", refused)
    monkeypatch.setattr(shutil, "which", lambda tool: f"/bin/{tool}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(NotAllowed, match="Cannot open netlink socket"):
        await Namespaces.start(1)


async def test_only_root_gets_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda tool: f"/bin/{tool}")
    with pytest.raises(NotAllowed, match="not root"):
        await Namespaces.start(1)


def _ip(*order: str) -> str:
    return subprocess.run(["ip", *order], capture_output=True, text=True, check=True).stdout


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
