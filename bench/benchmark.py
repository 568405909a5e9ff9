"""Benchmark: one thing that can be measured, and what it is told. harness.py lists the members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec


class BenchError(Exception):
    """A measurement cannot be taken; the text names the option and the fix."""


@dataclass(frozen=True)
class Options:
    """What a benchmark is told. Those in `EXTRA` are for the benchmarks that take them; None: the benchmark's default.

    seed: of everything that is drawn. quick: a smaller run that takes seconds. data: name of a data set. seconds:
    length of the load. rate, events: how much, events/s or in all. workers, partitions: how many. only: names of the
    parts to run, none: all. faults: name of a profile of faults. profile: also say where the time goes.
    figure: file that a picture goes to.
    """

    seed: int = 1
    quick: bool = False
    data: str = "flights"
    seconds: float | None = None
    rate: float | None = None
    events: int | None = None
    workers: int | None = None
    partitions: int | None = None
    only: tuple[str, ...] = ()
    faults: str | None = None
    profile: bool = False
    figure: str | None = None


Extra = Literal["data", "seconds", "rate", "events", "workers", "partitions", "only", "faults", "profile", "figure"]
EXTRA: tuple[Extra, ...] = get_args(Extra)
"""The options that only some benchmarks take; names of fields of `Options`."""

Say = Callable[[str], None]
"""Prints one line for people."""


@dataclass(frozen=True)
class Benchmark:
    """name: as on the command line. title: what it measures, in one line. run: takes it, tells people through Say as
    it goes, and returns the figures, a struct whose fields are the keys of the JSON. Raises BenchError. takes: the
    extra options that mean something to it; the command line refuses the others. held: whether what it measures is as
    it must be; the command line ends with status 1 where it is not."""

    name: str
    title: str
    run: Callable[[Options, Say], msgspec.Struct]
    takes: tuple[Extra, ...] = ()
    held: Callable[[Any], bool] = lambda figures: True
    lasts: str = ""

    @property
    def listed(self) -> str:
        """What it measures, and under that how long it takes and the options of its own."""
        takes = " ".join(f"--{extra}" for extra in self.takes)
        below = "; ".join(part for part in (self.lasts, f"takes {takes}" if takes else "") if part)
        return f"{self.name:10} {self.title}" + (f"\n{'':10}   {below}" if below else "")
