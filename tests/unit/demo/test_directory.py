"""One run at a time has the demo's directory, and finds it empty."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from demo.directory import claimed, fresh_directory, holder
from demo.errors import Busy, DemoError


def test_a_run_finds_its_directory_empty(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with fresh_directory(home):
        (home / "left over").write_text("x")
    with fresh_directory(home):
        assert list(home.iterdir()) == []


def test_a_second_run_is_told_that_the_directory_is_taken_and_touches_nothing(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with fresh_directory(home):
        (home / "mine").write_text("x")
        assert claimed(home)
        with pytest.raises(Busy, match="another run uses"), fresh_directory(home):
            pass
        assert (home / "mine").exists()
    assert not claimed(home)


def test_a_directory_says_which_process_has_it(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with fresh_directory(home):
        assert holder(home) == os.getpid()
    assert holder(home) is None
    assert holder(tmp_path / "never") is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DemoError, match="--directory"), fresh_directory(tmp_path / "file" / "demo"):
        pass
