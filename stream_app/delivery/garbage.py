"""Garbage: when Python looks for cycles. A worker makes none on an event's way, and looking took a third of its time.

Python counts containers made less those freed, and after 700 it visits them all; a fetch of 8 partitions is tens of
thousands of records that are all still needed.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 20
"""Beyond what one batch holds at a time: 4,096 rows and a few lists."""


def collect_seldom() -> None:
    """For the whole process, once everything is imported: what is there now stays, and is not visited any more.

    Imports leave some seventy objects in cycles: too few to look for them first.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
