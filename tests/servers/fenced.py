"""A real broker that its controller fences again and again: its heartbeats come more seldom than its session lasts.

Fenced, it answers, names no broker that is ready, makes no topic and has no coordinator of any group: as one that gets
no processor for a while.
"""

from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from demo.stack.kafka import KafkaServer

_SESSION_SECONDS, _HEARTBEAT_MS = 1.0, 3000


class FencedKafka(KafkaServer):
    """Ready for one second of three. Rarer heartbeats would make its start as long: it waits for the second."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, session_seconds=_SESSION_SECONDS)

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        file = directory / "server.properties"
        often = "broker.heartbeat.interval.ms="
        lines = [line for line in file.read_text().splitlines() if not line.startswith(often)]
        file.write_text("\n".join([*lines, f"{often}{_HEARTBEAT_MS}"]) + "\n")

    async def fenced(self) -> bool:
        """Whether it is just now."""
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await client.start()
        try:
            return not client._client.cluster.brokers()
        finally:
            await client.close()
