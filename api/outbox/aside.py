"""Aside: events that their topic does not take, whole, a file each, until somebody sends them again or removes them.

Beside the slots, for all processes of one outbox directory: an event stays here whoever drained it. A file has the form
of an outbox file with one group of one event, and is named by the event's id; so an event that is set aside once more,
after a crash, is there once.

    aside/predictions/<id>.event   aside/labels/<id>.event
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from api.outbox.segments import FILE_HEADER, Group, Record, file_header, frame, parse, version_of
from api.outbox.slots import replace_file, sync_directory

FOLDER = "aside"
PREDICTIONS = "predictions"
_ENDING = ".event"


class Kept(NamedTuple):
    """One event, in its file. record: None where the file cannot be read as one of this version."""

    file: Path
    record: Record | None


class Aside:
    """root: the outbox directory. what: `predictions` or `labels`. most: bytes that may lie here.

    events: how many do, as was seen last.
    """

    def __init__(self, root: Path, what: str, most: int) -> None:
        self.events = 0
        self._directory = root / FOLDER / what
        self._most = most
        self._bytes: int | None = None
        self.look()

    def look(self) -> None:
        """See how many lie here: other processes keep some, too, and people remove some."""
        self.events = sum(1 for _ in self._directory.glob(f"*{_ENDING}"))

    def keep(self, group: Group) -> Path:
        """Keep a group of one event; it is on the disk when this returns. Blocks. Raises OSError."""
        file = self._directory / f"{quote(group.records[0].id, safe='')}{_ENDING}"
        data = file_header() + frame(group)
        if self._taken() + len(data) > self._most:
            self._bytes = None  # somebody may have made room
            if self._taken() + len(data) > self._most:
                raise OSError(errno.EDQUOT, "as many bytes lie aside as the bound of the outbox allows", str(file))
        if not self._directory.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            for above in list(self._directory.parents)[:2]:
                sync_directory(above)
        replace_file(file, data)
        self._bytes = self._taken() + len(data)
        self.look()
        return file

    def kept(self) -> Iterator[Kept]:
        """What lies here, by name: so the events of one process are in their order. Raises OSError."""
        for file in sorted(self._directory.glob(f"*{_ENDING}")):
            data = file.read_bytes()
            known = version_of(data[: FILE_HEADER.size]) is not None
            groups = parse(data[FILE_HEADER.size :]).groups if known else []
            yield Kept(file, groups[0].records[0] if groups and groups[0].records else None)

    def _taken(self) -> int:
        if self._bytes is None:
            self._bytes = sum(file.stat().st_size for file in self._directory.glob(f"*{_ENDING}"))
        return self._bytes
