"""Servers as child processes, from demo/stack: real Kafka and Redis where no Docker engine answers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import free_port


class StackSource:
    """Each server lives in a directory of its own, which goes with it."""

    name = "local stack"

    @contextmanager
    def kafka(self) -> Iterator[object]:
        from demo.stack.kafka import KafkaServer

        yield from _running(KafkaServer, "kafka")

    @contextmanager
    def redis(self) -> Iterator[object]:
        from demo.stack.redis import RedisServer

        yield from _running(RedisServer, "redis")


def _running(make, what: str) -> Iterator[object]:
    directory = Path(tempfile.mkdtemp(prefix=f"tidemark-{what}-"))
    server = make(directory, free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
