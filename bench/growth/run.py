"""The benchmark `growth`: memory over many events, recovery with many open windows, stage 2 with many partitions."""

from __future__ import annotations

import asyncio

import msgspec

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.growth import memory, merging, recovery
from bench.growth.memory import Extent, MemoryFigures
from bench.growth.merging import MergingFigures, Size
from bench.growth.recovery import CASES, Recovery
from bench.stream.server import local_kafka
from demo.stack.errors import StackError

PARTS = ("memory", "recovery", "merging")
WHOLE = Extent(events=10_000_000, early=1_000_000, windows=1_000)
QUICK = Extent(events=1_000_000, early=500_000, windows=100)
"""The first hundreds of thousands of events warm up: they find the most that is ever in memory at once."""
_EVENT_BYTES = 1_000
"""Room on the disk that an event may take."""


class GrowthFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Each None where it was not asked for (--only)."""

    memory: MemoryFigures | None
    recovery: list[Recovery] | None
    merging: MergingFigures | None

    @property
    def held(self) -> bool:
        """Whether memory and state topics stayed as they must, where they were measured. The rest has no bound here."""
        return self.memory is None or self.memory.held


def run(options: Options, say: Say) -> GrowthFigures:
    """Measure it. Raises BenchError."""
    if unknown := set(options.only) - set(PARTS):
        raise BenchError(f"--only {','.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    parts = options.only or PARTS
    merged = None
    if "merging" in parts:
        merged = merging.run(Size(models=20) if options.quick else Size(), options.seed, say)
    remembered, recovered = None, None
    extent = QUICK if options.quick else WHOLE
    if {"memory", "recovery"} & set(parts):
        try:
            with local_kafka("growth", extent.events * _EVENT_BYTES if "memory" in parts else 1 << 30) as kafka:
                if "recovery" in parts:
                    recovered = [asyncio.run(recovery.measure(kafka, case, options.seed, say)) for case in CASES]
                if "memory" in parts:
                    remembered = asyncio.run(memory.measure(kafka, extent, options.seed, say))
        except StackError as error:
            raise BenchError(str(error)) from error
    return GrowthFigures(memory=remembered, recovery=recovered, merging=merged)


GROWTH = Benchmark(
    "growth",
    "what growth costs: memory over 10 million events, recovery after SIGKILL, stage 2 with 1,000 partitions",
    run,
    takes=("only",),
    lasts="some 20 minutes and 10 GB of disk; --quick: 5 minutes",
    held=lambda figures: bool(figures.held),
)
