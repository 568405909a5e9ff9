"""Benchmark: one thing that can be measured, and what it is told. harness.py lists the members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec


class BenchError(Exception):
    """A measurement cannot be taken; the text names the option and the fix."""


@dataclass(frozen=True)
class Options:
    """seed: of everything that is drawn. quick: a smaller run that takes seconds. data: name of a data set."""

    seed: int = 1
    quick: bool = False
    data: str = "flights"


Say = Callable[[str], None]
"""Prints one line for people."""


@dataclass(frozen=True)
class Benchmark:
    """name: as on the command line. title: what it measures, in one line. run: takes it, tells people through Say as
    it goes, and returns the figures, a struct whose fields are the keys of the JSON. Raises BenchError."""

    name: str
    title: str
    run: Callable[[Options, Say], msgspec.Struct]
