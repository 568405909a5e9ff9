"""Kafka with further listeners, advertised where a worker's way begins: so that one worker alone can be cut off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from demo.stack.kafka import KafkaServer

_SESSION_SECONDS = 3.0
"""It is killed often, and its start waits for the rest of this: Kafka's own 9 s would make outages of most of a run."""


class Listener(NamedTuple):
    """`host:port` at which Kafka listens, and the one that it tells clients who came by it."""

    bound: str
    advertised: str


class ReachedKafka(KafkaServer):
    """Kafka with these listeners besides its own."""

    def __init__(self, directory: Path, listeners: Sequence[Listener]) -> None:
        super().__init__(directory, session_seconds=_SESSION_SECONDS)
        self._listeners = listeners

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        file = directory / "server.properties"
        file.write_text(with_listeners(file.read_text(), self._listeners))


def with_listeners(properties: str, listeners: Sequence[Listener]) -> str:
    """The broker's settings with more listeners."""
    named = {f"WORKER{number}": listener for number, listener in enumerate(listeners)}
    more = {
        "listeners": [f"{name}://{listener.bound}" for name, listener in named.items()],
        "advertised.listeners": [f"{name}://{listener.advertised}" for name, listener in named.items()],
    }
    lines = [",".join([line, *more.get(line.partition("=")[0], [])]) for line in properties.splitlines()]
    protocols = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *named)]
    return "\n".join([*lines, f"listener.security.protocol.map={','.join(protocols)}"]) + "\n"
