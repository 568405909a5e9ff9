"""Store: the keys and their answers in one SQLite file, which all processes of a host share. Everything here blocks.

Its process may be killed at any moment: what a transaction committed is the page cache's. (synchronous=NORMAL: a power
cut may take the latest keys, and leaves the file sound.)
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from api.errors import IdempotencyAway

BUSY_SECONDS = 2.0
PURGE_EVERY = 256
_PURGE_ROWS = 500
_VERSION = 1
_SCHEMA = """
create table if not exists keys (digest blob primary key, body blob, owner text, taken integer, answer blob);
create index if not exists keys_taken on keys (taken);
create index if not exists keys_open on keys (owner) where answer is null;
"""


class Take(NamedTuple):
    """Take a key for a body. now: milliseconds since the epoch."""

    digest: bytes
    body: bytes
    now: int


class Finish(NamedTuple):
    """What the request of a taken key was answered. owner: only where the key is this one's."""

    digest: bytes
    taken: int
    answer: bytes


class Drop(NamedTuple):
    """A taken key that was not answered: as if it had never been."""

    digest: bytes
    taken: int


class Found(NamedTuple):
    """A key that was there. same: whether it was taken for the same body. answer: None, it is not answered yet."""

    same: bool
    owner: str
    answer: bytes | None


Operation = Take | Finish | Drop


class Store:
    """owner: names this process. keep_ms: how long keys are kept; max_bytes: what they may take of the disk."""

    def __init__(self, file: Path, owner: str, *, keep_ms: int, max_bytes: int) -> None:
        self._file = file
        self._owner = owner
        self._keep_ms = keep_ms
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._taken = 0

    def run(self, operations: Sequence[Operation]) -> list[Found | None]:
        """All of them in one transaction. For each Take: what was there, or None: it is this process's now.

        Raises IdempotencyAway, and then nothing was done.
        """
        hashes = [hashlib.sha256(op.body).digest() if isinstance(op, Take) else b"" for op in operations]
        try:
            connection = self._open()
            connection.execute("begin immediate")
            try:
                found = [self._one(connection, op, body) for op, body in zip(operations, hashes, strict=True)]
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
        except (sqlite3.Error, OSError) as error:
            raise _away() from error
        return found

    def has_open(self, owner: str) -> bool:
        """Whether a key of that process is not answered. Raises IdempotencyAway."""
        try:
            sql = "select 1 from keys where owner = ? and answer is null limit 1"
            return self._open().execute(sql, (owner,)).fetchone() is not None
        except (sqlite3.Error, OSError) as error:
            raise _away() from error

    def settle(self, dead: str, finished: Iterable[Finish]) -> None:
        """What a dead process left: these answers, and no others. Raises IdempotencyAway."""
        try:
            connection = self._open()
            connection.execute("begin immediate")
            try:
                connection.executemany(
                    "update keys set answer = ? where digest = ? and taken = ? and owner = ? and answer is null",
                    ((finish.answer, finish.digest, finish.taken, dead) for finish in finished),
                )
                connection.execute("delete from keys where owner = ? and answer is null", (dead,))
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
        except (sqlite3.Error, OSError) as error:
            raise _away() from error

    def purge(self, now: int) -> int:
        """Forget what is older than it is kept, and the oldest where there is too much: how many of those.

        Raises IdempotencyAway.
        """
        evicted = 0
        try:
            connection = self._open()
            while self._delete(connection, "where taken < ?", now - self._keep_ms) == _PURGE_ROWS:
                pass
            while self._bytes(connection) > self._max_bytes:
                gone = self._delete(connection, "where answer is not null and taken <= ?", now)
                evicted += gone
                if not gone:
                    break
        except (sqlite3.Error, OSError) as error:
            raise _away() from error
        return evicted

    def purge_due(self) -> bool:
        """Whether enough keys were taken since the last time."""
        if self._taken < PURGE_EVERY:
            return False
        self._taken = 0
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _one(self, connection: sqlite3.Connection, operation: Operation, body: bytes) -> Found | None:
        match operation:
            case Take(digest, _, now):
                row = connection.execute(
                    "select body, owner, answer from keys where digest = ? and taken >= ?",
                    (digest, now - self._keep_ms),
                ).fetchone()
                if row is not None:
                    return Found(row[0] == body, row[1], row[2])
                connection.execute(
                    "insert or replace into keys values (?, ?, ?, ?, null)", (digest, body, self._owner, now)
                )
                self._taken += 1
            case Finish(digest, taken, answer):
                connection.execute(
                    "update keys set answer = ? where digest = ? and taken = ? and answer is null",
                    (answer, digest, taken),
                )
            case Drop(digest, taken):
                connection.execute(
                    "delete from keys where digest = ? and taken = ? and owner = ? and answer is null",
                    (digest, taken, self._owner),
                )
        return None

    def _delete(self, connection: sqlite3.Connection, where: str, bound: int) -> int:
        oldest = f"select rowid from keys {where} order by taken limit {_PURGE_ROWS}"
        return connection.execute(f"delete from keys where rowid in ({oldest})", (bound,)).rowcount

    def _bytes(self, connection: sqlite3.Connection) -> int:
        pages, free, size = (
            connection.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

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


def _away() -> IdempotencyAway:
    return IdempotencyAway("Idempotency keys cannot be kept just now.")
