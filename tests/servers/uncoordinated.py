"""A real broker that answers and has no coordinator of any group: their topic is to have more copies than it can."""

from pathlib import Path

from demo.stack.kafka import KafkaServer


class UncoordinatedKafka(KafkaServer):
    """For as long as it runs."""

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        file, copies = directory / "server.properties", "offsets.topic.replication.factor="
        file.write_text(file.read_text().replace(f"{copies}1\n", f"{copies}2\n"))
