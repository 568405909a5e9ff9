"""Reading an outbox file a slice at a time, also past damage. Whoever reads says where its bytes come from."""

from __future__ import annotations

from collections.abc import Callable

from api.outbox.segments import LIKELY_BYTES, Parsed, likely_frames, parse

SLICE_BYTES = 1 << 18

Read = Callable[[int, int], bytes]
"""(place, size) to bytes; fewer where the file ends."""


def groups_at(read: Read, at: int, end: int) -> Parsed:
    """The whole groups from a place on, some 256 KiB of them, or the one that is larger."""
    parsed = parse(read(at, min(SLICE_BYTES, end - at)))
    if not parsed.groups and SLICE_BYTES < parsed.needed <= end - at:
        parsed = parse(read(at, parsed.needed))
    return parsed


def look_on(read: Read, begin: int, end: int) -> tuple[int, bool]:
    """In one slice behind damage: the place of the next whole group, and True; or where to look on, and False."""
    window = read(begin, min(SLICE_BYTES, end - begin))
    if len(window) < LIKELY_BYTES:  # the rest is too short, or the file shorter than it was
        return end, False
    for at, size in likely_frames(window, end - begin):
        whole = window[at : at + size]
        if parse(whole if len(whole) == size else read(begin + at, size)).groups:
            return begin + at, True
    return begin + len(window) - LIKELY_BYTES + 1, False
