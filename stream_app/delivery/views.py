"""Views: what one pending fetch may take, and whether what it brought is still wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from faust.types import TP


class Readings:
    """How often the reading of each partition began anew in this assignment, by an agent that saw a gap."""

    def __init__(self) -> None:
        self._begun: Counter[TP] = Counter()
        self._moving: Counter[TP] = Counter()

    def number(self, tp: TP) -> int | None:
        """Of its reading; None while its position is being moved: what is taken then could be of either."""
        return None if self._moving[tp] else self._begun[tp]

    @contextmanager
    def anew(self, tp: TP) -> Iterator[None]:
        """Within, its position is moved. What was taken before is of a former reading from the beginning on."""
        self._begun[tp] += 1
        self._moving[tp] += 1
        try:
            yield
        finally:
            self._moving[tp] -= 1


class Reader(Protocol):
    """The consumer. epoch: its rebalances so far."""

    epoch: int
    readings: Readings


class View:
    """What one pending fetch may take: the partitions active when it began, and nothing after the next rebalance, nor
    of a partition that is read anew since.

    Cures (B) of consumer.py: it is never falsy, and a fetch that a stopped Fetcher left behind (it goes on in the
    consumer thread for up to a second after the new assignment) finds its epoch gone.
    """

    def __init__(self, reader: Reader, partitions: Iterable[TP]) -> None:
        self._reader, self._epoch = reader, reader.epoch
        self._numbers = {tp: reader.readings.number(tp) for tp in partitions}

    def __bool__(self) -> bool:
        return True

    def __contains__(self, tp: TP) -> bool:
        number = self._numbers.get(tp)
        return number is not None and self._reader.epoch == self._epoch and self._reader.readings.number(tp) == number
