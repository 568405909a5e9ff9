"""A Kafka of one's own for a measurement, with its data in a folder that is gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.benchmark import BenchError
from demo.stack.kafka import KafkaServer

_VAR = Path(__file__).parents[2] / "var"


class _Kafka(KafkaServer):
    """Waits for a group's first members, as Kafka does by default, so that two workers begin together."""

    def __init__(self, directory: Path, group_delay_ms: int) -> None:
        super().__init__(directory)
        self._group_delay_ms = group_delay_ms

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        with (directory / "server.properties").open("a") as properties:
            properties.write(f"group.initial.rebalance.delay.ms={self._group_delay_ms}\n")


@contextmanager
def local_kafka(name: str, need_bytes: int, *, group_delay_ms: int = 0) -> Iterator[KafkaServer]:
    """A started broker. name: of its folder under var/. group_delay_ms: a group's first members are waited for so long.

    Raises BenchError where there is no room, and StackError."""
    _VAR.mkdir(exist_ok=True)
    free = shutil.disk_usage(_VAR).free
    if free < need_bytes:
        raise BenchError(f"{need_bytes / 1e9:.1f} GB are needed in {_VAR.name}/, {free / 1e9:.1f} GB are free")
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-", dir=_VAR) as directory:
        kafka = _Kafka(Path(directory, "kafka"), group_delay_ms)
        kafka.start()
        try:
            yield kafka
        finally:
            kafka.stop()
