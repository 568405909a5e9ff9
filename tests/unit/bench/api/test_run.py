"""Parts and cores: what is chosen, and what cannot be."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.api.material import ROOT
from bench.api.run import BY_DEFAULT, chosen
from bench.benchmark import BenchError
from bench.pinned import Cores, command, kept_to, split


def test_by_default_everything_but_the_millions_of_requests_is_run() -> None:
    servers, more = ("ours", "ordinary", "mlflow", "empty", "bare"), ("half", "batch", "beside", "overload")
    assert chosen(()) == BY_DEFAULT == servers + more
    assert chosen(("memory",)) == ("memory",)


def test_a_part_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(BenchError, match=r"--only our: there are ours, ordinary, mlflow, empty, bare, half, batch"):
        chosen(("ours", "our"))


def test_the_server_has_a_core_of_its_own() -> None:
    assert split({0, 1, 2, 3}) == Cores(3, frozenset({0, 1, 2}))
    with pytest.raises(BenchError, match="two are needed"):
        split({0})


def test_a_pinned_command_runs_on_its_core_alone() -> None:
    core = max(os.sched_getaffinity(0))
    words = command(core, [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"])
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == str({core})


def test_this_program_keeps_to_the_other_cores_and_gets_its_own_back() -> None:
    before = os.sched_getaffinity(0)
    with kept_to({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
