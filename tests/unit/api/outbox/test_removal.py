"""Acknowledged segments are removed beside the event loop, and all of them before the outbox is let go."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import pytest

from api.outbox.removal import Removal
from api.outbox.slots import abandoned, claim
from api.outbox.sources import Source, Sources
from api.telemetry import Telemetry
from tests.builders import NOON_MS
from tests.serving import a_group, an_outbox, drain
from tests.unit.api.outbox.failing_disk import disk_that_does_not_sync


def test_reading_on_does_not_wait_for_a_removal_and_closing_does(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=1, removal=Removal())  # a file for each group
    for n in range(5):
        outbox.append(a_group(n))
    go, unlink = threading.Event(), Path.unlink

    def slowly(file: Path, missing_ok: bool = False) -> None:
        assert go.wait(10)
        unlink(file, missing_ok=missing_ok)

    with mock.patch.object(Path, "unlink", slowly):
        assert drain(outbox) == [str(n) for n in range(5)]
        assert outbox.backlog.pending_bytes == 0
        assert len(list(tmp_path.glob("*.log"))) == 5
        go.set()
        outbox.close()

    assert len(list(tmp_path.glob("*.log"))) == 1
    assert drain(an_outbox(tmp_path, NOON_MS + 1)) == []


def test_a_process_that_ended_before_a_removal_leaves_nothing_to_send(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=1, removal=mock.create_autospec(Removal, instance=True))
    for n in range(5):
        outbox.append(a_group(n))
    drain(outbox)
    assert len(list(tmp_path.glob("*.log"))) == 5

    after = an_outbox(tmp_path, NOON_MS + 1)

    assert drain(after) == []
    assert list(tmp_path.glob("*.log")) == []


def drained(sources: Sources) -> None:
    while sources.waiting():
        for source, slice_ in sources.slices():
            if slice_ is None:
                sources.emptied(source)
            else:
                source.backlog.ack(slice_)


def with_a_dead_neighbour(root: Path) -> Sources:
    """Its slot, 01, holds five files."""
    own, dead = claim(root), claim(root)
    outbox = an_outbox(dead.directory, segment_bytes=1)
    for n in range(5):
        outbox.append(a_group(n))
    outbox.close()
    dead.release()
    return Sources(Source(own, an_outbox(own.directory).backlog), root, Telemetry(), lambda _: None)


def test_files_of_an_adopted_outbox_go_beside_the_event_loop_and_its_slot_is_free_after_them(tmp_path: Path):
    sources = with_a_dead_neighbour(tmp_path)
    go, unlink = threading.Event(), Path.unlink

    def slowly(file: Path, missing_ok: bool = False) -> None:
        assert go.wait(10)
        unlink(file, missing_ok=missing_ok)

    with mock.patch.object(Path, "unlink", slowly):
        sources.adopt()
        drained(sources)
        assert len(list(tmp_path.glob("01/*.log"))) == 5
        assert list(abandoned(tmp_path)) == []  # its lock is ours still
        go.set()
        sources.close()

    assert list(tmp_path.glob("01/*.log")) == []
    assert claim(tmp_path).name == "01"


def test_an_adopted_outbox_whose_files_cannot_be_removed_is_not_adopted_for_ever(tmp_path: Path):
    sources = with_a_dead_neighbour(tmp_path)
    with mock.patch.object(Path, "unlink", side_effect=PermissionError(1, "Operation not permitted")):
        sources.adopt()
        drained(sources)
        sources.close()

    sources.adopt()

    assert not sources.waiting()
    assert sources.trouble == "slot 01 has files that cannot be removed"


def test_what_cannot_be_removed_is_said_and_hinders_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    outbox = an_outbox(tmp_path, segment_bytes=1, removal=Removal())
    for n in range(3):
        outbox.append(a_group(n))

    with mock.patch.object(Path, "unlink", side_effect=PermissionError(1, "Operation not permitted")):
        assert drain(outbox) == ["0", "1", "2"]
        outbox.close()

    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "is acknowledged and cannot be removed: Operation not permitted" in caplog.text


def test_an_end_whose_sync_fails_waits_for_removals_too(tmp_path: Path):
    outbox = an_outbox(tmp_path, segment_bytes=1, removal=Removal())
    for n in range(3):
        outbox.append(a_group(n))
    drain(outbox)

    with disk_that_does_not_sync(), pytest.raises(OSError, match="Input/output error"):
        outbox.close()

    assert len(list(tmp_path.glob("*.log"))) == 1
