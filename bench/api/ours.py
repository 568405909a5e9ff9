"""(0) Our server: `python -m api` with everything on: outbox, Kafka, Redis, metrics, API keys."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from bench.api.material import MODEL, ROOT, Material
from bench.api.servers import Server, free_port
from bench.benchmark import BenchError
from demo.stack.stack import LocalStack

_ANSWERED, _PENDING = "tidemark_api_predictions_total", "tidemark_api_outbox_pending_bytes"
_MIRROR_SECONDS = 60
"""A prediction can be looked up for so long here: of a day's default Redis would hold gigabytes after a minute."""
_DRAIN_SECONDS, _POLL_SECONDS = 300.0, 0.05


class _Answer(msgspec.Struct):
    prediction_id: str


class Ours(Server):
    """ids: of the answers that our own requests got."""

    def __init__(self, material: Material, stack: LocalStack, core: int, directory: Path) -> None:
        port = free_port()
        settings = {
            "port": port,
            "keys_file": directory / "keys.json",
            "model": MODEL,
            "tracking_uri": material.registry,
            "bootstrap": stack.kafka.bootstrap,
            "redis_url": stack.redis.url,
            "mirror_ttl_seconds": _MIRROR_SECONDS,
            "model_cache": directory / "models",
            "outbox_dir": directory / "outbox",
        }
        env = {f"API_{name.upper()}": str(value) for name, value in settings.items()}
        super().__init__(
            *("ours", core, [sys.executable, "-m", "api"], directory),
            port=port,
            bodies=material.single,
            health="/health/ready",
            env=env,
            key=new_key(directory / "keys.json"),
        )
        self._bodies = _for_ever(material.single)
        self.ids: list[str] = []

    def answered(self) -> int:
        """Predictions that it has answered since its start, as its own metrics count them."""
        return round(self._metric(_ANSWERED))

    def pending(self) -> float:
        """Bytes in the outbox that Kafka has not acknowledged."""
        return self._metric(_PENDING)

    def drained(self) -> float:
        """Returns when every event is acknowledged: the seconds that it took. Raises BenchError."""
        began = time.monotonic()
        while self.pending() > 0:
            if time.monotonic() - began > _DRAIN_SECONDS:
                raise BenchError(f"the outbox was not drained in {_DRAIN_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began

    def ask(self, requests: int) -> None:
        """Send so many one after the other, and remember the ids of the answers. Raises BenchError."""
        for _ in range(requests):
            status, answer = self.post("/predict", next(self._bodies))
            if status != 200:
                raise BenchError(f"ours answers {status}: {answer[:300].decode(errors='replace')}")
            self.ids.append(msgspec.json.decode(answer, type=_Answer).prediction_id)

    def troubles(self) -> str:
        """What its metrics say of requests that got no prediction."""
        return ", ".join(
            f"{sample.name}{sorted(sample.labels.values())} {sample.value:g}"
            for family in text_string_to_metric_families(self._page())
            for sample in family.samples
            if sample.name.endswith("_requests_total") and sample.value
        )

    def _metric(self, name: str) -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(self._page())
            for sample in family.samples
            if sample.name == name
        )

    def _page(self) -> str:
        status, page = self.get("/metrics")
        if status != 200:
            raise BenchError(f"ours answers {status} to GET /metrics: {page[:300].decode(errors='replace')}")
        return page.decode()


def new_key(file: Path) -> str:
    """As an operator makes one. Raises BenchError."""
    scopes = [word for scope in ("predict", "label", "read") for word in ("--scope", scope)]
    words = ["keys", "add", "--file", str(file), "--name", "bench", *scopes]
    ended = subprocess.run(
        [sys.executable, "-m", "api", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    if ended.returncode != 0:
        raise BenchError(f"no API key could be made: {ended.stderr.strip()}")
    return ended.stdout.strip()


def _for_ever(file: Path) -> Iterator[bytes]:
    while True:
        with file.open("rb") as bodies:
            yield from bodies
