"""Memory of a serving process: what the collector need not look at, and what malloc keeps."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_FEW = 10_000
"""Objects that a collection passes within some 2 ms. A version brings 200 (3 features) to 1,300 (300 features)."""


def keep_large_blocks() -> None:
    """What a batch needs (some 800 KB at a time) is kept for the next one. glibc would give it back to the kernel and
    pay for each page of it anew: 1.5 us a row of 8, and a third of the longest hold of the event loop.
    """
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 4 << 20)
        mallopt(_M_TRIM_THRESHOLD, 16 << 20)


class Settling:
    """Called after each swap: libraries go out of the collector's sight, versions that were swapped out are collected.

    With the libraries a full collection holds the loop for .25 s (260,000 objects), so they are frozen; a version is
    not, or the types made for it, which refer to themselves, would stay for good. Where a version has brought libraries
    with it (the first does; the first without a compiled form does) it is frozen together with them: to look for
    garbage among them, or to thaw them later, would hold the loop for as long. So as many versions may leave their
    types behind as times that happens.
    """

    def __init__(self) -> None:
        self._first = True

    def __call__(self) -> None:
        """Holds the loop for a millisecond or two; the first time longer, when nobody has had an answer yet."""
        if self._first:
            gc.set_threshold(50_000, 50, 50)
            gc.collect()
        elif len(gc.get_objects()) <= _FEW:
            gc.collect()
            return
        self._first = False
        gc.freeze()
