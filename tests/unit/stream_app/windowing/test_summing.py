"""Parts added up at once equal parts merged one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.baseline import Baseline
from contracts.partials import PartialAggregate
from contracts.window import WindowCounts
from stream_app.windowing.summing import summed
from tests.unit.stream_app.windowing.stand import FIRST, a_partial

ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.floats(0, 300)), st.sampled_from([None, "a", "b", "z"]), st.booleans()),
    max_size=300,
)


def a_part(rows: Sequence[tuple[float | None, str | None, bool]], partition: int) -> PartialAggregate:
    counts = WindowCounts(FIRST)
    numbers = [number for number, _, _ in rows]
    counts.add_columns(
        [numbers, numbers[::-1], [level for _, level, _ in rows]],
        [0.5] * len(rows),
        [decided for *_, decided in rows],
        len(rows) // 3,
    )
    return counts.partial(window_start=0, window_end=100, partition=partition, offset=9)


def one_by_one(parts: Sequence[PartialAggregate], baseline: Baseline) -> PartialAggregate:
    total = WindowCounts(baseline)
    for part in parts:
        total.merge(WindowCounts.of(part, baseline))
    return total.partial(window_start=0, window_end=100, partition=0, offset=0)


@given(st.lists(ROWS, max_size=5))
def test_adding_parts_up_equals_merging_them_one_after_the_other(windows: list[list[tuple[None, None, bool]]]) -> None:
    parts = [a_part(rows, partition) for partition, rows in enumerate(windows)]
    total = summed(parts, FIRST).partial(window_start=0, window_end=100, partition=0, offset=0)
    assert total == one_by_one(parts, FIRST)


def test_parts_of_different_width_a_bin_are_added_up() -> None:
    many = [(100.0, "a", True)] * 300  # two bytes a bin; one row needs one
    parts = [a_part(many, 0), a_part(many[:1], 1)]
    assert len(parts[0].score.counts) == 2 * len(parts[1].score.counts)
    assert summed(parts, FIRST).rows == 301


def test_a_part_whose_counts_do_not_fit_the_baseline_that_it_names_is_left_out() -> None:
    part = a_partial(0, 3)
    odd = replace(part, features=part.features[1:])
    assert summed([part, odd], FIRST).rows == 3
