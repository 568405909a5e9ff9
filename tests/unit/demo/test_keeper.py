"""What `make up` does with a service that ends: start it again, some times; then end, and say why."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demo.__main__ import app
from demo.errors import ServiceFailed
from demo.keeper import RESTARTS, WITHIN_SECONDS, Keeper
from demo.stack.processes import ServiceProcess
from demo.up import note_end


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ServiceProcess]:
    words = "import time; print('counting', flush=True); time.sleep(60)"
    process = ServiceProcess("worker-1", [sys.executable, "-c", words], tmp_path / "worker-1.log")
    process.start()
    try:
        yield process
    finally:
        process.kill()


def test_a_service_that_runs_is_left_alone(worker: ServiceProcess) -> None:
    said: list[str] = []
    pid = worker.pid
    Keeper(said.append).tend([worker])
    assert (worker.pid, said) == (pid, [])


def test_a_killed_service_is_started_again_and_the_log_says_so(worker: ServiceProcess) -> None:
    said: list[str] = []
    worker.kill()
    Keeper(said.append).tend([worker])
    assert said == [f"worker-1 ended with status -9, started again (process {worker.pid})"]


def test_a_service_that_ends_again_and_again_is_given_up(worker: ServiceProcess) -> None:
    said: list[str] = []
    keeper = Keeper(said.append, lambda: 100.0)
    for _ in range(RESTARTS):
        worker.kill()
        keeper.tend([worker])
    worker.kill()
    with pytest.raises(ServiceFailed, match=r"worker-1 ended 6 times within 60 s, at last with status -9; its log is "):
        keeper.tend([worker])
    assert len(said) == RESTARTS


def test_an_end_long_ago_does_not_count(worker: ServiceProcess) -> None:
    now = [0.0]
    keeper = Keeper(lambda text: None, lambda: now[0])
    for _ in range(RESTARTS + 1):
        worker.kill()
        keeper.tend([worker])
        now[0] += WITHIN_SECONDS / RESTARTS
    assert worker.alive()


def test_why_it_ended_by_itself_is_told_once(tmp_path: Path) -> None:
    note_end(tmp_path / "up", "2026-01-01T00:00:00Z: worker-1 ended 6 times")
    said = [CliRunner().invoke(app, ["down", "--directory", str(tmp_path / "up")]).output for _ in range(2)]
    assert said == [
        "nothing is up: it ended by itself, 2026-01-01T00:00:00Z: worker-1 ended 6 times\n",
        "nothing is up\n",
    ]
    assert re.search(r"\.ended$", "".join(map(str, tmp_path.iterdir()))) is None
