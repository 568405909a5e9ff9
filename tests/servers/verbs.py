"""What a test may ask of a server: where it is, and to stop, crash, freeze and come back.

A server keeps its address and its data through all of it (Redis keeps its address only), so that a client which lives
through an outage finds the same server again.
"""

from contextlib import AbstractContextManager
from typing import Protocol

LASTING_SESSION_SECONDS = 60.0
"""For a broker that is never killed: a starved machine does not fence it, and nothing waits for its end."""
KILLED_SESSION_SECONDS = 6.0
"""For one that is: two thirds of Kafka's own. Each start after kill() takes it and 2 s; 3 s fenced healthy brokers."""


class NoServers(Exception):
    """A server cannot be had; the message says why, and what to do."""


class Verbs(Protocol):
    """The verbs of one server; each returns when its effect is there."""

    def start(self) -> None:
        """Start it, or start it again after stop() or kill(); returns when it answers."""

    def stop(self) -> None:
        """An orderly shutdown (SIGTERM)."""

    def kill(self) -> None:
        """A crash (SIGKILL)."""

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""

    def resume(self) -> None:
        """Let a frozen server go on."""


class Broker(Verbs, Protocol):
    """One Kafka broker."""

    @property
    def bootstrap(self) -> str:
        """``host:port``, the same through all restarts."""


class RedisLike(Verbs, Protocol):
    """One Redis server."""

    @property
    def url(self) -> str:
        """``redis://host:port/0``, the same through all restarts."""


class Source(Protocol):
    """Where servers come from. The context managers start a server and take it away with its data."""

    name: str

    def kafka(self, session_seconds: float) -> AbstractContextManager[Broker]:
        """session_seconds: a broker that gets no processor for so long is fenced by its controller, and for so long its
        start after kill() takes at least; see the two constants above.
        """

    def redis(self) -> AbstractContextManager[RedisLike]: ...
