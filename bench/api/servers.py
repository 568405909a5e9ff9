"""Servers: each a process on the measured core, watched from outside: ready, processor time, memory."""

from __future__ import annotations

import math
import os
import random
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.api.material import MODEL, ROOT, Material
from bench.api.wrk import Target
from bench.benchmark import BenchError
from bench.pinned import command
from demo.stack.ports import choose_port
from demo.stack.processes import ServiceProcess

_START_SECONDS, _STOP_SECONDS, _POLL_SECONDS = 120.0, 30.0, 0.02
_SETTLE_SECONDS, _LOOK_SECONDS, _IDLE_CORES = 60.0, 2.0, 0.06
_TICK = os.sysconf("SC_CLK_TCK")
_SESSION, _USER, _SYSTEM = 3, 11, 12
"""Positions in /proc/PID/stat behind the command's closing parenthesis."""
_UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--port"]


class _Scored(msgspec.Struct):
    """What answers have in common. predictions: of MLflow, predict_proba of each row."""

    score: float | None = None
    predictions: list[list[float]] = []


class Server:
    """path: of the POST. health: path of a GET that answers 200 once it is ready; None: the POST itself is tried."""

    def __init__(
        self,
        name: str,
        core: int,
        words: Sequence[str],
        directory: Path,
        *,
        port: int,
        bodies: Path,
        path: str = "/predict",
        health: str | None = None,
        env: Mapping[str, str] | None = None,
        key: str = "",
    ) -> None:
        self.name, self.url = name, f"http://127.0.0.1:{port}"
        self.target = Target(self.url + path, bodies, key)
        self._health = health
        env = {**(env or {}), "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self.process = ServiceProcess(name, command(core, words), directory / f"{name}.log", env=env, cwd=ROOT)

    def start(self) -> float:
        """Returns when it is ready: the seconds that it took. Raises BenchError."""
        began = time.monotonic()
        self.process.start()
        ready: Callable[[], bool] = self._answers_health if self._health else self._answers_post
        while not ready():
            if not self.process.alive():
                raise BenchError(f"{self.name} has ended: {' / '.join(self.process.tail(3))}")
            if time.monotonic() - began > _START_SECONDS:
                raise BenchError(
                    f"{self.name} was not ready in {_START_SECONDS:g} s: {' / '.join(self.process.tail(3))}"
                )
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is left of it."""
        self.process.terminate(_STOP_SECONDS)

    def settle(self) -> None:
        """Returns when it has nothing to do any more: what a server does behind its readiness is part of no run.

        Ours goes on to ask the registry, and a process of its own compares a model with its compiled form.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        before, processes = math.inf, 0
        while time.monotonic() < deadline:
            used, now = self.cpu_seconds(), len(_processes(self.process.pid))
            if now == processes and 0 <= used - before < _IDLE_CORES * _LOOK_SECONDS:
                return
            before, processes = used, now
            time.sleep(_LOOK_SECONDS)

    def cpu_seconds(self) -> float:
        """Processor time so far of all its processes."""
        return sum(int(fields[_USER]) + int(fields[_SYSTEM]) for _, fields in _processes(self.process.pid)) / _TICK

    def resident_mb(self) -> float:
        """Resident memory of all its processes, 10^6 bytes; what several of them share counts once."""
        return sum(_resident_kb(pid) for pid, _ in _processes(self.process.pid)) * 1024 / 1e6

    def score(self) -> float:
        """That of the first of its bodies. Raises BenchError."""
        status, answer = self._first()
        if status != 200:
            raise BenchError(f"{self.name} answers {status}: {answer[:300].decode(errors='replace')}")
        found = msgspec.json.decode(answer, type=_Scored)
        return found.predictions[0][1] if found.score is None else found.score

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """One request of our own: status and answer; (0, b"") where nobody listens."""
        return self._ask(path, body, {"Content-Type": "application/json"})

    def get(self, path: str) -> tuple[int, bytes]:
        """The same."""
        return self._ask(path, None, {})

    def _ask(self, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        key = {"Authorization": f"Bearer {self.target.key}"} if self.target.key else {}
        return fetch(urllib.request.Request(self.url + path, body, headers | key))

    def _answers_health(self) -> bool:
        return self.get(str(self._health))[0] == 200

    def _answers_post(self) -> bool:
        status, answer = self._first()
        if status not in (0, 200):
            raise BenchError(f"{self.name} answers {status}: {answer[:300].decode(errors='replace')}")
        return status == 200

    def _first(self) -> tuple[int, bytes]:
        with self.target.bodies.open("rb") as bodies:
            return self.post(self.target.url.removeprefix(self.url), bodies.readline())


def fetch(request: urllib.request.Request) -> tuple[int, bytes]:
    """Status and body; (0, b"") where nobody answers."""
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, b""


def free_port() -> int:
    """A port that is free now."""
    return choose_port(random.SystemRandom())


def others(material: Material, core: int, directory: Path) -> list[Server]:
    """What ours is compared with; not started."""
    mlflow = free_port()
    # it looks for uvicorn on the path, as an activated environment has it
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    serve = f"-m mlflow models serve -m models:/{MODEL}@champion --env-manager local --workers 1 --host 127.0.0.1 -p"
    return [
        _uvicorn(
            "ordinary", "bench.api.ordinary:app", core, material, directory, ORDINARY_MODEL=str(material.model_file)
        ),
        Server(
            "mlflow",
            core,
            [sys.executable, *serve.split(), str(mlflow)],
            directory,
            port=mlflow,
            bodies=material.records,
            path="/invocations",
            env={"MLFLOW_TRACKING_URI": material.registry, "PATH": path},
        ),
        _uvicorn("empty", "bench.api.constant:app", core, material, directory),
        _uvicorn("bare", "bench.api.constant:bare", core, material, directory),
    ]


def _uvicorn(name: str, app: str, core: int, material: Material, directory: Path, **env: str) -> Server:
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", app, *_UVICORN, str(port)]
    return Server(name, core, words, directory, port=port, bodies=material.single, env=env)


def _processes(session: int) -> list[tuple[str, list[str]]]:
    """Every process of a session: its id, and its /proc/PID/stat behind the command's closing parenthesis."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(fields[_SESSION]) == session:
            found.append((file.parent.name, fields))
    if not found:
        raise BenchError("a server has ended under load")
    return found


def _resident_kb(pid: str) -> int:
    """Proportional: a page that n processes share counts 1/n in each."""
    try:
        text = Path("/proc", pid, "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended meanwhile
    return int(text.partition("\nPss:")[2].split(maxsplit=1)[0])
