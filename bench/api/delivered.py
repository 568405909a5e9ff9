"""Delivered: what is on the topic `predictions`, repeats told apart by their ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from bench.benchmark import BenchError
from contracts.events import EventId, parse_id
from stream_app.present import present

_ID = "ce_id"
_LOOKS = 10


class Tally(msgspec.Struct, frozen=True):
    """records: on the topic, by its end offsets. distinct: different ids among them; the rest are repeats, which
    readers recognise. missing: ids of answers that are not there."""

    records: int
    distinct: int
    missing: int

    @property
    def repeats(self) -> int:
        """Records whose id another record has, too."""
        return self.records - self.distinct


class Marks:
    """Which ids were seen: one byte each, for sequences count from 0."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[str, int], bytearray] = defaultdict(bytearray)

    def add(self, text: str) -> None:
        """Raises BenchError for an id that is not ours."""
        source, epoch, sequence = _parsed(text)
        marks = self._seen[source, epoch]
        if sequence >= len(marks):
            marks.extend(bytes(sequence - len(marks) + 10_000))
        marks[sequence] = 1

    def __contains__(self, text: str) -> bool:
        source, epoch, sequence = _parsed(text)
        marks = self._seen.get((source, epoch), b"")
        return sequence < len(marks) and marks[sequence] == 1

    def __len__(self) -> int:
        return sum(marks.count(1) for marks in self._seen.values())


async def tally(bootstrap: str, topic: str, answered: Iterable[str]) -> Tally:
    """Read the whole topic. answered: ids that must be there. Raises BenchError."""
    marks = Marks()
    async with present(bootstrap, topic) as now:
        async for batch in now.batches:
            for record in batch:
                marks.add(dict(record.headers)[_ID].decode())
    return Tally(
        sum(now.ends.values()) - sum(now.first.values()), len(marks), sum(id_ not in marks for id_ in answered)
    )


def settled(counted: Callable[[], int], drained: Callable[[], object], there: Callable[[], Tally]) -> tuple[int, Tally]:
    """What a server has counted and what is on the topic, of one moment. Raises BenchError where it never settles.

    What the load tool had under way when its time was up is worked on still, on a busy machine for seconds.
    """
    for _ in range(_LOOKS):
        before = counted()
        drained()  # of all that was counted before
        found = there()
        if counted() == before:
            return before, found
    raise BenchError(f"the server goes on counting although nothing is sent: {before:,}, then {counted():,}")


def _parsed(text: str) -> EventId:
    found = parse_id(text)
    if found is None:
        raise BenchError(f"an id that is not ours: {text}")
    return found
