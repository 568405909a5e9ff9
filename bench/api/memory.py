"""Memory of our server over millions of predictions: is it flat?"""

from __future__ import annotations

from collections.abc import Callable

from bench.api.figures import Memory
from bench.api.ours import Ours
from bench.benchmark import Say

EVENTS, QUICK_EVENTS = 5_000_000, 200_000
POINTS = 10
_PIECE_SECONDS = 10


def measure(load: Callable[[int], object], ours: Ours, events: int, say: Say) -> Memory:
    """A reading at each tenth of `events`. load: puts it on ours for so many seconds; returns when all is delivered."""
    megabytes: dict[str, float] = {}
    begin = ours.answered()
    for point in range(1, POINTS + 1):
        while (answered := ours.answered() - begin) < events * point // POINTS:
            load(_PIECE_SECONDS)
        megabytes[f"{answered:,}"] = round(ours.resident_mb(), 1)
        say(f"  {answered:12,} predictions   {ours.resident_mb():7.1f} MB")
    sizes = list(megabytes.values())
    return Memory(answered=answered, megabytes=megabytes, ratio=round(sizes[-1] / sizes[0], 4))
