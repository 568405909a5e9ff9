"""Servers as child processes, from demo/stack: real Kafka and Redis where no Docker engine answers."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from demo.stack.errors import StackError
from demo.stack.kafka import KafkaServer
from demo.stack.redis import RedisServer
from tests.servers.verbs import NoServers

Server = TypeVar("Server", KafkaServer, RedisServer)


class StackSource:
    """Each server lives in a directory of its own, which goes with it."""

    name = "local stack"

    @contextmanager
    def kafka(self, session_seconds: float) -> Iterator[KafkaServer]:
        yield from _running(lambda directory: KafkaServer(directory, session_seconds=session_seconds))

    @contextmanager
    def redis(self) -> Iterator[RedisServer]:
        yield from _running(RedisServer)


def _running(make: Callable[[Path], Server]) -> Iterator[Server]:
    directory = Path(tempfile.mkdtemp(prefix="tidemark-tests-"))
    server = make(directory)
    try:
        try:
            server.start()
        except StackError as error:
            raise NoServers(f"the local stack does not start: {error}") from error
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
