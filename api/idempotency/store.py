"""Store: the keys and their answers, what may become of a key, and when it is forgotten. Everything here blocks."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from api.idempotency.database import Database
from api.idempotency.operations import Drop, Finish, Found, Operation, Take

PURGE_EVERY = 256
_PURGE_ROWS = 500


class Store:
    """owner: names this process. keep_ms: how long keys are kept; max_bytes: what they may take of the disk."""

    def __init__(self, file: Path, owner: str, *, keep_ms: int, max_bytes: int) -> None:
        self._database = Database(file)
        self._owner = owner
        self._keep_ms = keep_ms
        self._max_bytes = max_bytes
        self._taken = 0

    def run(self, operations: Sequence[Operation]) -> list[Found | None]:
        """All of them in one transaction. For each Take: what was there, or None: it is this process's now.

        Raises IdempotencyAway, and then nothing was done.
        """
        hashes = [hashlib.sha256(op.body).digest() if isinstance(op, Take) else b"" for op in operations]
        with self._database.transaction() as connection:
            return [self._one(connection, op, body) for op, body in zip(operations, hashes, strict=True)]

    def has_open(self, owner: str) -> bool:
        """Whether a key of that process is not answered. Raises IdempotencyAway."""
        sql = "select 1 from keys where owner = ? and answer is null limit 1"
        with self._database.reading() as connection:
            return connection.execute(sql, (owner,)).fetchone() is not None

    def answer(self, dead: str, finished: Iterable[Finish]) -> None:
        """Some of what a dead process left. Raises IdempotencyAway."""
        with self._database.transaction() as connection:
            connection.executemany(
                "update keys set answer = ? where digest = ? and taken = ? and owner = ? and answer is null",
                ((finish.answer, finish.digest, finish.taken, dead) for finish in finished),
            )

    def free(self, dead: str) -> None:
        """That was all that a dead process left: its other keys have no event. Raises IdempotencyAway."""
        with self._database.transaction() as connection:
            connection.execute("delete from keys where owner = ? and answer is null", (dead,))

    def purge(self, now: int) -> int:
        """Forget what is older than it is kept, and the oldest where there is too much: how many of those.

        Raises IdempotencyAway.
        """
        evicted = 0
        while self._delete("where taken < ?", now - self._keep_ms) == _PURGE_ROWS:
            pass
        while self._database.used_bytes() > self._max_bytes:
            gone = self._delete("where answer is not null and taken <= ?", now)
            evicted += gone
            if not gone:
                break
        return evicted

    def purge_due(self) -> bool:
        """Whether enough keys were taken since the last time."""
        if self._taken < PURGE_EVERY:
            return False
        self._taken = 0
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

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

    def _delete(self, where: str, bound: int) -> int:
        oldest = f"select rowid from keys {where} order by taken limit {_PURGE_ROWS}"
        with self._database.reading() as connection:
            return connection.execute(f"delete from keys where rowid in ({oldest})", (bound,)).rowcount
