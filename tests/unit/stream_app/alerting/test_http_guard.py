"""What is connected to is what was judged: every address of a name, once, whatever the name means a moment later."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

import httpcore
import pytest

from stream_app.alerting.addresses import Address
from stream_app.alerting.http_guard import ForbiddenAddress, Guard, literal, resolve

PUBLIC, OTHER, LOOPBACK = "93.184.216.34", "93.184.216.35", "127.0.0.1"


class Names:
    """A resolver. answers: what a name means at each question, the last one from then on."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = [tuple(ipaddress.ip_address(text) for text in answer) for answer in answers]
        self.asked = 0

    async def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


class Network(httpcore.AsyncNetworkBackend):
    """Connects to nothing, and knows to what it was asked to. away: addresses that refuse."""

    def __init__(self, *away: str) -> None:
        self.away, self.connected, self.timeouts = away, list[str](), list[float]()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        self.timeouts.append(timeout or 0.0)
        if host in self.away:
            raise httpcore.ConnectError("refused")
        return httpcore.AsyncMockStream([])


def a_guard(names: Names, network: Network, *, allow: bool = False) -> Guard:
    return Guard(allow, "SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES", resolve=names, network=network)


async def test_a_name_is_resolved_once_and_the_connection_goes_to_that_address() -> None:
    """DNS rebinding: public when it is judged, private when it is connected to."""
    names, network = Names((PUBLIC,), (LOOPBACK,)), Network()
    await a_guard(names, network).connect_tcp("rebind.example.com", 443, 1.0)
    assert (names.asked, network.connected) == (1, [PUBLIC])


async def test_a_name_that_becomes_private_is_refused_at_its_next_connection() -> None:
    network = Network()
    guard = a_guard(Names((PUBLIC,), (LOOPBACK,)), network)
    await guard.connect_tcp("rebind.example.com", 443, 1.0)
    with pytest.raises(ForbiddenAddress, match=r"127\.0\.0\.1 is private"):
        await guard.connect_tcp("rebind.example.com", 443, 1.0)
    assert network.connected == [PUBLIC]


@pytest.mark.parametrize("answer", [(PUBLIC, LOOPBACK), (LOOPBACK, PUBLIC), (PUBLIC, "169.254.169.254")])
async def test_a_name_with_one_forbidden_address_is_not_connected_to_at_all(answer: tuple[str, ...]) -> None:
    network = Network()
    with pytest.raises(ForbiddenAddress):
        await a_guard(Names(answer), network).connect_tcp("both.example.com", 443, 1.0)
    assert network.connected == []


async def test_a_private_address_is_connected_to_when_it_is_allowed_and_metadata_never() -> None:
    network = Network()
    await a_guard(Names(("10.0.0.7",)), network, allow=True).connect_tcp("alertmanager", 9093, 1.0)
    assert network.connected == ["10.0.0.7"]
    with pytest.raises(ForbiddenAddress, match="never used"):
        await a_guard(Names(("169.254.169.254",)), network, allow=True).connect_tcp("metadata", 80, 1.0)


async def test_the_next_address_is_tried_when_one_does_not_answer_and_time_is_shared() -> None:
    network = Network(PUBLIC)
    await a_guard(Names((PUBLIC, OTHER)), network).connect_tcp("two.example.com", 443, 2.0)
    assert network.connected == [PUBLIC, OTHER]
    assert network.timeouts[0] == pytest.approx(1.0, abs=0.2)
    assert network.timeouts[1] == pytest.approx(2.0, abs=0.2)


async def test_when_no_address_answers_the_last_failure_is_told() -> None:
    with pytest.raises(httpcore.ConnectError, match="refused"):
        await a_guard(Names((PUBLIC, OTHER)), Network(PUBLIC, OTHER)).connect_tcp("two.example.com", 443, 1.0)


async def test_a_name_that_is_not_resolved_is_a_failed_connection() -> None:
    async def unknown(host: str, port: int) -> tuple[Address, ...]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    guard = Guard(False, "X", resolve=unknown, network=Network())
    with pytest.raises(httpcore.ConnectError, match="not resolved"):
        await guard.connect_tcp("nobody.example.com", 443, 1.0)


async def test_a_resolver_that_hangs_is_left_after_the_connect_timeout() -> None:
    async def hanging(host: str, port: int) -> tuple[Address, ...]:
        await asyncio.sleep(30)
        return ()

    guard = Guard(False, "X", resolve=hanging, network=Network())
    with pytest.raises(httpcore.ConnectTimeout, match="not resolved in time"):
        await asyncio.wait_for(guard.connect_tcp("slow.example.com", 443, 0.1), 5)


async def test_the_systems_resolver_reads_every_spelling_of_an_address() -> None:
    for text in ("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"):
        assert ipaddress.ip_address("127.0.0.1") in await resolve(text, 80)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("::1", "::1"),
        ("alerts.example.com", None),
        ("localhost", None),
        ("1.2.3.4.5", None),
    ],
)
def test_an_address_in_the_url_is_told_from_a_name_without_asking_anybody(host: str, address: str | None) -> None:
    assert literal(host) == (None if address is None else ipaddress.ip_address(address))
