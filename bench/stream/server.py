"""A Kafka of one's own for a measurement, with its data in a folder that is gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.benchmark import BenchError
from demo.stack.kafka import KafkaServer

GROUP_DELAY_MS = 3000
"""Part of every start of a worker here."""
_VAR = Path(__file__).parents[2] / "var"


class _PatientKafka(KafkaServer):
    """A group's first members are waited for, as Kafka does by default: two workers then begin together."""

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        with (directory / "server.properties").open("a") as properties:
            properties.write(f"group.initial.rebalance.delay.ms={GROUP_DELAY_MS}\n")


@contextmanager
def local_kafka(name: str, need_bytes: int) -> Iterator[KafkaServer]:
    """A started broker; name: of its folder under var/. Raises BenchError where there is no room, and StackError."""
    _VAR.mkdir(exist_ok=True)
    free = shutil.disk_usage(_VAR).free
    if free < need_bytes:
        raise BenchError(f"{need_bytes / 1e9:.1f} GB are needed in {_VAR.name}/, {free / 1e9:.1f} GB are free")
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-", dir=_VAR) as directory:
        kafka = _PatientKafka(Path(directory, "kafka"))
        kafka.start()
        try:
            yield kafka
        finally:
            kafka.stop()
