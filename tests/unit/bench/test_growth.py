"""The cost of growth: stage 2 at a small size, and the law that its parts do not grow with one another."""

from __future__ import annotations

import numpy as np
import pytest

from bench.benchmark import BenchError, Options
from bench.growth import merging
from bench.growth.memory import Extent, MemoryFigures, Resident, figures_of
from bench.growth.merging import Size
from bench.growth.run import GROWTH, GrowthFigures, run


def test_stage_2_closes_every_window_of_every_model_and_keeps_no_more_than_what_it_stores() -> None:
    figures = merging.run(Size(partitions=30, models=3, features=4), 1, lambda line: None)
    assert (figures.partitions, figures.models) == (30, 3)
    assert 0 < figures.close_ms < 100
    assert figures.held_bytes < 1.3 * figures.part_bytes + 600  # its bytes once, and a few for finding them


def test_what_a_close_writes_grows_with_the_partitions_and_not_with_the_windows() -> None:
    few, many = (
        merging.run(Size(partitions=20, models=1, features=2, windows=windows), 1, lambda line: None)
        for windows in (3, 80)
    )
    assert many.close_bytes < few.close_bytes + 30


def test_memory_that_stays_is_told_from_memory_that_grows() -> None:
    extent = Extent(events=1_000, early=100, windows=10)
    counted = np.arange(10, 1_010, 10)
    flat = figures_of(extent, [(int(n), 100_000_000) for n in counted])
    leaking = figures_of(extent, [(int(n), 100_000_000 + int(n) * 100_000) for n in counted])
    assert flat.ratio == 1.0
    assert leaking.ratio > 1.7


def remembered(ratio: float, records: int) -> MemoryFigures:
    """Figures of a run with 100 live keys."""
    return MemoryFigures(
        events=1_000,
        early_events=100,
        windows=10,
        versions=1,
        resident=Resident(megabytes={}, early=100.0, late=100.0 * ratio, ratio=ratio),
        state_keys=100,
        state_records=records,
        state_written=9_000,
        events_per_cpu_second=1_000,
    )


@pytest.mark.parametrize(
    ("ratio", "records", "held"),
    [(1.05, 300, True), (1.0501, 300, False), (1.0, 301, False)],
    ids=["both stay", "memory grows", "a log that is not compacted"],
)
def test_memory_that_grows_and_state_that_is_not_compacted_fail_the_benchmark(
    ratio: float, records: int, held: bool
) -> None:
    figures = GrowthFigures(memory=remembered(ratio, records), recovery=None, merging=None)
    assert GROWTH.held(figures) is held


def test_a_run_that_measured_no_memory_holds() -> None:
    assert GROWTH.held(GrowthFigures(memory=None, recovery=None, merging=None))


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(BenchError, match="--only nothing: choose of memory, recovery, merging"):
        run(Options(only=("nothing",)), lambda line: None)
