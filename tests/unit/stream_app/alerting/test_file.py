"""The file sink on a real file: one line per alert, on the disk, whatever happens to the file meanwhile."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.alerts import DriftAlert, decode_alert, encode_alert
from stream_app.alerting.errors import Retry
from stream_app.alerting.file import FileSink
from tests.alerting import an_alert


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


def lines(path: Path) -> list[DriftAlert]:
    return [decode_alert(line) for line in path.read_bytes().splitlines()]


def deliver(sink: FileSink, *alerts: DriftAlert) -> None:
    for alert in alerts:
        asyncio.run(sink.deliver(alert, b"{\n" + encode_alert(alert)[1:]))


def close(sink: FileSink) -> None:
    asyncio.run(sink.close())


def test_each_alert_is_one_line_and_what_the_file_held_before_stays(path: Path) -> None:
    for numbers in ((1, 2), (3,)):
        sink = FileSink(path)
        deliver(sink, *(an_alert(number, summary="two\nlines") for number in numbers))
        close(sink)
    assert lines(path) == [an_alert(number, summary="two\nlines") for number in (1, 2, 3)]


def test_an_alert_that_comes_again_is_not_written_again_also_after_a_restart(path: Path) -> None:
    sink = FileSink(path)
    deliver(sink, an_alert(1), an_alert(1))
    close(sink)
    again = FileSink(path)
    deliver(again, an_alert(1), an_alert(2))
    close(again)
    assert lines(path) == [an_alert(1), an_alert(2)]


def test_a_sink_that_stood_by_knows_what_the_one_before_it_has_written(path: Path) -> None:
    first, spare = FileSink(path), FileSink(path)
    deliver(first, an_alert(1), an_alert(2))
    deliver(spare, an_alert(2), an_alert(3))
    deliver(first, an_alert(3), an_alert(4))
    close(first)
    close(spare)
    assert lines(path) == [an_alert(number) for number in (1, 2, 3, 4)]


def test_a_file_that_is_cut_off_is_written_from_its_new_end(path: Path) -> None:
    sink = FileSink(path)
    deliver(sink, an_alert(1))
    path.write_bytes(b"")
    deliver(sink, an_alert(2), an_alert(3))
    close(sink)
    assert lines(path) == [an_alert(2), an_alert(3)]


def test_what_is_no_regular_file_is_refused_at_the_start(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file"):
        FileSink(path)


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(path: Path) -> None:
    sink = FileSink(path)
    deliver(sink, an_alert(1))
    path.rename(path.with_suffix(".1"))
    deliver(sink, an_alert(2))
    path.unlink()
    deliver(sink, an_alert(3))
    close(sink)
    assert lines(path.with_suffix(".1")) == [an_alert(1)]
    assert lines(path) == [an_alert(3)]


def test_an_alert_that_a_rotation_took_away_is_still_known(path: Path) -> None:
    sink = FileSink(path)
    deliver(sink, an_alert(1))
    path.rename(path.with_suffix(".1"))
    deliver(sink, an_alert(1), an_alert(2))
    close(sink)
    assert lines(path) == [an_alert(2)]


def test_a_line_that_a_power_cut_tore_off_stays_alone_and_its_alert_is_written_anew(path: Path) -> None:
    torn = encode_alert(an_alert(1))[:50]
    path.write_bytes(torn)
    sink = FileSink(path)
    deliver(sink, an_alert(1))
    close(sink)
    assert path.read_bytes() == torn + b"\n" + encode_alert(an_alert(1)) + b"\n"


@pytest.fixture
def full_disk() -> Iterator[int]:
    """Files of this process can hold so many bytes: the kernel cuts the write that passes it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = len(encode_alert(an_alert(1))) + 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield size
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_that_does_not_fit_on_the_disk_leaves_nothing_behind_and_is_worth_another_attempt(
    path: Path, full_disk: int
) -> None:
    sink = FileSink(path)
    deliver(sink, an_alert(1))
    with pytest.raises(Retry, match=r"alerts\.jsonl cannot be written"):
        deliver(sink, an_alert(2))
    assert lines(path) == [an_alert(1)]
    path.unlink()  # room again
    deliver(sink, an_alert(2))
    close(sink)
    assert lines(path) == [an_alert(2)]


def test_a_folder_that_went_away_is_worth_another_attempt(tmp_path: Path) -> None:
    folder = tmp_path / "alerts"
    folder.mkdir()
    sink = FileSink(folder / "a.jsonl")
    (folder / "a.jsonl").unlink()
    folder.rmdir()
    with pytest.raises(Retry, match="No such file or directory"):
        deliver(sink, an_alert())
    folder.mkdir()
    deliver(sink, an_alert())
    close(sink)
    assert lines(folder / "a.jsonl") == [an_alert()]
