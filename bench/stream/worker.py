"""(c) Ours: real worker processes with everything on, watched through their metrics from outside."""

from __future__ import annotations

import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.benchmark import BenchError
from bench.pinned import command as bound
from bench.stream.observing import Reading, read
from demo.stack.processes import ServiceProcess

EVENTS, LABELS = "tidemark_stream_events_total", "tidemark_performance_events_total"
_PORT = re.compile(r"metrics on port (\d+)")
_OUTCOME = re.compile(r'^tidemark_\w+_events_total\{outcome="(\w+)"\} (\S+)$', re.MULTILINE)
_PAUSE_SECONDS, _AFTERWARDS_SECONDS, _SCRAPE_SECONDS = 0.2, 1.0, 5.0
_ROOT = Path(__file__).parents[2]


class Counted(NamedTuple):
    """readings: while they counted. startup: seconds from the start of the processes to the first counted event."""

    readings: list[Reading]
    startup: float


class Worker:
    """One `python -m stream_app worker`. entry: the module to run in its place, with what comes before `worker`.
    labels: one `python -m stream_app performance` instead. core: the one that it is bound to.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        env: dict[str, str],
        entry: Sequence[str] = ("stream_app",),
        *,
        labels: bool = False,
        core: int | None = None,
    ) -> None:
        command = [sys.executable, "-m", *entry, "performance" if labels else "worker"]
        if core is not None:
            command = bound(core, command)
        self.process = ServiceProcess(name, command, directory / f"{name}.log", env=env, cwd=_ROOT)
        self._series = LABELS if labels else EVENTS
        self._url = ""
        self._seen: dict[str, int] = {}

    def outcomes(self) -> dict[str, int]:
        """Events by what became of them; empty until the worker serves metrics. Raises BenchError when it has ended."""
        if not self.process.alive():
            raise BenchError(f"{self.process.name} has ended: {' / '.join(self.process.tail(3))}")
        if not self._url:
            found = _PORT.search("\n".join(self.process.tail(50)))
            if found is None:
                return {}
            self._url = f"http://127.0.0.1:{found[1]}/metrics?name[]={self._series}"
        try:
            with urllib.request.urlopen(self._url, timeout=_SCRAPE_SECONDS) as answer:
                self._seen = {what: int(float(n)) for what, n in _OUTCOME.findall(answer.read().decode())}
        except (urllib.error.URLError, TimeoutError):
            pass  # it is starved of the processor: what was seen last still holds
        return self._seen


@contextmanager
def running(workers: Sequence[Worker]) -> Iterator[None]:
    """They run inside the block; SIGTERM at its end, so that they finish and leave their group."""
    for worker in workers:
        worker.process.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.process.terminate(20)


def count_all(workers: Sequence[Worker], broker: int, events: int, within: float) -> Counted:
    """Watch started workers until they have counted `events`, each once and none late; else raises BenchError."""
    began, startup = time.monotonic(), 0.0
    readings: list[Reading] = []
    while not readings or sum(readings[-1].counted) < events:
        if readings:
            time.sleep(_PAUSE_SECONDS)
        readings.append(read(broker, [worker.process.pid for worker in workers], _counted(workers, events)))
        if not startup and any(readings[-1].counted):
            startup = readings[-1].at - began
        if readings[-1].at - began > within:
            raise BenchError(f"{sum(readings[-1].counted):,} of {events:,} events counted within {within:g} s")
    time.sleep(_AFTERWARDS_SECONDS)  # what is counted twice would show now
    _counted(workers, events)
    return Counted(readings, startup)


def _counted(workers: Sequence[Worker], events: int) -> list[int]:
    outcomes = [worker.outcomes() for worker in workers]
    counted = [found.get("counted", 0) for found in outcomes]
    wrong = {what for found in outcomes for what, n in found.items() if n and what not in ("counted", "redelivered")}
    if wrong or sum(counted) > events:
        raise BenchError(f"{sum(counted):,} counted of {events:,}; also {', '.join(sorted(wrong)) or 'nothing else'}")
    return counted
