"""Owners: which processes that took keys still live, by a lock that the kernel drops with its process; and which files
the dead ones left in the outbox.

Not the lock of the slot: whoever adopts a dead process's slot holds that one, perhaps for hours while Kafka is away,
and the keys must not wait for it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from api.idempotency.left import outcomes_in
from api.idempotency.operations import Finish


class Owners:
    """root: of the outbox. slot, epoch: of this process, which are its name here."""

    def __init__(self, root: Path, slot: str, epoch: int) -> None:
        self.own = f"{slot}-{epoch:012x}"
        self._root = root
        self._directory = root / "idempotency" / "owners"
        self._lock: int | None = None

    def hold(self) -> None:
        """Be known as alive from now on. Raises OSError."""
        if self._lock is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._directory / self.own, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._lock = lock

    def alive(self, owner: str) -> bool:
        """Whether that process lives. Raises OSError."""
        try:
            lock = os.open(self._directory / owner, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def left(self, owner: str) -> Iterator[list[Finish]]:
        """The outcomes that a dead process committed, as far as its files are there, part by part. Raises OSError.

        A file that is gone was acknowledged, and before that its outcomes were put into the store.
        """
        slot, _, epoch = owner.rpartition("-")
        for file in sorted((self._root / slot).rglob(f"{epoch}-*.log")):  # the labels' files, too
            for outcomes in outcomes_in(file):
                yield [Finish(outcome.digest, outcome.taken, outcome.answer) for outcome in outcomes]

    def forget(self, owner: str) -> None:
        """Nothing of a dead process is open any more. Raises OSError."""
        (self._directory / owner).unlink(missing_ok=True)

    def release(self) -> None:
        """No key of this process is open any more. Raises OSError."""
        if self._lock is not None:
            self.forget(self.own)
            os.close(self._lock)
            self._lock = None
