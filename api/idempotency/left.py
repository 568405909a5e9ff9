"""What a process left in an outbox file: its outcomes, a slice of the file at a time, so that no memory holds it all.

A reader of its own beside api.outbox.backlog: the slot may belong to a process that drains it just now, and here
nothing is acknowledged, removed or counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from api.outbox.segments import FILE_HEADER, LIKELY_BYTES, Outcome, likely_frames, parse

SLICE_BYTES = 1 << 18


def outcomes_in(file: Path) -> Iterator[list[Outcome]]:
    """Those of each slice, also behind damage; none of a file that is gone. Raises OSError."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        at, end = FILE_HEADER.size, os.fstat(descriptor).st_size
        while at + LIKELY_BYTES <= end:
            parsed = parse(os.pread(descriptor, min(SLICE_BYTES, end - at), at))
            if not parsed.groups and SLICE_BYTES < parsed.needed <= end - at:
                parsed = parse(os.pread(descriptor, parsed.needed, at))
            at = at + parsed.size if parsed.groups else _behind_damage(descriptor, at + 1, end)
            yield [record.outcome for group in parsed.groups for record in group.records if record.outcome is not None]
    finally:
        os.close(descriptor)


def _behind_damage(descriptor: int, begin: int, end: int) -> int:
    """The next whole group in one slice, or where to look on."""
    window = os.pread(descriptor, min(SLICE_BYTES, end - begin), begin)
    if len(window) < LIKELY_BYTES:
        return end
    for at, size in likely_frames(window, end - begin):
        if parse(window[at : at + size]).groups or parse(os.pread(descriptor, size, begin + at)).groups:
            return begin + at
    return begin + len(window) - LIKELY_BYTES + 1
