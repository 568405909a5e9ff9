"""The load tool: where it comes from, how it is told, what is read from it. Stand-ins for wrk are shell scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.api.wrk import Load, Target, read
from bench.api.wrk_package import Wrk, unpacked, wrk
from bench.benchmark import BenchError

SAID = {
    **{"requests": 120, "seconds": 2.0, "p50": 0.5, "p99": 1.5, "p999": 2.5, "max": 9.0},
    **{"refused": 0, "connect": 0, "read": 0, "write": 0, "timeout": 0},
}


def script(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    file.chmod(0o755)
    return file


def test_the_wrk_of_the_machine_is_taken_where_there_is_one(tmp_path: Path) -> None:
    own = script(tmp_path / "wrk", "echo 'wrk 4.1.0 [epoll]'", "exit 1")
    assert wrk(tmp_path / "cache", str(own)) == Wrk(own, {})


def test_the_one_in_the_cache_finds_its_library_there(tmp_path: Path) -> None:
    library = tmp_path / "wrk/usr/lib/any-linux-gnu/libluajit-5.1.so.2"
    library.parent.mkdir(parents=True)
    library.touch()
    program = script(tmp_path / "wrk/usr/bin/wrk", 'test -d "$LD_LIBRARY_PATH" && echo "wrk 4.1.0 [epoll]"')
    assert wrk(tmp_path, None) == Wrk(program, {"LD_LIBRARY_PATH": str(library.parent)})
    assert unpacked(tmp_path / "wrk").program == program


def test_a_wrk_that_does_not_run_is_told_in_one_line_with_its_reason(tmp_path: Path) -> None:
    broken = script(tmp_path / "wrk", "echo 'libssl.so.3: cannot open shared object file' >&2", "exit 127")
    with pytest.raises(BenchError, match=r"^wrk does not run \(libssl\.so\.3: .*\): install the package wrk$"):
        wrk(tmp_path, str(broken))


def test_what_it_says_is_its_last_line_of_json() -> None:
    said = read(["Running 2s test @ http://127.0.0.1", "  120 requests in 2.00s", "", json.dumps(SAID), ""])
    assert (said.requests, said.rate, said.p999, said.errors) == (120, 60.0, 2.5, 0)


def test_every_kind_of_error_counts() -> None:
    kinds = ("refused", "connect", "read", "write", "timeout")
    said = read([json.dumps({**SAID, **dict.fromkeys(kinds, 1)})])
    assert said.errors == 5


def test_a_wrk_that_measures_nothing_is_quoted() -> None:
    with pytest.raises(BenchError, match="unable to connect"):
        read(["unable to connect to 127.0.0.1:1 Connection refused"])


def test_a_run_tells_wrk_the_connections_seconds_bodies_key_and_pause(tmp_path: Path) -> None:
    told = tmp_path / "told"
    tool = script(
        tmp_path / "wrk",
        f'echo "$@" "$LOAD_BODIES" "$LOAD_KEY" "$LOAD_THINK_MS" > {told}',
        f"echo '{json.dumps(SAID)}'",
    )
    load = Load(Wrk(tool, {}), tmp_path, print)
    said = load.run(Target("http://127.0.0.1:1/predict", Path("bodies"), "a-key"), 16, 2, think_ms=1.5)
    assert said.requests == 120
    words = told.read_text().split()
    assert words[:3] == ["-t1", "-c16", "-d2s"]
    assert words[-4:] == ["http://127.0.0.1:1/predict", "bodies", "a-key", "1.500"]


@pytest.mark.parametrize(("silent_runs", "runs", "requests"), [(0, 1, 120), (2, 3, 120), (9, 3, 0)])
def test_without_any_answer_it_is_run_again_twice_as_long_and_twice_at_most(
    tmp_path: Path, silent_runs: int, runs: int, requests: int
) -> None:
    told, silent = tmp_path / "told", json.dumps({**SAID, "requests": 0})
    tool = script(
        tmp_path / "wrk",
        f'echo "$3" >> {told}',
        f"if [ $(wc -l < {told}) -le {silent_runs} ]; then echo '{silent}'; else echo '{json.dumps(SAID)}'; fi",
    )
    said: list[str] = []
    found = Load(Wrk(tool, {}), tmp_path, said.append).run(Target("http://127.0.0.1:1", Path("bodies")), 16, 1)
    assert (found.requests, found.runs) == (requests, runs)
    assert told.read_text().split() == ["-d1s", "-d2s", "-d4s"][:runs]
    again = [f"no answer in {s} s on 16 connections: run again for {2 * s} s" for s in (1, 2)]
    assert said == again[: runs - 1]


def test_an_error_is_an_answer_and_is_not_asked_for_again(tmp_path: Path) -> None:
    tool = script(tmp_path / "wrk", f"echo '{json.dumps({**SAID, 'requests': 0, 'connect': 1})}'")
    found = Load(Wrk(tool, {}), tmp_path, print).run(Target("http://127.0.0.1:1", Path("bodies")), 1, 1)
    assert (found.errors, found.runs) == (1, 1)
