"""Backlog: what lies in a slot and Kafka has not acknowledged. The reading half of the outbox.

It always reads from the files, that is from the page cache: a backlog costs disk and no memory, and the recovery of
what an earlier process left is the same code as the drain of what this one wrote a moment ago. What a power cut or the
disk left unreadable is skipped up to the next whole group, said in the log and counted.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from api.errors import OutboxUnusable
from api.outbox.reading import groups_at, look_on
from api.outbox.segments import FILE_HEADER, LIKELY_BYTES, VERSION, Group, version_of

log = logging.getLogger(__name__)

_ACKED = "acked"
_ACKED_BYTES = 64


class Slice(NamedTuple):
    """The oldest groups that are not acknowledged, and the position after them."""

    groups: list[Group]
    file: str
    end: int


class Backlog:
    """The files of one slot, oldest first. Offsets count the bytes after a file's header. on_torn is told of bytes
    that had to be skipped because no whole group lies there. remove: of a file that is acknowledged; it may still be
    there for a while.
    """

    def __init__(
        self, directory: Path, on_torn: Callable[[int], None], remove: Callable[[Path], None] | None = None
    ) -> None:
        """Raises OutboxUnusable for a file of a format that this version cannot read."""
        self._directory = directory
        self._on_torn = on_torn
        self._remove = remove or _unlink
        self.problem = ""
        """Why it cannot be read just now; whoever reads it says so."""
        self._oldest: int | None = None
        self._sizes: dict[str, int] = {}
        self._live: str | None = None
        self._reader: int | None = None
        self._mark: int | None = None
        self._unmarked = False
        for left in directory.glob("*.log.new"):
            left.unlink()  # a process ended while it wrote a file anew
        acked, at = self._position()
        for file in sorted(directory.glob("*.log")):
            if file.name >= acked:
                self._sizes[file.name] = self._payload_bytes(file)
            else:
                self._remove(file)  # acknowledged by a process that ended before it could say so here
        self._files = deque(self._sizes)
        self._at = min(at, self._sizes[acked]) if acked in self._sizes else 0

    @property
    def pending_bytes(self) -> int:
        """How much is not acknowledged."""
        return sum(self._sizes.values()) - self._at

    def started(self, name: str) -> None:
        """A new live file; the one before it will not grow any more."""
        self._files.append(name)
        self._sizes[name] = 0
        self._live = name

    def grown(self, size: int) -> None:
        """`size` more bytes of whole groups lie in the live file."""
        if self._live is not None:
            self._sizes[self._live] += size

    def size_of(self, name: str) -> int:
        """Bytes of groups in a file; 0 for one that is not here."""
        return self._sizes.get(name, 0)

    def renewed(self, name: str) -> None:
        """Another file of this name, with the same groups, is in the place of the former one."""
        if name not in self._sizes:
            (self._directory / name).unlink(missing_ok=True)
        elif self._files[0] == name:
            self._close_reader()

    def forget(self) -> None:
        """Remove the live file as well, which nothing is appended to any more; everything is acknowledged."""
        self._live = None
        self.read()

    def read(self) -> Slice | None:
        """The oldest groups, some 256 KiB of them; the same again until they are acknowledged. None: all is."""
        while self._files:
            name = self._files[0]
            left = self._sizes[name] - self._at
            if left:
                parsed = groups_at(partial(self._bytes, name), self._at, self._sizes[name])
                if parsed.groups:
                    return Slice(parsed.groups, name, self._at + parsed.size)
                self._skip(name, self._next_group(name))
                continue
            if name == self._live:
                return None
            self._drop(name)
        return None

    def oldest(self) -> int | None:
        """When the oldest group that is not acknowledged was written, milliseconds since the epoch. None: all is.

        While it cannot be read: as it was known last.
        """
        try:
            slice_ = self.read()
        except OSError:  # whoever drains it says so
            return self._oldest
        self._oldest = None if slice_ is None else slice_.groups[0].written
        return self._oldest

    def ack(self, slice_: Slice) -> None:
        """Kafka has these groups. Not synced: losing the position repeats events, it loses none. So a disk that does
        not take it hinders nobody: that is said once.
        """
        self._at = slice_.end
        position = f"{slice_.file} {slice_.end}"
        try:
            if self._mark is None:
                self._mark = os.open(self._directory / _ACKED, os.O_CREAT | os.O_WRONLY, 0o600)
            os.pwrite(self._mark, f"{position} {_checksum(position):08x}".ljust(_ACKED_BYTES).encode(), 0)
        except OSError as error:
            if not self._unmarked:
                log.error("outbox: %s cannot be written: %s; a restart would repeat events", _ACKED, error.strerror)
            self._unmarked = True
        else:
            self._unmarked = False

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._reader, self._mark):
            if descriptor is not None:
                os.close(descriptor)
        self._reader = self._mark = None

    def _position(self) -> tuple[str, int]:
        """Without a readable position everything is sent again, which is allowed; a wrong one could lose events."""
        file = self._directory / _ACKED
        try:
            name, at, checksum = file.read_text().split()
            if int(checksum, 16) == _checksum(f"{name} {at}"):
                return name, int(at)
        except FileNotFoundError:
            return "", 0
        except ValueError:
            pass
        log.warning("outbox: %s is damaged; what lies there is sent again", file)
        return "", 0

    def _payload_bytes(self, file: Path) -> int:
        with file.open("rb") as stream:
            version = version_of(stream.read(FILE_HEADER.size))
        size = file.stat().st_size
        if version is None:  # a crash between its creation and its header, or damage; groups tell for themselves
            self._on_torn(min(size, FILE_HEADER.size))
            log.warning("outbox: %s: its header cannot be read", file.name)
            return max(0, size - FILE_HEADER.size)
        if version != VERSION:
            raise OutboxUnusable(
                f"API_OUTBOX_DIR: {file} has format {version}, this version reads {VERSION}: "
                "start the version that wrote it until its outbox is drained"
            )
        return size - FILE_HEADER.size

    def _bytes(self, name: str, at: int, size: int) -> bytes:
        if self._reader is None:
            self._reader = os.open(self._directory / name, os.O_RDONLY)
        try:
            return os.pread(self._reader, size, FILE_HEADER.size + at)
        except OSError:
            self._close_reader()  # the next attempt looks for the file again
            raise

    def _next_group(self, name: str) -> int:
        """The place of the next whole group, for there is none at the present one; the end of the file without one."""
        begin, end, found = self._at + 1, self._sizes[name], False
        while not found and begin + LIKELY_BYTES <= end:
            begin, found = look_on(partial(self._bytes, name), begin, end)
        return begin if found else end

    def _skip(self, name: str, to: int) -> None:
        """A crash cut the last group off before anybody was answered; a power cut may also leave zeros or garbage, and
        a failing disk damage in the middle.
        """
        size = to - self._at
        rest = "the groups behind them are read" if to < self._sizes[name] else "nothing readable lies behind them"
        log.warning("outbox: %s: skipped %d bytes at %d that are no whole group; %s", name, size, self._at, rest)
        self._on_torn(size)
        self._at = to

    def _close_reader(self) -> None:
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None

    def _drop(self, name: str) -> None:
        self._close_reader()
        self._remove(self._directory / name)
        self._files.popleft()
        del self._sizes[name]
        self._at = 0


def _unlink(file: Path) -> None:
    file.unlink(missing_ok=True)


def _checksum(position: str) -> int:
    return zlib.crc32(position.encode())
