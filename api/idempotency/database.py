"""Database: the SQLite file of the keys, which all processes of a host share. Everything here blocks.

Its process may be killed at any moment: what a transaction committed is the page cache's. (synchronous=NORMAL: a power
cut may take the latest keys, and leaves the file sound.)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.errors import IdempotencyAway

BUSY_SECONDS = 2.0
_VERSION = 1
_SCHEMA = """
create table if not exists keys (digest blob primary key, body blob, owner text, taken integer, answer blob);
create index if not exists keys_taken on keys (taken);
create index if not exists keys_open on keys (owner) where answer is null;
"""


class Database:
    """Opened when it is first needed, and again after a failed opening."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection; each statement by itself. Raises IdempotencyAway."""
        try:
            yield self._open()
        except (sqlite3.Error, OSError) as error:
            raise IdempotencyAway("Idempotency keys cannot be kept just now.") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises IdempotencyAway, and then nothing was done."""
        with self.reading() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise

    def used_bytes(self) -> int:
        """What the file holds, without the pages that are free. Raises IdempotencyAway."""
        with self.reading() as connection:
            pages, free, size = (
                connection.execute(f"pragma {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("pragma journal_mode = wal")
                connection.execute("pragma synchronous = normal")
                connection.execute(f"pragma journal_size_limit = {16 << 20}")
                self._check_version(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _check_version(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("pragma user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"it has format {version}, this version reads {_VERSION}")
        connection.executescript(f"begin immediate; {_SCHEMA} pragma user_version = {_VERSION}; commit")
