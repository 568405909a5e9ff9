"""Acknowledged segments are removed beside the event loop, and all of them before the outbox is let go."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import pytest

from api.outbox.removal import Removal
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
