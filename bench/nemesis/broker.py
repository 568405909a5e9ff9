"""Kafka with a listener of its own for each worker, advertised at a proxy: so that one worker alone can be cut off."""

from __future__ import annotations

import random
from pathlib import Path

from demo.stack.kafka import KafkaServer
from demo.stack.ports import choose_port


class ProxiedKafka(KafkaServer):
    """advertised: the proxy's port of each worker. `inner` has the ports that those proxies lead to."""

    def __init__(self, directory: Path, advertised: list[int]) -> None:
        super().__init__(directory)
        rng = random.SystemRandom()
        self._advertised = advertised
        self.inner: list[int] = []
        while len(self.inner) < len(advertised):
            port = choose_port(rng)
            if port not in (*self.inner, *advertised):
                self.inner.append(port)

    def _prepare(self, directory: Path, port: int) -> None:
        super()._prepare(directory, port)
        file = directory / "server.properties"
        lines = file.read_text().splitlines()
        names = [f"WORKER{i}" for i in range(len(self.inner))]
        more = {
            "listeners=": [f"{name}://127.0.0.1:{own}" for name, own in zip(names, self.inner, strict=True)],
            "advertised.listeners=": [
                f"{name}://127.0.0.1:{own}" for name, own in zip(names, self._advertised, strict=True)
            ],
        }
        for i, line in enumerate(lines):
            for key, listeners in more.items():
                if line.startswith(key):
                    lines[i] = ",".join([line, *listeners])
        protocols = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *names)]
        lines.append(f"listener.security.protocol.map={','.join(protocols)}")
        file.write_text("\n".join(lines) + "\n")
