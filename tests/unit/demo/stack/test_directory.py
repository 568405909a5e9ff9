import threading
from pathlib import Path

import pytest

from demo.stack.directory import DataDirectory, check_space
from demo.stack.errors import DirectoryInUse, DirectoryUnusable, DiskFull


def test_a_directory_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path / "data"), DataDirectory(tmp_path / "data")
    first.claim()
    with pytest.raises(DirectoryInUse, match=r"process \d+\) runs in .*data"):
        second.claim()
    first.release()
    second.claim()
    second.release()


def test_a_claim_that_is_given_up_soon_is_worth_waiting_for(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    first.claim()
    threading.Timer(0.1, first.release).start()
    second.claim(patience=10)
    second.release()


def test_claiming_twice_is_claiming_once(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    assert directory.claim() == directory.claim()
    directory.release()
    other = DataDirectory(tmp_path)
    other.claim()
    other.release()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DirectoryUnusable, match="file/data"):
        DataDirectory(tmp_path / "file" / "data").claim()


def test_too_little_space_is_said_with_both_numbers_and_the_place(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match=rf"only \d+ MB are free at {tmp_path}, 1000000000000 MB are needed"):
        check_space(tmp_path, 10**18)


def test_the_port_is_remembered(tmp_path: Path) -> None:
    DataDirectory(tmp_path).save_port(23_456)
    assert DataDirectory(tmp_path).saved_port() == 23_456


@pytest.mark.parametrize("text", ["", "many", "0", "70000", "-5", "23456 23457"])
def test_a_damaged_memory_of_the_port_is_no_memory(tmp_path: Path, text: str) -> None:
    (tmp_path / "port").write_text(text)
    assert DataDirectory(tmp_path).saved_port() is None
