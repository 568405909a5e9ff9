"""A registry in a SQLite file is asked again when somebody has committed something, and only then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.errors import RegistryAway
from api.models.registry import Registry
from api.models.unchanged import SqliteFile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A name that has to be quoted in an address."""
    file = tmp_path / "ml flow?.db"
    commit(file, "create table t (x)")
    return file


@pytest.fixture
def watched(file: Path) -> Iterator[SqliteFile]:
    watched = SqliteFile(file)
    yield watched
    watched.close()


def commit(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_the_stamp_stays_until_another_connection_commits(file: Path, watched: SqliteFile) -> None:
    before = watched.stamp()
    assert before is not None
    assert watched.stamp() == before
    commit(file, "insert into t values (1)")
    after = watched.stamp()
    assert after is not None
    assert after != before
    assert watched.stamp() == after


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_what_is_not_committed_yet_changes_nothing(file: Path, mode: str) -> None:
    with closing(sqlite3.connect(file)) as writer, closing(SqliteFile(file)) as watched:
        writer.execute(f"pragma journal_mode = {mode}")
        before = watched.stamp()
        writer.execute("insert into t values (1)")
        assert watched.stamp() == before
        writer.commit()
        assert watched.stamp() != before


def test_another_file_in_its_place_has_another_stamp(file: Path, watched: SqliteFile) -> None:
    before = watched.stamp()
    other = file.with_name("restored.db")
    other.write_bytes(file.read_bytes())
    other.replace(file)
    assert watched.stamp() not in (before, None)


def test_a_stamp_of_one_connection_is_none_of_another(file: Path, watched: SqliteFile) -> None:
    before = watched.stamp()
    watched.close()
    commit(file, "insert into t values (1)")
    assert watched.stamp() not in (before, None)


def test_there_is_none_while_a_writer_keeps_everybody_out_or_without_a_database(file: Path) -> None:
    with closing(SqliteFile(file)) as watched, closing(sqlite3.connect(file)) as writer:
        writer.execute("begin exclusive")
        assert watched.stamp() is None
        writer.rollback()
        assert watched.stamp() is not None
        file.write_bytes(b"not a database" * 100)
        assert watched.stamp() is None
        file.unlink()
        assert watched.stamp() is None


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    """Behind a question mark an address has parameters."""
    file = tmp_path / "mlflow.db"
    commit(file, "create table t (x)")
    return file


class Asked(Registry):
    """Its questions to MLflow are counted, and answered with the newest row of the file."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"sqlite:///{file}?timeout=3", "flights", "champion")
        self.database = file
        self.questions = 0

    def _connection(self) -> Any:
        return self

    def get_registered_model(self, name: str) -> Any:
        self.questions += 1
        with closing(sqlite3.connect(self.database)) as connection:
            (version,) = connection.execute("select max(x) from t").fetchone()
        return SimpleNamespace(aliases={"champion": version}, tags={})


def test_the_poll_asks_mlflow_only_after_a_change(registered: Path) -> None:
    registry = Asked(registered)
    commit(registered, "insert into t values (1)")
    assert [registry.pointers().champion for _ in range(5)] == ["1"] * 5
    assert registry.questions == 1
    commit(registered, "insert into t values (2)")
    assert [registry.pointers().champion for _ in range(5)] == ["2"] * 5
    assert registry.questions == 2


def test_what_is_committed_while_mlflow_is_asked_is_seen_the_next_time(registered: Path) -> None:
    class Overtaken(Asked):
        def get_registered_model(self, name: str) -> Any:
            found = super().get_registered_model(name)
            if self.questions == 1:
                commit(registered, "insert into t values (2)")
            return found

    commit(registered, "insert into t values (1)")
    registry = Overtaken(registered)
    assert [registry.pointers().champion for _ in range(3)] == ["1", "2", "2"]


def test_a_question_that_failed_is_asked_again(registered: Path) -> None:
    class Failing(Asked):
        def get_registered_model(self, name: str) -> Any:
            self.questions += 1
            raise OSError("database is locked")

    registry = Failing(registered)
    for _ in range(3):
        with pytest.raises(RegistryAway, match="database is locked"):
            registry.pointers()
    assert registry.questions == 3
