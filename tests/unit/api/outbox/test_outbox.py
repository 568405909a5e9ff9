import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import OutboxClosed, OutboxUnusable
from api.outbox.segments import FILE_HEADER, frame
from tests.builders import NOON_MS
from tests.serving import a_group, an_outbox, drain, ids_in


@contextmanager
def disk_that_ends_at(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes meanwhile: the write that tries is cut short, then refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def damage(file: Path, at: int, size: int, change: Callable[[int], int]) -> None:
    data = bytearray(file.read_bytes())
    data[at : at + size] = bytes(map(change, data[at : at + size]))
    file.write_bytes(data)


def test_groups_come_out_in_the_order_they_went_in(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1, 2))
    outbox.append(a_group(3))

    assert drain(outbox) == ["1", "2", "3"]
    assert outbox.backlog.pending_bytes == 0


def test_what_is_not_acknowledged_is_read_again(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1))

    assert outbox.backlog.read() == outbox.backlog.read()


def test_the_next_process_goes_on_where_kafka_acknowledged(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=100)
    for n in range(10):
        outbox.append(a_group(n))
    slice_ = outbox.backlog.read()
    outbox.backlog.ack(slice_)

    after = an_outbox(tmp_path, NOON_MS + 1)  # the first was killed: it closed nothing
    after.append(a_group(10))

    assert ids_in(slice_.groups) + drain(after) == [str(n) for n in range(11)]


def test_a_lost_position_repeats_events_and_loses_none(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1, 2))
    drain(outbox)
    (tmp_path / "acked").write_bytes(b"\x00\x17")

    assert drain(an_outbox(tmp_path, NOON_MS + 1)) == ["1", "2"]


@given(bit=st.integers(0, 64 * 8 - 1))
def test_a_damaged_position_repeats_events_and_loses_none(bit: int):
    """A name that sorts later would have files removed that Kafka never saw."""
    with tempfile.TemporaryDirectory() as folder:
        outbox = an_outbox(Path(folder), segment_bytes=1)  # a file for each group
        for n in (1, 2, 3):
            outbox.append(a_group(n))
        slice_ = outbox.backlog.read()
        outbox.backlog.ack(slice_)
        outbox.close()
        damage(Path(folder, "acked"), bit // 8, 1, lambda byte: byte ^ 1 << bit % 8)

        assert drain(an_outbox(Path(folder), NOON_MS + 1))[-2:] == ["2", "3"]


@pytest.mark.parametrize("keep", [1, 4, 7, 8, 9, 30])
def test_a_torn_tail_is_skipped_and_counted(tmp_path: Path, keep: int):
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1))
    (live,) = tmp_path.glob("*.log")
    with live.open("ab") as stream:  # a group that was cut off by a crash
        stream.write(frame(a_group(2))[:keep])
    torn: list[int] = []

    after = an_outbox(tmp_path, NOON_MS + 1, torn=torn)
    after.append(a_group(3))

    assert drain(after) == ["1", "3"]
    assert torn == [keep]
    assert after.backlog.pending_bytes == 0


def test_a_file_without_a_whole_header_is_torn_too(tmp_path: Path):
    (tmp_path / f"{NOON_MS:012x}-000000.log").write_bytes(b"TMO")
    torn: list[int] = []

    after = an_outbox(tmp_path, NOON_MS + 1, torn=torn)
    after.append(a_group(1))

    assert drain(after) == ["1"]
    assert torn == [3]


def test_a_full_segment_is_followed_by_a_new_one_and_deleted_when_it_is_acknowledged(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=200)
    for n in range(20):
        outbox.append(a_group(n))
    assert len(list(tmp_path.glob("*.log"))) > 5

    assert drain(outbox) == [str(n) for n in range(20)]
    assert len(list(tmp_path.glob("*.log"))) == 1


def test_a_group_larger_than_one_read_comes_out_whole(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1, 2, size=300_000))
    outbox.append(a_group(3))

    assert drain(outbox) == ["1", "2", "3"]


def test_files_acknowledged_by_an_earlier_process_are_removed(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=1)  # a file for each group
    for n in (1, 2):
        outbox.append(a_group(n))
    first = min(tmp_path.glob("*.log"))
    removed = first.read_bytes()
    drain(outbox)
    outbox.append(a_group(3))
    first.write_bytes(removed)  # the removal did not reach the disk, the position did

    after = an_outbox(tmp_path, NOON_MS + 1)

    assert not first.exists()
    assert drain(after) == ["3"]


def test_at_its_bound_the_outbox_refuses_and_keeps_what_it_has(tmp_path: Path):
    outbox = an_outbox(tmp_path, max_bytes=2 * len(frame(a_group(1))))
    outbox.append(a_group(1))
    outbox.append(a_group(2))

    with pytest.raises(OutboxClosed, match="full"):
        outbox.append(a_group(3))

    assert not outbox.accepts()
    assert drain(outbox) == ["1", "2"]


def test_the_outbox_takes_events_again_once_kafka_took_some(tmp_path: Path):
    outbox = an_outbox(tmp_path, max_bytes=2 * len(frame(a_group(1))))
    for n in (1, 2):
        outbox.append(a_group(n))
    with pytest.raises(OutboxClosed):
        outbox.append(a_group(3))

    drain(outbox)
    outbox.append(a_group(4))

    assert outbox.accepts()
    assert drain(outbox) == ["4"]


def test_an_outbox_with_room_for_less_than_it_was_asked_for_is_still_full(tmp_path: Path):
    outbox = an_outbox(tmp_path, max_bytes=3 * len(frame(a_group(1))))
    outbox.append(a_group(1))
    with pytest.raises(OutboxClosed):
        outbox.append(a_group(2, size=1000))
    assert not outbox.accepts()

    outbox.append(a_group(3))

    assert outbox.accepts()


def test_on_a_full_disk_the_outbox_refuses_and_nothing_of_the_group_is_ever_sent(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1))
    (live,) = tmp_path.glob("*.log")

    with disk_that_ends_at(live.stat().st_size + 5), pytest.raises(OutboxClosed, match="cannot be written"):
        outbox.append(a_group(2))
    assert not live.read_bytes().endswith(frame(a_group(2))[:5])
    outbox.append(a_group(3))

    assert drain(outbox) == ["1", "3"]


def test_room_on_the_disk_is_noticed_without_traffic(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1))
    (live,) = tmp_path.glob("*.log")
    with disk_that_ends_at(live.stat().st_size + 5):
        with pytest.raises(OutboxClosed):
            outbox.append(a_group(2))
        assert not outbox.accepts()

    assert outbox.accepts()
    assert drain(outbox) == ["1"]


def test_room_for_less_than_was_refused_is_no_room(tmp_path: Path):
    """Otherwise /health/ready says that all is well between two refusals."""
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1))
    (live,) = tmp_path.glob("*.log")

    with disk_that_ends_at(live.stat().st_size + 5_000):
        with pytest.raises(OutboxClosed):
            outbox.append(a_group(2, size=9_000))
        assert not outbox.accepts()

        outbox.append(a_group(3))

        assert outbox.accepts()
    assert drain(outbox) == ["1", "3"]


def test_a_live_segment_that_is_acknowledged_makes_room_on_a_full_disk(tmp_path: Path):
    """It may be what fills the disk: nobody else would ever remove it."""
    outbox = an_outbox(tmp_path)
    outbox.append(a_group(1, size=5_000))
    with disk_that_ends_at(5_200):
        with pytest.raises(OutboxClosed):
            outbox.append(a_group(2, size=5_000))
        assert not outbox.accepts()
        assert drain(outbox) == ["1"]

        outbox.append(a_group(3, size=5_000))

    assert drain(outbox) == ["3"]
    assert len(list(tmp_path.glob("*.log"))) == 1


def test_a_disk_full_at_the_start_of_a_segment_leaves_no_file_behind(tmp_path: Path):
    outbox = an_outbox(tmp_path)

    with disk_that_ends_at(2), pytest.raises(OutboxClosed):
        outbox.append(a_group(1))
    outbox.append(a_group(2))

    assert len(list(tmp_path.glob("*.log"))) == 1
    assert drain(outbox) == ["2"]


def test_a_file_of_a_later_format_stops_the_start_and_stays(tmp_path: Path):
    file = tmp_path / f"{NOON_MS:012x}-000000.log"
    file.write_bytes(FILE_HEADER.pack(b"TMOB", 2, 0) + b"something else")

    with pytest.raises(OutboxUnusable, match="format 2, this version reads 1: start the version that wrote it"):
        an_outbox(tmp_path, NOON_MS + 1)

    assert file.exists()


def test_sync_covers_full_segments_and_the_live_one(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=100)
    for n in range(5):
        outbox.append(a_group(n))
    before = len(os.listdir("/proc/self/fd"))

    outbox.sync()
    outbox.sync()

    assert len(os.listdir("/proc/self/fd")) < before  # full segments are closed once they are safe
    outbox.close()
    assert drain(an_outbox(tmp_path, NOON_MS + 1)) == [str(n) for n in range(5)]
