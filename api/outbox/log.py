"""The outbox: every event lies here from before its answer until Kafka has acknowledged it.

A group is one framed append to the live segment file, so a SIGKILL after it takes nothing: the bytes are the page
cache's. `sync` in a thread makes them survive a power cut too. A full disk or a full outbox raises, and then there is
no answer. (Measured: .6 us an event; SQLite costs 4 to 5 and checkpoints on the event loop.)
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from api.errors import OutboxClosed
from api.outbox.backlog import Backlog
from api.outbox.durability import Durability, OpenFile
from api.outbox.removal import Removal
from api.outbox.segments import FILE_HEADER, Group, file_header, frame

log = logging.getLogger(__name__)

SEGMENT_BYTES = 32 << 20


class _Step(NamedTuple):
    """What the backlog is to be told of a file: of its begin, or of a group of so many bytes in it."""

    file: str
    size: int = 0
    settled: Callable[[], None] | None = None


class Outbox:
    """The live segment of one process, and the backlog of its slot. `epoch` is this process's start (Slot.next_epoch).

    sync() belongs to threads, everything else to the event loop; api.outbox.settler brings them together. each_group:
    no group is answered before it is synced, so the backlog, and with it Kafka, has none before; and none is taken
    while that fails. what: it holds, and bound: the setting of max_bytes, for the log. removal: of acknowledged files,
    closed with it; None: the backlog's read() does it.
    """

    def __init__(
        self,
        directory: Path,
        epoch: int,
        *,
        max_bytes: int,
        on_torn: Callable[[int], None],
        segment_bytes: int = SEGMENT_BYTES,
        each_group: bool = False,
        what: str = "predictions",
        bound: str = "API_OUTBOX_MAX_BYTES",
        removal: Removal | None = None,
    ) -> None:
        """Raises OutboxUnusable for a backlog that cannot be read."""
        self._what = what
        self._bound = bound
        self.backlog = Backlog(directory, on_torn, None if removal is None else removal.remove)
        self._removal = removal
        self.problem: str | None = None
        self._directory = directory
        self._epoch = epoch
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._segments = 0
        self._live: OpenFile | None = None
        self._size = 0
        self._refused = 0
        self._durability = Durability(directory)
        self._held: list[_Step] = []
        self._held_bytes = 0
        self._each_group = each_group

    def append(self, group: Group, settled: Callable[[], None] = lambda: None) -> None:
        """Commit a group. settled: called once nothing takes it back, that is at once, or in settled() for each_group.

        Raises OutboxClosed, and then nothing of it will ever be sent.
        """
        block = frame(group)
        if self._durability.problem and self._each_group:
            raise OutboxClosed("The outbox cannot be made durable.")
        if self._taken_bytes + len(block) > self._max_bytes:
            self._refused = len(block)
            self._closed(f"full: as many bytes wait for Kafka as {self._bound} allows")
            raise OutboxClosed("The outbox is full: Kafka has not taken events for long.")
        try:
            self._make_room()
            if self._live is None or self._size + len(block) > self._segment_bytes:
                self._roll()
            self._write(block)
        except OSError as error:
            self._refused = len(block)
            self._closed(f"cannot be written: {error.strerror}")
            raise OutboxClosed("The outbox cannot be written.") from error
        if self.problem is not None:
            log.info("outbox: takes events again")
            self.problem, self._refused = None, 0
        self._size += len(block)
        if self._each_group:
            self._held.append(_Step(self._file.name, len(block), settled))
            self._held_bytes += len(block)
        else:
            self.backlog.grown(len(block))
            settled()

    def accepts(self) -> bool:
        """Whether the next group can be committed. Tries the disk when the last one could not, with as many bytes:
        without traffic nobody else would find out that there is room again.
        """
        if self._durability.problem and self._each_group:
            return False
        if self.problem is None:
            return True
        if self._taken_bytes + self._refused > self._max_bytes:
            return False
        try:
            self._make_room()
            if self._live is None:
                self._roll()
            self._write(bytes(max(4096, self._refused)))
            os.ftruncate(self._file.descriptor, FILE_HEADER.size + self._size)
        except OSError as error:
            self._closed(f"cannot be written: {error.strerror}")
            return False
        self.problem, self._refused = None, 0
        return True

    @property
    def trouble(self) -> str:
        """Why it does not accept, or cannot be read, or what a power cut would take; empty when all is well."""
        return self.problem or self._durability.problem or self.backlog.problem

    def before_sync(self) -> int:
        """To be called before sync(); what it returns, settled() wants. Raises OSError where no file can be made."""
        doubtful = self._durability.doubtful
        if self._live is not None and self._live.name in doubtful:
            self._retire()
        if doubtful and self._live is None:  # a file that was never in doubt shows whether all is well
            self._roll()
        return len(self._held)

    def settled(self, mark: int) -> None:
        """A sync() has succeeded. mark: as before_sync() gave it."""
        steps, self._held = self._held[:mark], self._held[mark:]
        for step in steps:
            if step.settled is None:
                self.backlog.started(step.file)
            else:
                self._held_bytes -= step.size
                self.backlog.grown(step.size)
                step.settled()
        for name in self._durability.take_renewed():
            self.backlog.renewed(name)

    def cut(self) -> None:
        """A sync() has failed. For each_group: take back every group that none has covered, for they get no answer."""
        if not self._each_group:
            return
        held, self._held, self._held_bytes = self._held, [], 0
        keep: dict[str, int] = {}
        for step in held:
            keep.setdefault(step.file, 0 if step.settled is None else self.backlog.size_of(step.file))
        self._retire()
        for name, size in keep.items():
            self._durability.cut(name, size)

    def sync(self) -> None:
        """Make every group appended before this call survive a power cut. Blocks for milliseconds: never on the loop
        (32 MiB of dirty pages held it for 25 ms). Raises OSError.
        """
        self._durability.sync(lambda: self._live)

    def close(self) -> None:
        """Sync and let go. What is not acknowledged stays for the next process. Raises OSError."""
        self._retire()
        mark = len(self._held)
        try:
            self.sync()
        except OSError:
            self.cut()
            raise
        finally:
            if self._removal is not None:
                self._removal.close()
        self.settled(mark)
        self.backlog.close()

    def _closed(self, problem: str) -> None:
        """Said once in the log, not once for each refused group."""
        if self.problem != problem:
            log.error("outbox: %s: %s; %s get 503", self._directory, problem, self._what)
        self.problem = problem

    @property
    def _file(self) -> OpenFile:
        assert self._live is not None
        return self._live

    @property
    def _taken_bytes(self) -> int:
        return self.backlog.pending_bytes + self._held_bytes

    def _retire(self) -> None:
        if self._live is not None:
            self._durability.retire(self._live)
            self._live, self._size = None, 0

    def _make_room(self) -> None:
        """On a full disk the live segment goes, too, once all of it is acknowledged: it may be what fills the disk. Its
        room is free when sync() has closed it.
        """
        if self.problem is not None and self._live is not None and self._size and not self._taken_bytes:
            self._retire()
            self.backlog.forget()

    def _roll(self) -> None:
        """Begin a new segment. The old one is synced and closed by sync(), not here."""
        name = f"{self._epoch:012x}-{self._segments:06d}.log"
        self._segments += 1
        fresh = os.open(self._directory / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            _write_whole(fresh, file_header(), 0)
        except OSError:
            os.close(fresh)
            (self._directory / name).unlink()
            raise
        self._retire()
        self._live, self._size = OpenFile(name, fresh), 0
        self._durability.unnamed = True
        if self._each_group:
            self._held.append(_Step(name))
        else:
            self.backlog.started(name)

    def _write(self, block: bytes | bytearray) -> None:
        """Whole or not at all: what a full disk let in of a group is cut off again."""
        at = FILE_HEADER.size + self._size
        try:
            _write_whole(self._file.descriptor, block, at)
        except OSError:
            os.ftruncate(self._file.descriptor, at)
            raise


def _write_whole(descriptor: int, block: bytes | bytearray, at: int) -> None:
    data, written = memoryview(block), 0
    while written < len(data):  # a short write says that the disk is full; the next one says it with an error
        written += os.pwrite(descriptor, data[written:], at + written)
