"""Order within a key, independence between keys, and the offset that may be committed."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.alerting.lanes import Lanes
from stream_app.alerting.progress import Progress, read_beyond
from tests.fakes import FakeRecord
from tests.waiting import eventually


class Gates:
    """A handler whose records end when the test opens their gate."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.open: dict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def handle(self, record: FakeRecord, stopping: asyncio.Event) -> bool:
        self.begun.append(record.offset)
        await self.open[record.offset].wait()
        return True


def record(offset: int, key: bytes | None = b"flights") -> FakeRecord:
    return FakeRecord(offset, b"", key, timestamp=1000 + offset)


async def test_records_of_one_key_go_one_after_the_other() -> None:
    gates = Gates()
    lanes: Lanes[FakeRecord] = Lanes(gates.handle)
    for offset in range(3):
        lanes.add(record(offset))
    for offset in range(3):
        await eventually(lambda n=offset: gates.begun == list(range(n + 1)), 1, "one more record")
        assert lanes.position == offset
        gates.open[offset].set()
    await eventually(lambda: lanes.position == 3, 1, "all finished")


async def test_a_key_that_hangs_holds_up_no_other_key() -> None:
    gates = Gates()
    lanes: Lanes[FakeRecord] = Lanes(gates.handle)
    lanes.add(record(0, b"flights"))
    lanes.add(record(1, b"payments"))
    lanes.add(record(2, None))
    gates.open[1].set()
    gates.open[2].set()
    await eventually(lambda: lanes.in_hand == 1, 1, "the others to finish")
    assert lanes.position == 0  # the offset stays behind the one that hangs
    assert lanes.oldest == 1000
    gates.open[0].set()
    await eventually(lambda: lanes.position == 3, 1, "all finished")
    assert lanes.oldest is None


async def test_stopping_ends_what_is_under_way_and_begins_nothing() -> None:
    gates = Gates()
    lanes: Lanes[FakeRecord] = Lanes(gates.handle)
    lanes.add(record(0))
    lanes.add(record(1))
    await eventually(lambda: gates.begun == [0], 1, "the first record")
    stopped = asyncio.ensure_future(lanes.stop())
    await asyncio.sleep(0)
    assert not stopped.done()
    gates.open[0].set()
    await asyncio.wait_for(stopped, 1)
    assert (gates.begun, lanes.position) == ([0], 1)
    lanes.add(record(2))
    assert lanes.position == 1


async def test_a_record_that_is_left_keeps_its_offset() -> None:
    async def left(record: FakeRecord, stopping: asyncio.Event) -> bool:
        return False

    lanes: Lanes[FakeRecord] = Lanes(left)
    lanes.add(record(7))
    await lanes.stop()
    assert lanes.position == 7


async def test_a_fault_of_the_handler_reaches_the_reader() -> None:
    async def faulty(record: FakeRecord, stopping: asyncio.Event) -> bool:
        begun.set()
        raise ZeroDivisionError

    begun = asyncio.Event()
    lanes: Lanes[FakeRecord] = Lanes(faulty)
    lanes.add(record(0))
    await asyncio.wait_for(begun.wait(), 1)
    await lanes.stop()
    with pytest.raises(ZeroDivisionError):
        _ = lanes.position


async def test_a_record_that_is_read_twice_is_handled_once() -> None:
    gates = Gates()
    lanes: Lanes[FakeRecord] = Lanes(gates.handle)
    for offset in (3, 4, 3, 4):
        lanes.add(record(offset))
        gates.open[offset].set()
    await eventually(lambda: lanes.position == 5, 1, "all finished")
    assert gates.begun == [3, 4]


@given(st.sets(st.integers(0, 1000), max_size=30), st.randoms())
def test_the_position_never_passes_an_unfinished_offset_and_ends_behind_the_last(offsets: set[int], random) -> None:
    progress = Progress()
    assert progress.position is None
    for offset in sorted(offsets):  # with gaps, as compaction and transactions leave them
        assert progress.took(offset)
    left = sorted(offsets)
    random.shuffle(left)
    while left:
        assert progress.position == min(left)
        progress.finished(left.pop())
    assert progress.position == (max(offsets) + 1 if offsets else None)


@given(st.lists(st.booleans(), max_size=40))
def test_whoever_goes_on_handles_exactly_what_was_not_finished(finished: list[bool]) -> None:
    before = Progress()
    for offset, done in enumerate(finished):
        assert before.took(offset)
        if done:
            before.finished(offset)
    after = Progress(read_beyond(before.beyond))
    position = before.position or 0
    taken = [offset for offset in range(position, len(finished)) if after.took(offset)]
    assert taken == [offset for offset, done in enumerate(finished) if not done]
    for offset in taken:
        after.finished(offset)
    assert (after.position or position, after.beyond) == (len(finished), "")


def test_what_is_finished_beyond_the_position_fits_into_a_commit_however_much_it_is() -> None:
    progress = Progress()
    for offset in range(10_000):
        progress.took(offset)
        if offset % 2:
            progress.finished(offset)
    assert len(progress.beyond) <= 4_096
    assert read_beyond(progress.beyond) <= set(range(1, 10_000, 2))
    assert len(read_beyond(progress.beyond)) > 500


@pytest.mark.parametrize("text", ["", "a", "1-b", "-", "7-", "1,,x", "²"])
def test_metadata_that_somebody_else_wrote_says_nothing(text: str) -> None:
    assert read_beyond(text) <= {7}
