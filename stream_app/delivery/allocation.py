"""Allocation: large blocks go back to the system when they are freed, so that a worker's memory does not grow.

glibc moves its limit up with every large block that is freed; a fetch of a megabyte then comes from the heap and leaves
holes there, and a worker grew by 1.2 MB with each million events (`python -m bench growth --only memory`).
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_MAPPED, _KEPT = 512 << 10, 1 << 20


def give_back_large_blocks() -> bool:
    """For the whole process; False where the C library has no such limits (musl, macOS), which then keeps its own.

    Source: mallopt(3): setting either limit also ends its moving.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_MMAP_THRESHOLD, _MAPPED) == 1 == mallopt(_TRIM_THRESHOLD, _KEPT)
