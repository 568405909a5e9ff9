"""No event without an answer where each group is synced; and what is durable after a sync that failed."""

import asyncio
import os
import threading
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest

from api.errors import OutboxClosed
from api.outbox.log import Outbox
from api.outbox.segments import frame
from api.outbox.settler import Settler
from tests.builders import NOON_MS
from tests.serving import a_group, an_outbox, drain
from tests.unit.api.outbox.failing_disk import disk_that_does_not_sync


class Held:
    """fdatasync waits, and then fails or does its work."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.fails = True
        self._fdatasync = os.fdatasync

    def __call__(self, descriptor: int) -> None:
        self.begun.set()
        assert self.go.wait(10)
        if self.fails:
            raise OSError(5, os.strerror(5))
        self._fdatasync(descriptor)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 10)


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.glob("*.log*"))


async def test_a_group_is_no_event_before_it_is_settled(tmp_path: Path):
    outbox, told = an_outbox(tmp_path, each_group=True), []
    settling = Settler(outbox)

    outbox.append(a_group(1), lambda: told.append(1))
    assert drain(outbox) == []
    assert told == []
    await settling.settle()

    assert told == [1]
    assert drain(outbox) == ["1"]


async def test_without_settling_a_group_is_an_event_at_once(tmp_path: Path):
    outbox, told = an_outbox(tmp_path), []

    outbox.append(a_group(1), lambda: told.append(1))

    assert told == [1]
    assert drain(outbox) == ["1"]


async def test_a_group_that_could_not_be_settled_is_no_event_and_not_one_after_a_restart(tmp_path: Path):
    outbox, told = an_outbox(tmp_path, each_group=True), []
    settling = Settler(outbox)
    outbox.append(a_group(1))
    await settling.settle()
    outbox.append(a_group(2), lambda: told.append(2))

    with disk_that_does_not_sync(), pytest.raises(OutboxClosed):
        await settling.settle()

    assert told == []
    assert drain(outbox) == ["1"]
    (tmp_path / "acked").unlink()
    assert drain(an_outbox(tmp_path, NOON_MS + 1)) == ["1"]  # as after a SIGKILL: nothing was closed


async def test_what_was_appended_while_a_sync_ran_that_failed_is_taken_back_and_told_so(tmp_path: Path):
    outbox, held = an_outbox(tmp_path, each_group=True, segment_bytes=200), Held()
    settling = Settler(outbox)
    outbox.append(a_group(1))
    await settling.settle()

    with mock.patch("os.fdatasync", held):
        outbox.append(a_group(2))
        first = settling.settle()
        await held.reached()
        outbox.append(a_group(3))
        outbox.append(a_group(4, size=300))  # in a segment of its own
        second = settling.settle()
        held.go.set()
        for future in (first, second):
            with pytest.raises(OutboxClosed):
                await future

    await settling.settle()
    outbox.append(a_group(5))
    await settling.settle()
    assert drain(outbox) == ["1", "5"]
    (tmp_path / "acked").unlink()
    outbox.append(a_group(6))
    await settling.settle()
    assert set(drain(an_outbox(tmp_path, NOON_MS + 1))) <= {"1", "5", "6"}


async def test_what_was_appended_while_a_sync_ran_is_settled_by_the_next_one(tmp_path: Path):
    outbox, held = an_outbox(tmp_path, each_group=True), Held()
    settling, held.fails = Settler(outbox), False

    with mock.patch("os.fdatasync", held):
        outbox.append(a_group(1))
        first = settling.settle()
        await held.reached()
        outbox.append(a_group(2))
        second = settling.settle()
        held.go.set()
        await first
        assert not second.done()
        assert drain(outbox) == ["1"]
        await second

    assert drain(outbox) == ["2"]


async def test_while_a_sync_fails_no_group_is_taken_and_after_one_that_works_they_are_again(tmp_path: Path):
    outbox = an_outbox(tmp_path, each_group=True)
    settling = Settler(outbox)
    outbox.append(a_group(1))
    with disk_that_does_not_sync():
        for _ in range(2):
            with pytest.raises(OutboxClosed):
                await settling.settle()
        with pytest.raises(OutboxClosed):
            outbox.append(a_group(2))
        assert not outbox.accepts()
        assert "Input/output error" in outbox.trouble

    await settling.settle()

    assert outbox.accepts()
    assert outbox.trouble == ""
    outbox.append(a_group(3))
    await settling.settle()
    assert drain(outbox) == ["3"]
    assert len(names(tmp_path)) == 1


async def test_groups_that_are_not_settled_count_for_the_bound(tmp_path: Path):
    outbox = an_outbox(tmp_path, each_group=True, max_bytes=250)

    size = len(frame(a_group(1)))
    for n in range(250 // size):
        outbox.append(a_group(n))
    with pytest.raises(OutboxClosed, match="full"):
        outbox.append(a_group(9))

    await Settler(outbox).settle()
    assert 0 < outbox.backlog.pending_bytes <= 250


def written_since(directory: Path, inodes: dict[str, int]) -> set[str]:
    """Files whose bytes lie in other places than before."""
    return {name for name, inode in inodes.items() if (directory / name).stat().st_ino != inode}


async def test_after_a_failed_sync_its_file_is_written_anew_before_all_is_well(tmp_path: Path):
    """A second fdatasync proves nothing: the kernel may have taken the pages for clean at the first."""
    outbox = an_outbox(tmp_path)
    settling = Settler(outbox)
    outbox.append(a_group(1))
    with disk_that_does_not_sync(), pytest.raises(OutboxClosed):
        await settling.settle()
    inodes = {name: (tmp_path / name).stat().st_ino for name in names(tmp_path)}
    outbox.append(a_group(2))  # in the meantime answers go on
    assert outbox.trouble == "cannot be made durable: Input/output error"

    await settling.settle()

    assert outbox.trouble == ""
    assert written_since(tmp_path, inodes) == set(inodes)
    outbox.append(a_group(3))
    assert len(names(tmp_path)) == 2  # the one that failed takes no more
    assert drain(outbox) == ["1", "2", "3"]


async def test_a_full_segment_that_could_not_be_synced_is_not_forgotten(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=1)  # a file for each group
    settling = Settler(outbox)
    for n in (1, 2, 3):
        outbox.append(a_group(n))
    inodes = {name: (tmp_path / name).stat().st_ino for name in names(tmp_path)}
    with disk_that_does_not_sync():
        for _ in range(2):
            with pytest.raises(OutboxClosed):
                await settling.settle()

    await settling.settle()

    assert written_since(tmp_path, inodes) == set(names(tmp_path)[:2])
    assert outbox.trouble == ""
    assert drain(outbox) == ["1", "2", "3"]


async def test_a_file_that_kafka_has_taken_meanwhile_does_not_come_back(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    settling = Settler(outbox)
    outbox.append(a_group(1))
    with disk_that_does_not_sync(), pytest.raises(OutboxClosed):
        await settling.settle()
    outbox.before_sync()
    failed = names(tmp_path)[0]
    rewriting, go = threading.Event(), threading.Event()
    read_bytes = Path.read_bytes

    def slowly(file: Path) -> bytes:
        data = read_bytes(file)
        if file.name == failed:
            rewriting.set()
            assert go.wait(10)
        return data

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Path, "read_bytes", slowly))
        future = settling.settle()
        assert await asyncio.to_thread(rewriting.wait, 10)
        assert drain(outbox) == ["1"]
        go.set()
        await future

    assert failed not in names(tmp_path)


async def test_a_lasting_failure_makes_no_heap_of_files(tmp_path: Path):
    outbox = an_outbox(tmp_path)
    settling = Settler(outbox)
    with disk_that_does_not_sync():
        for n in range(10):
            outbox.append(a_group(n))
            with pytest.raises(OutboxClosed):
                await settling.settle()

    assert len(names(tmp_path)) <= 2
    await settling.settle()
    assert drain(outbox) == [str(n) for n in range(10)]


def test_an_end_whose_sync_fails_leaves_only_settled_groups(tmp_path: Path):
    outbox: Outbox = an_outbox(tmp_path, each_group=True)
    outbox.append(a_group(1))

    with disk_that_does_not_sync(), pytest.raises(OSError, match="Input/output"):
        outbox.close()

    assert drain(an_outbox(tmp_path, NOON_MS + 1)) == []
