"""What is run: topics of several shapes, and on each of them the ceiling, ours, and where it says something more."""

from __future__ import annotations

from typing import Literal, NamedTuple

from bench.benchmark import BenchError

What = Literal["bare", "naive", "ours", "bound", "two"]
"""Bare aiokafka; the ordinary Faust agent; one worker of ours; one that is bound to a core; two of them."""

EVENTS, QUICK_EVENTS = 1_000_000, 200_000
NAIVE_EVENTS, QUICK_NAIVE_EVENTS = 20_000, 4_000
_ALL: tuple[What, ...] = ("bare", "naive", "ours", "bound", "two")


class Shape(NamedTuple):
    """A topic. codec: of its record batches. headers: each record has those that the API sends. share: of EVENTS and
    of NAIVE_EVENTS.
    """

    name: str
    partitions: int = 8
    features: int = 20
    codec: str | None = None
    headers: bool = False
    whats: tuple[What, ...] = ("bare", "naive", "ours", "two")
    share: float = 1.0


SHAPES = (
    Shape("8p", whats=_ALL),
    Shape("32p", partitions=32, whats=_ALL),
    Shape("lz4", codec="lz4"),
    Shape("headers", headers=True, whats=("bare", "naive", "ours")),
    Shape("200f", features=200, share=0.15),
)
"""The first is the one of the goals. An event of 200 features is 4.4 kB."""


class Case(NamedTuple):
    """One line of the table."""

    shape: Shape
    what: What

    @property
    def name(self) -> str:
        """As --only takes it."""
        return f"{self.shape.name}/{self.what}"

    @property
    def workers(self) -> int:
        """Processes that share the topic."""
        return 2 if self.what == "two" else 1


CASES = tuple(Case(shape, what) for shape in SHAPES for what in shape.whats)


def chosen(only: tuple[str, ...]) -> list[Case]:
    """The cases whose name begins with one of these; all for none. Raises BenchError for one that fits no case."""
    for wish in only:
        if not any(case.name.startswith(wish) for case in CASES):
            known = ", ".join(case.name for case in CASES)
            raise BenchError(f"--only {wish}: no case begins so; there are {known}")
    return [case for case in CASES if not only or case.name.startswith(only)]


def in_turns(cases: list[Case], rounds: int) -> list[Case]:
    """Each case once a round, every other round backwards, so that a load that comes and goes hits all alike.

    >>> [case.what for case in in_turns([Case(SHAPES[0], "bare"), Case(SHAPES[0], "ours")], 2)]
    ['bare', 'ours', 'ours', 'bare']
    """
    return [case for number in range(rounds) for case in (cases if number % 2 == 0 else cases[::-1])]
