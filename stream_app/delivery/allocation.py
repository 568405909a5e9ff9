"""Allocation: memory that is freed stays with the process for the next fetch, and not for ever.

glibc gives large blocks back to the system when they are freed, and moves its limits about as they come and go. A fetch
of 8 partitions is 8 MB, copied three times on its way, and each page was asked of the kernel anew: a page fault for
every fourth event.
"""

from __future__ import annotations

import ctypes
import threading
import time

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_KEPT, _MAPPED = 128 << 20, 32 << 20
"""So much may be free at the heap's end. Blocks beyond the second are still mapped alone: glibc takes no more."""
_GIVE_BACK_SECONDS = 30.0
"""To ask for 40 MB anew takes some 20 ms."""


def keep_freed_memory() -> bool:
    """For the whole process, before it has threads. False where the C library has no such settings (musl, macOS).

    One arena: what the consumer's thread has freed serves the main thread, too. Source: mallopt(3); a limit that is set
    does not move any more.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(_ARENA_MAX, 1), mallopt(_MMAP_THRESHOLD, _MAPPED), mallopt(_TRIM_THRESHOLD, _KEPT)])


def give_back_now_and_then(seconds: float = _GIVE_BACK_SECONDS) -> bool:
    """From now on what is free is given back to the system so often: a backlog leaves 100 MB and more behind.

    Without it a process would stay as large as it once was at its busiest moment. False where the C library cannot.
    Source: malloc_trim(3), which gives back pages in the middle of the heap, too.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return False

    def give_back() -> None:
        while True:
            time.sleep(seconds)
            trim(0)  # some 6 ms, without the interpreter's lock

    threading.Thread(target=give_back, name="memory", daemon=True).start()
    return True
