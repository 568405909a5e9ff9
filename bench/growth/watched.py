"""A worker process watched from outside: its metrics, its memory, the moments of its start."""

from __future__ import annotations

import asyncio
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from bench.benchmark import BenchError
from demo.stack.processes import ServiceProcess

EVENTS, REBALANCES, READY = (f"tidemark_stream_{name}" for name in ("events_total", "rebalances_total", "ready"))
_PORT = re.compile(r"metrics on port (\d+)")
_SAMPLE = re.compile(r"^(\w+)(\{.*?\})? (\S+)$", re.MULTILINE)
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)
_ROOT = Path(__file__).parents[2]


class Watched:
    """One `python -m stream_app worker` and all its lives."""

    def __init__(self, name: str, directory: Path, env: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "stream_app", "worker"]
        self.process = ServiceProcess(name, command, directory / f"{name}.log", env=env, cwd=_ROOT)
        self._life = 0
        self._port: str | None = None

    async def start(self) -> None:
        """A new life."""
        log = self.process.log
        self._life, self._port = log.stat().st_size if log.exists() else 0, None
        await asyncio.to_thread(self.process.start)

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        await asyncio.to_thread(self.process.kill)

    async def stop(self) -> None:
        """SIGTERM; returns when it is gone."""
        await asyncio.to_thread(self.process.terminate, 40.0)

    @property
    def serving(self) -> bool:
        """Whether this life has come to serve its metrics. Raises BenchError when it has ended."""
        if not self.process.alive():
            raise BenchError(f"{self.process.name} has ended: {' / '.join(self.process.tail(3))}")
        if self._port is None:
            found = _PORT.search(self.process.log.read_bytes()[self._life :].decode(errors="replace"))
            self._port = None if found is None else found[1]
        return self._port is not None

    async def metrics(self) -> dict[str, float]:
        """Samples of EVENTS (by outcome, such as "counted"), REBALANCES, READY; empty while it does not serve."""
        if not self.serving:
            return {}
        query = "&".join(f"name[]={name}" for name in (EVENTS, REBALANCES, READY))
        try:
            text = await asyncio.to_thread(_get, f"http://127.0.0.1:{self._port}/metrics?{query}")
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return {}
        return {
            (labels.split('"')[1] if name == EVENTS else name): float(value)
            for name, labels, value in _SAMPLE.findall(text)
        }

    def resident_bytes(self) -> int:
        """Memory in use (VmRSS)."""
        found = _RESIDENT.search(Path(f"/proc/{self.process.pid}/status").read_text())
        if found is None:
            raise BenchError("/proc says nothing about resident memory: this benchmark needs Linux")
        return int(found[1]) * 1024


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())
