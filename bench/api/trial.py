"""Trial: one run of the load on one server, and who used the machine meanwhile."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from bench.api.ours import Ours
from bench.api.servers import Server
from bench.api.wrk import Load, Said, Target
from bench.benchmark import BenchError
from bench.pinned import Cores
from bench.stream.processor import busy_of, busy_seconds

_IDLE_CORES, _LOOK_SECONDS = 0.3, 0.5
"""The machine counts as quiet below this; the servers that stand by and Kafka use a tenth of a core."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """said: by wrk. cpu_us: processor time of the server for each answer; of ours until all is delivered, which took
    `drain` seconds after the last answer. Cores in use meanwhile: by the server; by others on its core, which take from
    it; on the cores of the load tool, Kafka and Redis. load_waited: share of the time that wrk waited for its core.
    """

    server: str
    connections: int
    said: Said
    cpu_us: float
    server_cores: float
    others: float
    load_cores: float
    load_waited: float
    drain: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.said.rate


class Trial:
    """patience: seconds that are waited for a quiet machine before each run."""

    def __init__(self, load: Load, cores: Cores, patience: float) -> None:
        self._load, self._cores, self._patience = load, cores, patience

    def run(
        self, server: Server, connections: int, seconds: int, *, think_ms: float = 0.0, target: Target | None = None
    ) -> Run:
        """One run. target: other than the server's own. Raises BenchError, also for requests without their answer."""
        self._until_quiet()
        waited = _Waited()
        cpu, before, began = server.cpu_seconds(), self._busy(), time.monotonic()
        said = self._load.run(target or server.target, connections, seconds, think_ms=think_ms, watch=waited.look)
        used, after, took = server.cpu_seconds() - cpu, self._busy(), time.monotonic() - began
        drain = server.drained() if isinstance(server, Ours) else 0.0
        if said.errors or not said.requests:
            why = f"; its metrics: {server.troubles()}" if isinstance(server, Ours) else ""
            raise BenchError(f"{server.name}, {connections} connections: {msgspec.json.encode(said).decode()}{why}")
        return Run(
            server=server.name,
            connections=connections,
            said=said,
            cpu_us=(server.cpu_seconds() - cpu) / said.requests * 1e6,
            server_cores=used / took,
            others=max(0.0, after[0] - before[0] - used) / took,
            load_cores=(after[1] - before[1]) / took,
            load_waited=waited.seconds / said.seconds,
            drain=drain,
        )

    def _busy(self) -> tuple[float, float]:
        """Seconds of work so far: of the server's core, of all others."""
        server = busy_of(_core_line(self._cores.server))
        return server, sum(busy_of(_core_line(core)) for core in self._cores.load)

    def _until_quiet(self) -> None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            before = busy_seconds()
            time.sleep(_LOOK_SECONDS)
            if busy_seconds() - before < _IDLE_CORES * _LOOK_SECONDS:
                return


class _Waited:
    """How long the threads of a process were ready to run and did not: Linux's schedstat, second number."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def look(self, pid: int) -> None:
        try:
            files = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        except (FileNotFoundError, ProcessLookupError):
            return  # it has just ended
        self.seconds = max(self.seconds, sum(int(text.split()[1]) for text in files) / 1e9)


def _core_line(core: int) -> str:
    """The line of /proc/stat of one core."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            return line
    raise BenchError(f"/proc/stat says nothing of core {core}")
