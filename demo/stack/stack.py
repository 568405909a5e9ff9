"""Kafka and Redis together: started side by side, stopped together."""

from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.stack.kafka import SESSION_SECONDS, KafkaServer
from demo.stack.redis import RedisServer
from demo.stack.server import START_SECONDS, Server
from demo.stack.side_by_side import run_side_by_side

DEFAULT_DIRECTORY = Path(__file__).parents[2] / "var" / "stack"


class LocalStack:
    """Servers under `directory`, each in a folder of its own name. As a context manager it is started and stopped.

    >>> with LocalStack() as stack:  # doctest: +SKIP
    ...     print(stack.kafka.bootstrap, stack.redis.url)
    """

    def __init__(
        self,
        directory: Path = DEFAULT_DIRECTORY,
        *,
        kafka_port: int | None = None,
        redis_port: int | None = None,
        kafka_heap: str = "512m",
        kafka_session_seconds: float = SESSION_SECONDS,
    ) -> None:
        self.directory = directory.resolve()
        self.kafka = KafkaServer(
            self.directory / "kafka", kafka_port, heap=kafka_heap, session_seconds=kafka_session_seconds
        )
        self.redis = RedisServer(self.directory / "redis", redis_port)
        self._servers: tuple[Server, ...] = (self.kafka, self.redis)

    def start(self, timeout: float = START_SECONDS) -> None:
        """Returns when both answer. When one fails the other is stopped, and the first error is raised."""
        try:
            run_side_by_side([partial(server.start, timeout) for server in self._servers], len(self._servers))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        run_side_by_side([server.stop for server in self._servers], len(self._servers))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
