"""Kafka with a listener of its own for each worker, advertised at a proxy: so that one worker alone can be cut off."""

from __future__ import annotations

import random
from pathlib import Path

from demo.stack.kafka import KafkaServer
from demo.stack.ports import choose_port

_SESSION_SECONDS = 3.0
"""It is killed often, and its start waits for the rest of this: Kafka's own 9 s would make outages of most of a run."""


class ProxiedKafka(KafkaServer):
    """advertised: the proxy's port of each worker. `inner` has the ports that those proxies lead to."""

    def __init__(self, directory: Path, advertised: list[int]) -> None:
        super().__init__(directory, session_seconds=_SESSION_SECONDS)
        rng = random.SystemRandom()
        self._advertised = advertised
        self.inner: list[int] = []
        while len(self.inner) < len(advertised):
            port = choose_port(rng)
            if port not in (*self.inner, *advertised):
                self.inner.append(port)

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        file = directory / "server.properties"
        file.write_text(with_listeners(file.read_text(), self.inner, self._advertised))


def with_listeners(properties: str, inner: list[int], advertised: list[int]) -> str:
    """The broker's settings with more listeners, each with the port that clients are told instead of its own."""
    names = [f"WORKER{i}" for i in range(len(inner))]
    more = {
        "listeners": [f"{name}://127.0.0.1:{port}" for name, port in zip(names, inner, strict=True)],
        "advertised.listeners": [f"{name}://127.0.0.1:{port}" for name, port in zip(names, advertised, strict=True)],
    }
    lines = [",".join([line, *more.get(line.partition("=")[0], [])]) for line in properties.splitlines()]
    protocols = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *names)]
    return "\n".join([*lines, f"listener.security.protocol.map={','.join(protocols)}"]) + "\n"
