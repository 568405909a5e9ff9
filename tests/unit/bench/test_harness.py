"""The command line of the benchmarks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.harness import BENCHMARKS, command_line
from bench.names import NAMES

ROOT = Path(__file__).parents[3]


class Told(msgspec.Struct, frozen=True):
    seed: int
    quick: bool
    data: str


def told(options: Options, say: Say) -> Told:
    say("a table for people")
    if options.data == "nothing":
        raise BenchError("--data nothing: there is nothing to measure, choose flights")
    return Told(options.seed, options.quick, options.data)


APP = command_line(
    [
        Benchmark("told", "what the benchmark is told", told, takes=("data",), lasts="a minute; --quick: 6 s"),
        Benchmark("other", "another one", told),
    ]
)


def test_without_a_name_it_lists_what_can_be_measured_how_long_it_takes_and_the_options_it_has() -> None:
    result = CliRunner().invoke(APP, [])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "told       what the benchmark is told",
        "             a minute; --quick: 6 s; takes --data",
        "other      another one",
        "All take --seed, --quick and --json.",
    ]


def test_help_behind_a_name_has_its_own_line_options_and_length_and_no_other() -> None:
    result = CliRunner().invoke(APP, ["told", "--help"])
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["what", "the", "benchmark", "is", "told"] in lines
    assert ["Lasts", "a", "minute;", "--quick:", "6", "s."] in lines
    options = [line[0] for line in lines if line and line[0].startswith("--")]
    assert options == ["--json", "--seed", "--quick", "--data", "--help"]
    assert "Of:" not in result.stdout


def test_help_behind_an_unknown_name_is_one_line_and_status_2() -> None:
    result = CliRunner().invoke(APP, ["tolt", "--help"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "bench: no benchmark 'tolt': choose one of told, other\n"


def test_every_benchmark_says_how_long_it_lasts_and_how_long_when_quick() -> None:
    said = re.compile(r"\w.*[;,] .*--quick.*")
    assert [benchmark.name for benchmark in BENCHMARKS if not said.fullmatch(benchmark.lasts)] == []


def test_the_last_line_is_the_figures_as_json_after_what_people_read() -> None:
    result = CliRunner().invoke(APP, ["told", "--json", "--seed", "7", "--quick", "--data", "payments"])
    table, figures = result.stdout.splitlines()
    assert table == "a table for people"
    assert json.loads(figures) == {"seed": 7, "quick": True, "data": "payments"}


def test_without_json_there_are_tables_only() -> None:
    assert CliRunner().invoke(APP, ["told"]).stdout.splitlines() == ["a table for people"]


def test_an_unknown_name_is_one_line_with_the_names_there_are() -> None:
    result = CliRunner().invoke(APP, ["tolt"])
    assert result.exit_code == 2
    assert result.stderr == "bench: no benchmark 'tolt': choose one of told, other\n"


def test_the_names_that_are_known_before_the_benchmarks_are_imported_are_theirs() -> None:
    assert tuple(benchmark.name for benchmark in BENCHMARKS) == NAMES


def test_an_unknown_name_is_told_before_anything_is_imported() -> None:
    """By what is imported, not by the clock."""
    asked = (
        "import runpy, sys\nsys.argv = ['bench', 'nonsense']\n"
        "try: runpy.run_module('bench', run_name='__main__')\n"
        "except SystemExit as end: print(end.code, sorted({'numpy', 'sklearn', 'bench.harness'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=ROOT)
    assert ended.stdout == "2 []\n"
    assert ended.stderr == f"bench: no benchmark 'nonsense': choose one of {', '.join(NAMES)}\n"


def test_what_cannot_be_measured_is_one_line_and_status_2() -> None:
    result = CliRunner().invoke(APP, ["told", "--data", "nothing"])
    assert result.exit_code == 2
    assert result.stderr == "bench: --data nothing: there is nothing to measure, choose flights\n"


class Load(msgspec.Struct, frozen=True):
    seconds: float | None
    workers: int | None
    only: tuple[str, ...]


LOAD = Benchmark(
    "load",
    "one that takes options of its own",
    lambda options, say: Load(options.seconds, options.workers, options.only),
    takes=("seconds", "workers", "only"),
)


def test_a_benchmark_is_told_the_options_it_takes_and_none_where_they_are_not_given() -> None:
    result = CliRunner().invoke(command_line([LOAD]), ["load", "--json", "--seconds", "2.5", "--only", "a, b,"])
    assert json.loads(result.stdout) == {"seconds": 2.5, "workers": None, "only": ["a", "b"]}


def test_an_option_that_a_benchmark_does_not_take_is_one_line_and_status_2() -> None:
    result = CliRunner().invoke(command_line([LOAD]), ["load", "--workers", "3", "--rate", "9", "--profile"])
    assert result.exit_code == 2
    assert result.stderr == (
        "bench: load does not take --rate, --profile (of such options it takes --seconds, --workers, --only)\n"
    )
    result = CliRunner().invoke(APP, ["told", "--seconds", "3"])
    assert result.stderr == "bench: told does not take --seconds (of such options it takes --data)\n"


def test_what_is_not_as_it_must_be_ends_with_status_1_behind_its_figures() -> None:
    broken = Benchmark("broken", "does not hold", told, takes=("data",), held=lambda figures: figures.seed != 7)
    assert CliRunner().invoke(command_line([broken]), ["broken", "--seed", "6"]).exit_code == 0
    result = CliRunner().invoke(command_line([broken]), ["broken", "--json", "--seed", "7"])
    assert (result.exit_code, json.loads(result.stdout.splitlines()[-1])["seed"]) == (1, 7)


def test_help_says_which_benchmarks_take_an_option() -> None:
    result = CliRunner().invoke(command_line([LOAD]), ["--help"], env={"COLUMNS": "120"})
    assert "Length of the load. (Of: load.)" in result.stdout


def test_every_benchmark_has_a_name_of_its_own_and_says_when_it_knows_no_such_data_set() -> None:
    assert len({benchmark.name for benchmark in BENCHMARKS}) == len(BENCHMARKS)
    for benchmark in BENCHMARKS:
        result = CliRunner().invoke(command_line(BENCHMARKS), [benchmark.name, "--data", "trains"])
        assert result.exit_code == 2
        known = "data" in benchmark.takes
        assert ("no data set 'trains': choose one of" if known else f"{benchmark.name} does not take") in result.stderr
