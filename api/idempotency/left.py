"""What a process left in an outbox file: its outcomes, a slice of the file at a time, so that no memory holds it all.

A reader of its own beside api.outbox.backlog: the slot may belong to a process that drains it just now, and here
nothing is acknowledged, removed or counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from api.outbox.reading import groups_at, look_on
from api.outbox.segments import FILE_HEADER, LIKELY_BYTES, Outcome


def outcomes_in(file: Path) -> Iterator[list[Outcome]]:
    """Those of each slice, also behind damage; none of a file that is gone. Raises OSError."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return

    def read(at: int, size: int) -> bytes:
        return os.pread(descriptor, size, at)

    try:
        at, end = FILE_HEADER.size, os.fstat(descriptor).st_size
        while at + LIKELY_BYTES <= end:
            parsed = groups_at(read, at, end)
            at = at + parsed.size if parsed.groups else look_on(read, at + 1, end)[0]
            yield [record.outcome for group in parsed.groups for record in group.records if record.outcome is not None]
    finally:
        os.close(descriptor)
