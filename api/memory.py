"""Memory of a serving process: what the collector need not look at, and what malloc keeps."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_large_blocks() -> None:
    """What a batch needs (some 800 KB at a time) is kept for the next one. glibc would give it back to the kernel and
    pay for each page of it anew: 1.5 us a row of 8, and a third of the longest hold of the event loop.
    """
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 4 << 20)
        mallopt(_M_TRIM_THRESHOLD, 16 << 20)


def settle_memory() -> None:
    """Take what is loaded out of the collector's sight: full collections of it held the loop for 45 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
