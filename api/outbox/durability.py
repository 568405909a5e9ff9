"""Durability: what has to be synced, and what a sync that failed leaves in doubt. The part of the outbox that blocks.

After a failed fdatasync Linux may take the pages for clean, so that the next one succeeds without having written them.
So a file that could not be synced takes no more groups, and is written anew before it is said that all is well.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from api.outbox.segments import FILE_HEADER
from api.outbox.slots import replace_file, sync_directory

log = logging.getLogger(__name__)


class OpenFile(NamedTuple):
    """A segment that is open for writing."""

    name: str
    descriptor: int


class Durability:
    """Of one directory. sync() belongs to threads, one at a time; everything else to the event loop, and cut() and
    take_renewed() to when no sync runs.

    problem: why a power cut would take something; empty when all is well. unnamed: a file's name is not synced yet.
    doubtful: files that were not synced when that was asked, and how many bytes of groups of them stay; None: all.
    """

    def __init__(self, directory: Path) -> None:
        self.problem = ""
        self.unnamed = False
        self.doubtful: dict[str, int | None] = {}
        self._directory = directory
        self._retired: deque[OpenFile] = deque()
        self._renewed: list[str] = []
        self._syncing = threading.Lock()

    def retire(self, file: OpenFile) -> None:
        """Nothing is appended to it any more: the next sync() closes it."""
        self._retired.append(file)

    def cut(self, name: str, size: int) -> None:
        """Only so many bytes of groups of a file are to stay. It is in doubt from now on."""
        self.doubtful[name] = size
        try:
            os.truncate(self._directory / name, FILE_HEADER.size + size)
        except OSError as error:  # it is cut when it is written anew; until then nothing is taken
            log.error("outbox: %s: refused groups cannot be cut off yet: %s", name, error.strerror)

    def take_renewed(self) -> list[str]:
        """Files that were written anew since the last call."""
        renewed, self._renewed = self._renewed, []
        return renewed

    def sync(self, live: Callable[[], OpenFile | None]) -> None:
        """Make all that was written before this call survive a power cut. live: what is appended to now, not in doubt.

        Raises OSError.
        """
        with self._syncing:
            try:
                self._sync(live())
            except OSError as error:
                if not self.problem:
                    log.error("outbox: fdatasync failed, a power cut would take events: %s", error.strerror)
                self.problem = f"cannot be made durable: {error.strerror}"
                raise
            if self.problem:
                log.info("outbox: is durable again")
                self.problem = ""

    def _sync(self, live: OpenFile | None) -> None:
        while self._retired:  # only here are they closed, under the lock: the live one's descriptor is still open
            file = self._retired.popleft()
            try:
                self._fdatasync(file)
            finally:
                os.close(file.descriptor)
            live = None if live == file else live
        for name in tuple(self.doubtful):
            self._renew(name)
        if live is not None:
            self._fdatasync(live)
        if self.unnamed:
            self.unnamed = False
            try:
                sync_directory(self._directory)
            except OSError:
                self.unnamed = True
                raise

    def _fdatasync(self, file: OpenFile) -> None:
        if file.name in self.doubtful:
            return
        try:
            os.fdatasync(file.descriptor)
        except OSError:
            self.doubtful[file.name] = None
            raise

    def _renew(self, name: str) -> None:
        """Write a file's groups anew. They come from the page cache; what is damaged there, its reader will tell."""
        file, keep = self._directory / name, self.doubtful[name]
        if keep == 0:
            file.unlink(missing_ok=True)
        else:
            with suppress(FileNotFoundError):  # Kafka has all of it
                data = file.read_bytes()
                replace_file(file, data if keep is None else data[: FILE_HEADER.size + keep])
        self._renewed.append(name)
        del self.doubtful[name]
