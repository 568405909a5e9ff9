"""Connects to public addresses only, unless private ones are allowed; checked at the address really connected to.

A name is resolved once, every address of it is judged, and the connection goes to one of those very addresses: a name
that means something else a moment later (DNS rebinding) changes nothing. Host header and TLS keep the name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore

from stream_app.alerting.addresses import Address, reach

_NO_LIMIT = 60.0
"""Seconds to connect when the caller names none."""


class ForbiddenAddress(Exception):
    """The receiver's address is one that nothing is posted to. The text names the way to allow it."""


def judge(address: Address, allow_private: bool, variable: str) -> None:
    """variable: the setting that allows private addresses. Raises ForbiddenAddress."""
    kind = reach(address)
    if kind == "never":
        raise ForbiddenAddress(f"the receiver's address {address} is link-local, multicast or reserved: never used")
    if kind == "private" and not allow_private:
        raise ForbiddenAddress(f"the receiver's address {address} is private; {variable}=true allows private addresses")


def literal(host: str) -> Address | None:
    """The address that a host spells out, in any way the resolver reads without asking anybody; None for a name.

    >>> literal("127.1"), literal("2130706433"), literal("alerts.example.com")
    (IPv4Address('127.0.0.1'), IPv4Address('127.0.0.1'), None)
    """
    try:
        # resolvers take a dot behind an address, as one behind a name
        found = socket.getaddrinfo(host.rstrip("."), None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return None
    return ipaddress.ip_address(found[0][4][0])


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """The addresses of a host, in the resolver's order. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


class Guard(httpcore.AsyncNetworkBackend):
    """In place of httpcore's own network backend, around which it is."""

    def __init__(
        self,
        allow_private: bool,
        variable: str,
        *,
        resolve: Callable[[str, int], Awaitable[tuple[Address, ...]]] = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._variable = variable
        self._resolve = resolve
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises ForbiddenAddress, httpcore.ConnectError, httpcore.ConnectTimeout."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (_NO_LIMIT if timeout is None else timeout)
        addresses = await self._resolved(host, port, until)
        for address in addresses:  # all of them: a name that means both is nobody's honest receiver
            judge(address, self._allow_private, self._variable)
        failure: Exception = httpcore.ConnectError("the name has no address")
        for tried, address in enumerate(addresses):
            share = max(0.001, (until - loop.time()) / (len(addresses) - tried))
            try:
                return await self._network.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Between the attempts of httpcore's own, of which there are none."""
        await self._network.sleep(seconds)

    async def _resolved(self, host: str, port: int, until: float) -> tuple[Address, ...]:
        try:
            async with asyncio.timeout_at(until):
                return await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except OSError as error:
            raise httpcore.ConnectError("the name was not resolved") from error
