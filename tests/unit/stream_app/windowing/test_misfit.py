"""Parts whose bins are not those of the baseline that they name: their windows close once, and say how many rows."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.partials import Heartbeat, PartialAggregate
from stream_app.windowing.closing import Closing
from stream_app.windowing.merger import Merger, MergerConfig, Records
from tests.unit.stream_app.windowing.stand import FIRST, SECOND, a_partial, by_digest, folded

MINIMUM = 5


def misfit(start: int, rows: int, partition: int = 0) -> PartialAggregate:
    """It names a baseline, and has the bins of another one."""
    return replace(
        a_partial(start, rows, partition=partition, baseline=SECOND),
        model=FIRST.model,
        version=FIRST.version,
        baseline=FIRST.digest,
    )


def over(merger: Merger, until: int) -> None:
    for number in (0, 1):
        merger.on_heartbeat(Heartbeat(partition=number, partitions=2, generation=1, watermark=until))


def closed(merger: Merger, written: Records) -> list[Closing]:
    found = []
    for closing in merger.due():
        written += merger.announce(closing)
        written += merger.close(closing)
        found.append(closing)
    return found


def numbers(closing: Closing) -> tuple[int, int, int, int, bool]:
    return closing.rows, closing.other_rows, closing.counts.rows, closing.merged_windows, closing.sufficient


def restored(written: Records) -> Merger:
    return Merger.restore(0, MergerConfig(minimum_rows=MINIMUM), folded(written).items(), by_digest())


def test_a_window_of_such_parts_closes_once_and_none_of_their_rows_is_compared() -> None:
    merger, written = Merger(0, MergerConfig(minimum_rows=MINIMUM), by_digest()), Records()
    for offset, part in enumerate((misfit(0, 7), a_partial(0, 6, partition=1), misfit(100, 9))):
        written += merger.on_partial(part, offset)
    over(merger, 200)
    assert [numbers(one) for one in closed(merger, written)] == [(13, 7, 6, 0, True), (9, 9, 0, 0, False)]
    assert closed(merger, written) == []
    again = restored(written)
    over(again, 300)
    assert closed(again, written) == []
    assert again.on_partial(misfit(0, 7), 0) == []
    assert (again.version("flights", "1").reported_rows, again.version("flights", "1").late_rows) == (22, 0)


def test_a_window_announced_before_a_crash_says_the_same_when_it_is_repeated() -> None:
    merger, written = Merger(0, MergerConfig(minimum_rows=MINIMUM), by_digest()), Records()
    written += merger.on_partial(misfit(0, 7), 0)
    written += merger.on_partial(a_partial(0, 6, partition=1), 1)
    over(merger, 100)
    [first] = merger.due()
    written += merger.announce(first)
    [second] = restored(written).due()
    assert numbers(second) == numbers(first) == (13, 7, 6, 0, True)


def test_a_thin_window_of_such_parts_makes_no_later_one_large_enough() -> None:
    merger, written = Merger(0, MergerConfig(minimum_rows=MINIMUM), by_digest()), Records()
    parts = (misfit(0, 4), a_partial(0, 1, partition=1), a_partial(100, 3), a_partial(200, 1))
    for offset, part in enumerate(parts):
        written += merger.on_partial(part, offset)
    over(merger, 300)
    found = closed(merger, written)
    # by what they claim the first two would be enough; of a window that is not, the counts are its own
    assert [numbers(one) for one in found] == [(5, 4, 1, 0, False), (3, 0, 3, 1, False), (1, 0, 5, 2, True)]


def test_a_thin_window_of_nothing_but_such_parts_is_not_among_the_merged_ones() -> None:
    merger, written = Merger(0, MergerConfig(minimum_rows=MINIMUM), by_digest()), Records()
    for offset, part in enumerate((misfit(0, 4), a_partial(100, 6))):
        written += merger.on_partial(part, offset)
    over(merger, 200)
    assert [numbers(one) for one in closed(merger, written)] == [(4, 4, 0, 0, False), (6, 0, 6, 0, True)]
