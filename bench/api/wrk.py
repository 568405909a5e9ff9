"""One run of wrk, and what it says of it."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.api.wrk_package import Wrk
from bench.benchmark import BenchError
from bench.pinned import go_ahead
from demo.stack.processes import ServiceProcess

_SCRIPT = Path(__file__).with_name("load.lua")
_TIMEOUT_SECONDS, _PATIENCE_SECONDS = 10, 30.0
_MOST_RUNS = 3


class Target(NamedTuple):
    """Where requests go. bodies: file, one body a line, taken in turns. key: an API key, may be empty."""

    url: str
    bodies: Path
    key: str = ""


class Said(msgspec.Struct, frozen=True):
    """What wrk counted: answers of any status, and how long they took, in milliseconds. refused: of status 400 and up.

    connect, read, write, timeout: errors of these kinds. What is under way when the time is up is in none of them.
    runs: this one, and those before it that had no answer in their time; each has left requests under way.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float
    max: float
    refused: int
    connect: int
    read: int
    write: int
    timeout: int
    runs: int = 1

    @property
    def errors(self) -> int:
        """Requests that did not get their answer."""
        return self.refused + self.connect + self.read + self.write + self.timeout

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


class Load:
    """directory: for logs, one for each run. Runs may be under way at the same time. say: hears what is run again."""

    def __init__(self, tool: Wrk, directory: Path, say: Callable[[str], None]) -> None:
        self._tool, self._directory, self._say, self._runs = tool, directory, say, itertools.count(1)

    def run(
        self,
        target: Target,
        connections: int,
        seconds: float,
        *,
        think_ms: float = 0.0,
        watch: Callable[[int], None] | None = None,
    ) -> Said:
        """Returns when it is over. think_ms: mean pause of a connection between an answer and its next request.

        One thread: it makes three times the requests that a server on one core answers. watch: called with wrk's
        process id some times a second. Without any answer it is run again, twice at most and each time for twice as
        long: a server that gets no processor answers a second late. Raises BenchError.
        """
        for run in range(1, _MOST_RUNS + 1):
            said = self._once(target, connections, seconds, think_ms, watch)
            if said.requests or said.errors or run == _MOST_RUNS:
                break
            self._say(f"no answer in {seconds:g} s on {connections} connections: run again for {2 * seconds:g} s")
            seconds *= 2
        return msgspec.structs.replace(said, runs=run)

    def _once(
        self, target: Target, connections: int, seconds: float, think_ms: float, watch: Callable[[int], None] | None
    ) -> Said:
        name = f"wrk-{next(self._runs)}"
        words = [f"-t1 -c{connections} -d{seconds:g}s --timeout {_TIMEOUT_SECONDS}s".split(), ["-s", str(_SCRIPT)]]
        env = {
            **self._tool.env,
            "LOAD_BODIES": str(target.bodies),
            "LOAD_KEY": target.key,
            "LOAD_THINK_MS": f"{think_ms:.3f}",
        }
        command = [str(self._tool.program), *words[0], *words[1], target.url]
        process = ServiceProcess(name, command, self._directory / f"{name}.log", env=env)
        process.start()
        try:
            deadline = time.monotonic() + seconds + _PATIENCE_SECONDS
            while process.alive() and time.monotonic() < deadline:
                go_ahead(process.pid)
                if watch is not None:
                    watch(process.pid)
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
        return read(process.tail(30))


def read(lines: list[str]) -> Said:
    """The last line of wrk's output. Raises BenchError where there is none, with what it says instead.

    wrk's durations are whole seconds: it takes 2s and 1m, not 1.5s.
    """
    for line in reversed(lines):
        if line.startswith("{"):
            return msgspec.json.decode(line, type=Said)
    raise BenchError(f"wrk has not measured anything: {' / '.join(lines[-3:]) or 'it says nothing'}")
