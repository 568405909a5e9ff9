"""The benchmarks' names alone: harness.py imports the benchmarks, which takes seconds, and a name that is none is told
without it.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.benchmark import BenchError

NAMES = (
    *("quiet", "episodes", "gates", "days", "detection", "causes", "effects", "performance", "counting", "closing"),
    *("scoring", "api", "drain", "labels", "labels-stream", "references", "nemesis", "stream", "latency", "loop"),
    *("growth", "replay", "swap", "training"),
)
"""In the order of harness.BENCHMARKS."""


def check_name(name: str, known: Iterable[str] = NAMES) -> None:
    """Raises BenchError where there is no such benchmark."""
    names = tuple(known)
    if name not in names:
        raise BenchError(f"no benchmark {name!r}: choose one of {', '.join(names)}")
