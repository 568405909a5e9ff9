"""Whether a registry in a SQLite file is as it was when it was asked last, without asking MLflow.

Each question to MLflow takes 6 to 13 ms of processor time through SQLAlchemy, in a thread that shares the interpreter's
lock with the event loop; the poll asks every other second, and hardly ever has anything changed. SQLite itself says
that in 8 us.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote


class Stamp(NamedTuple):
    """Of a file. Two that are equal: nobody else has committed anything in between. device, inode: another file may
    have come into its place. data_version: SQLite's; it can be compared within one connection only, hence its number.
    """

    device: int
    inode: int
    connection: int
    data_version: int


class SqliteFile:
    """For one thread at a time; the file is opened for reading only, and no lock on it is held between the calls."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._connections = 0

    def stamp(self) -> Stamp | None:
        """To be taken before the registry is asked, so that what is committed meanwhile is seen the next time. None:
        it cannot be said, as while somebody writes.
        """
        try:
            status = self._file.stat()
            opened = status.st_dev, status.st_ino
            if self._connection is None or self._opened != opened:
                self.close()
                self._connections += 1
                self._connection = sqlite3.connect(
                    f"file:{quote(str(self._file))}?mode=ro", uri=True, timeout=0, check_same_thread=False
                )
                self._opened = opened
            with closing(self._connection.execute("PRAGMA data_version")) as found:
                return Stamp(*opened, self._connections, int(found.fetchone()[0]))
        except (OSError, sqlite3.Error):  # whoever asks the registry itself hears what is wrong, in better words
            self.close()
            return None

    def close(self) -> None:
        """Let go of the file; the next call opens it anew."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._opened = None
