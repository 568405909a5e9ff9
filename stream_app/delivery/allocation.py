"""Allocation: memory that is freed stays with the process for the next fetch.

glibc gives large blocks back to the system when they are freed, and moves its limits about as they come and go. A fetch
of 8 partitions is 8 MB, copied three times on its way, and each page was asked of the kernel anew: a page fault for
every fourth event.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_KEPT, _MAPPED = 128 << 20, 32 << 20
"""So much may be free at the heap's end. Blocks beyond the second are still mapped alone: glibc takes no more."""


def keep_freed_memory() -> bool:
    """For the whole process, before it has threads. False where the C library has no such settings (musl, macOS).

    One arena: what the consumer's thread has freed serves the main thread, too. Source: mallopt(3); a limit that is set
    does not move any more.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(_ARENA_MAX, 1), mallopt(_MMAP_THRESHOLD, _MAPPED), mallopt(_TRIM_THRESHOLD, _KEPT)])
