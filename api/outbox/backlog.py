"""Backlog: what lies in a slot and Kafka has not acknowledged. The reading half of the outbox.

It always reads from the files, that is from the page cache: a backlog costs disk and no memory, and the recovery of
what an earlier process left is the same code as the drain of what this one wrote a moment ago.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from api.errors import OutboxUnusable
from api.outbox.segments import FILE_HEADER, VERSION, Group, parse, version_of

log = logging.getLogger(__name__)

SLICE_BYTES = 1 << 18
_ACKED = "acked"


class Slice(NamedTuple):
    """The oldest groups that are not acknowledged, and the position after them."""

    groups: list[Group]
    file: str
    end: int


class Backlog:
    """The files of one slot, oldest first. Offsets count the bytes after a file's header. on_torn is told of bytes
    that had to be skipped because a group was not written whole.
    """

    def __init__(self, directory: Path, on_torn: Callable[[int], None]) -> None:
        """Raises OutboxUnusable for a file of a format that this version cannot read."""
        self._directory = directory
        self._on_torn = on_torn
        self._sizes: dict[str, int] = {}
        self._live: str | None = None
        self._reader: int | None = None
        self._mark: int | None = None
        acked, at = self._position()
        for file in sorted(directory.glob("*.log")):
            if file.name >= acked:
                self._sizes[file.name] = self._payload_bytes(file)
            else:
                file.unlink()  # acknowledged by a process that ended before it could say so here
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

    def read(self) -> Slice | None:
        """The oldest groups, some 256 KiB of them; the same again until they are acknowledged. None: all is."""
        while self._files:
            name = self._files[0]
            left = self._sizes[name] - self._at
            if left:
                parsed = parse(self._bytes(name, min(left, SLICE_BYTES)))
                if not parsed.groups and SLICE_BYTES < parsed.needed <= left:
                    parsed = parse(self._bytes(name, parsed.needed))
                if parsed.groups:
                    return Slice(parsed.groups, name, self._at + parsed.size)
                self._skip(name, left)
            if name == self._live:
                return None
            self._drop(name)
        return None

    def ack(self, slice_: Slice) -> None:
        """Kafka has these groups. Not synced: losing the position repeats events, it loses none."""
        self._at = slice_.end
        if self._mark is None:
            self._mark = os.open(self._directory / _ACKED, os.O_CREAT | os.O_WRONLY, 0o600)
        os.pwrite(self._mark, f"{slice_.file} {slice_.end:<12d}\n".encode(), 0)

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._reader, self._mark):
            if descriptor is not None:
                os.close(descriptor)
        self._reader = self._mark = None

    def _position(self) -> tuple[str, int]:
        """Without a readable position everything is sent again, which is allowed."""
        file = self._directory / _ACKED
        try:
            name, at = file.read_text().split()
            return name, int(at)
        except FileNotFoundError:
            return "", 0
        except ValueError:
            log.warning("outbox: %s is damaged; what lies there is sent again", file)
            return "", 0

    def _payload_bytes(self, file: Path) -> int:
        with file.open("rb") as stream:
            version = version_of(stream.read(FILE_HEADER.size))
        size = file.stat().st_size
        if version is None:  # a crash between its creation and its header; nothing was answered out of it
            self._on_torn(size)
            return 0
        if version != VERSION:
            raise OutboxUnusable(
                f"API_OUTBOX_DIR: {file} has format {version}, this version reads {VERSION}: "
                "start the version that wrote it until its outbox is drained"
            )
        return size - FILE_HEADER.size

    def _bytes(self, name: str, size: int) -> bytes:
        if self._reader is None:
            self._reader = os.open(self._directory / name, os.O_RDONLY)
        return os.pread(self._reader, size, FILE_HEADER.size + self._at)

    def _skip(self, name: str, size: int) -> None:
        """Nothing whole begins here: a crash cut the last group off before anybody was answered (or, after a power
        cut, before it was on the disk).
        """
        log.warning("outbox: %s: skipped %d bytes of a group that was not written whole", name, size)
        self._on_torn(size)
        self._at += size

    def _drop(self, name: str) -> None:
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None
        (self._directory / name).unlink()
        self._files.popleft()
        del self._sizes[name]
        self._at = 0
