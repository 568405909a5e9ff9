"""The shelf: what was put down is there after a crash, and one process alone is at it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import NOON
from training.errors import TrainingError
from training.retraining.shelf import Outcome, Shelf, Work


def a_work(**changes: Any) -> Work:
    fields: dict[str, Any] = {
        "id": "flights-1-x",
        "model": "flights",
        "champion": "1",
        "trigger": "drift",
        "reason": "the season",
        "heard": NOON,
    }
    return Work(**{**fields, **changes})


def put(shelf: Shelf, work: Work) -> None:
    with shelf.held(work.id) as mine:
        assert mine
        shelf.put(work)


def test_what_was_put_down_last_is_what_is_read(tmp_path: Path) -> None:
    work = a_work(version="7", gated=True, step="gate", attempts=2)
    put(Shelf(tmp_path), a_work())
    put(Shelf(tmp_path), work)
    assert Shelf(tmp_path).read(work.id) == work


def test_what_is_taken_up_is_what_is_there_and_not_what_was_decided_again(tmp_path: Path) -> None:
    shelf, done = Shelf(tmp_path), a_work(version="7")
    with shelf.held(done.id):
        assert shelf.taken_up(a_work()) == a_work()
        shelf.put(done)
        assert shelf.taken_up(a_work()) == done
        shelf.finish(done)
        assert shelf.taken_up(a_work()) is None
    assert shelf.unfinished("flights") == []


def test_while_one_holds_it_nobody_else_does(tmp_path: Path) -> None:
    one, other = Shelf(tmp_path), Shelf(tmp_path)
    with one.held("a") as mine, other.held("a") as theirs, other.held("b") as another:
        assert (mine, theirs, another) == (True, False, True)
    with other.held("a") as theirs:
        assert theirs


def test_unfinished_are_the_models_own_oldest_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "not there yet")
    assert shelf.unfinished("flights") == []
    for id_, model, hours in (("a", "flights", 2), ("b", "flights", 1), ("c", "other", 0)):
        put(shelf, a_work(id=id_, model=model, heard=NOON + timedelta(hours=hours)))
    ended = a_work(id="d", outcome=Outcome("promoted", "fine"))
    put(shelf, ended)
    shelf.finish(ended)
    assert [work.id for work in shelf.unfinished("flights")] == ["b", "a"]


def test_a_file_that_cannot_be_read_is_named_with_the_fix(tmp_path: Path) -> None:
    put(Shelf(tmp_path), a_work())
    (tmp_path / "flights-1-x" / "work.json").write_text("{")
    with pytest.raises(TrainingError, match=r"work\.json: .*mend it, or remove the folder"):
        Shelf(tmp_path).unfinished("flights")


def test_a_folder_that_cannot_be_written_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shelf = Shelf(tmp_path / "file")
    with pytest.raises(TrainingError, match="make room, or set TRAINING_WORK"), shelf.held("a"):
        pass


def test_a_file_of_an_older_release_is_read(tmp_path: Path) -> None:
    put(Shelf(tmp_path), a_work())
    file = tmp_path / "flights-1-x" / "work.json"
    file.write_text(file.read_text().replace(',"step":"","attempts":0', ""))
    assert "attempts" not in file.read_text()
    assert Shelf(tmp_path).read("flights-1-x") == replace(a_work(), attempts=0)
