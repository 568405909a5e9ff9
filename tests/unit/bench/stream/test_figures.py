"""Cases and figures of `bench stream`."""

from __future__ import annotations

import pytest

from bench.benchmark import BenchError
from bench.stream.cases import CASES, SHAPES, Case, chosen, in_turns
from bench.stream.figures import Run, figures_of, rows_of, table

PLAIN = SHAPES[0]
BARE, NAIVE, OURS, TWO = (Case(PLAIN, what) for what in ("bare", "naive", "ours", "two"))


def a_run(case: Case, rate: float, cpu: float = 1.0) -> Run:
    return Run(case, events=int(rate * 2), seconds=2.0, cpu_seconds=2.0 * cpu, broker=0.25, others=0.1, startup=3.0)


def test_the_cases_have_workers_partitions_features_and_codecs_of_both_kinds() -> None:
    assert {case.workers for case in CASES} == {1, 2}
    assert {shape.partitions for shape in SHAPES} == {8, 32}
    assert {shape.features for shape in SHAPES} == {20, 200}
    assert {shape.codec for shape in SHAPES} == {None, "lz4"}


def test_the_first_shape_is_the_one_the_goals_are_set_on() -> None:
    assert (PLAIN.partitions, PLAIN.features, PLAIN.codec) == (8, 20, None)
    assert PLAIN.whats == ("bare", "naive", "ours", "bound", "two")


def test_the_ceiling_and_the_ordinary_agent_run_on_every_shape() -> None:
    assert all(shape.whats[:3] == ("bare", "naive", "ours") for shape in SHAPES)


def test_only_picks_cases_by_how_they_begin() -> None:
    assert chosen(()) == list(CASES)
    assert chosen(("8p/ours", "8p/bare")) == [BARE, OURS]
    assert {case.shape.name for case in chosen(("32p",))} == {"32p"}


def test_only_refuses_what_is_no_case_and_says_which_there_are() -> None:
    with pytest.raises(BenchError, match=r"--only 9p: no case begins so; there are 8p/bare, 8p/naive, 8p/ours"):
        chosen(("8p", "9p"))


def test_rounds_go_to_and_fro() -> None:
    assert in_turns([BARE, OURS], 3) == [BARE, OURS, OURS, BARE, BARE, OURS]


def test_figures_are_medians_and_ratios_are_medians_of_the_rounds() -> None:
    runs = [a_run(OURS, rate) for rate in (90.0, 150.0, 160.0)] + [a_run(BARE, rate) for rate in (500.0, 300.0, 10.0)]
    runs += [a_run(NAIVE, rate) for rate in (2.0, 3.0, 2.5)] + [a_run(TWO, rate, cpu=2.0) for rate in (90, 285, 312)]
    rows = {row.case: row for row in rows_of(runs)}
    assert list(rows) == ["8p/bare", "8p/naive", "8p/ours", "8p/two"]
    ours = rows["8p/ours"]
    assert (ours.events_per_second, ours.slowest, ours.fastest, ours.runs) == (150, 90, 160, 3)
    assert (ours.ratio_to_bare, ours.ratio_to_naive) == (0.5, 50.0)
    figures = figures_of(list(rows.values()), cores=2, value_bytes=643)
    assert (figures.events_per_second, figures.ratio_to_bare, figures.ratio_to_naive) == (150, 0.5, 50.0)
    assert figures.two_workers_ratio == 1.9  # of 1.0, 1.9 and 1.95
    assert rows["8p/two"].events_per_cpu_second == 142  # 285 events/s on two cores


def test_a_ratio_to_what_was_not_run_is_null() -> None:
    rows = rows_of([a_run(OURS, 100.0)])
    assert (rows[0].ratio_to_bare, rows[0].ratio_to_naive) == (None, None)
    assert figures_of(rows, 2, 643).two_workers_ratio is None
    other = rows_of([a_run(Case(SHAPES[1], "ours"), 100.0)])
    assert figures_of(other, 2, 643).events_per_second is None


def test_the_table_has_a_line_for_each_case_with_the_load_of_broker_and_others() -> None:
    head, line = table(rows_of([a_run(OURS, 150_000.0)]))
    assert head.split()[-4:] == ["broker", "others", "start", "s"]
    assert line.split() == [
        "8p/ours",
        "150,000",
        "(150,000-150,000)",
        "150,000",
        *"---",
        "1",
        "1.00",
        "0.25",
        "0.10",
        "3.0",
    ]
