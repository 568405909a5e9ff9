"""The workers' ways to Kafka, which can be cut: network namespaces where this machine allows them, else TCP proxies."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from bench.benchmark import Say
from bench.nemesis.broker import Listener
from bench.nemesis.namespaces import Namespaces, NotAllowed
from bench.nemesis.proxy import Proxy
from demo.stack.ports import choose_port


class Place(Protocol):
    """Where a worker is. bootstrap: Kafka, as this worker sees it. host: the worker, as others see it.
    inside: what its command is run by, so that it has no other way.
    """

    @property
    def bootstrap(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def inside(self) -> Sequence[str]: ...


class Way(Place, Protocol):
    """A place from which the way to Kafka and back can be cut."""

    def cut(self) -> None:
        """From now on nothing arrives, in neither direction, and nobody is told."""

    def heal(self) -> None:
        """It arrives again; also what was sent meanwhile, as soon as its sender tries again."""


class Network(Protocol):
    """All ways. listeners: what Kafka listens on for them, besides its own."""

    @property
    def listeners(self) -> Sequence[Listener]: ...
    @property
    def ways(self) -> Sequence[Way]: ...
    async def stop(self) -> None:
        """Take everything down."""


class Beside(NamedTuple):
    """Beside Kafka, from which nobody is cut off."""

    bootstrap: str
    host: str = "127.0.0.1"
    inside: tuple[str, ...] = ()


class Proxies:
    """A TCP proxy for each worker, between it and a listener of its own."""

    def __init__(self) -> None:
        self.ways: list[Proxy] = []
        self.listeners: list[Listener] = []

    @classmethod
    async def start(cls, workers: int) -> Proxies:
        """So many."""
        made, rng = cls(), random.SystemRandom()
        for _ in range(workers):
            proxy = Proxy()
            await proxy.start()
            taken = {proxy.port, *(way.port for way in made.ways), *(way.target for way in made.ways)}
            while (port := choose_port(rng)) in taken:
                pass
            proxy.target = port
            made.ways.append(proxy)
            made.listeners.append(Listener(f"127.0.0.1:{port}", advertised=proxy.bootstrap))
        return made

    async def stop(self) -> None:
        """Close every connection."""
        for proxy in self.ways:
            await proxy.stop()


async def connected(workers: int, say: Say) -> Network:
    """Ways for so many workers. say: hears of which kind, and why."""
    try:
        namespaces = await Namespaces.start(workers)
    except NotAllowed as reason:
        say(f"workers are cut off by TCP proxies: no network namespaces here ({reason})")
        return await Proxies.start(workers)
    say("each worker has a network namespace of its own: cut off, its packets are lost")
    return namespaces
