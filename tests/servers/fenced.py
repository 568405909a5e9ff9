"""A real broker that its controller fences again and again: its heartbeats come more seldom than its session lasts.

Fenced, it answers, names no broker that is ready, makes no topic and has no coordinator of any group: as one that gets
no processor for a while.
"""

from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from demo.stack.kafka import KafkaServer


class FencedKafka(KafkaServer):
    """Ready for `ready` seconds of `every`. Rarer heartbeats make its start as long: it waits for the second.

    In one second it mostly has not loaded what its coordinators know, and on a busy machine it may never do: then it
    forms no group, for minutes, though it is asked ten times a second.
    """

    def __init__(self, directory: Path, *, ready: float = 1.0, every: float = 3.0) -> None:
        self._heartbeat_ms = round(every * 1000)
        super().__init__(directory, session_seconds=ready)

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        file = directory / "server.properties"
        often = "broker.heartbeat.interval.ms="
        lines = [line for line in file.read_text().splitlines() if not line.startswith(often)]
        file.write_text("\n".join([*lines, f"{often}{self._heartbeat_ms}"]) + "\n")

    async def fenced(self) -> bool:
        """Whether it is just now."""
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await client.start()
        try:
            return not client._client.cluster.brokers()
        finally:
            await client.close()
