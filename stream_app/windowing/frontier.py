"""Frontier: how far the source partitions are together, as stage 2 hears it from their heartbeats.

Kept in memory only: after a restart nothing is known until every partition has been heard of again.

An idle partition is not waited for, but its word is good for one moment, not for later: it may wake up the moment
after, and its worker may die before it can say so. Nor is that moment the one at which the word is heard: it was found
out earlier, and the word may have been held up on its way. So an idle heartbeat names an earlier one of its partition,
which was on the topic when nothing waited, and carries it to where the others were *there*; further only the next one.

    others     100   110   120   130   140              the least watermark
    p idle        |a    |b,a  |c,b  (killed)    events  "b,a": b is said, behind a
    reached     20    20   100   110   110      until p is behind its events; without that rule their window had closed

That all traffic has ended takes one such word of every partition, which names one behind all that says otherwise: the
heartbeat of one that moves, or counts, which only one that is awake can send.
"""

from __future__ import annotations

from collections import defaultdict, deque
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from contracts.partials import Heartbeat
from stream_app.windowing.forever import FOREVER

MOST_WORDS = 64
"""Idle heartbeats of a partition that its worker remembers, to name them, and stage 2, for which they are named. Two a
second: half a minute. What proves that nothing waits, and so names one, may be as old as the longest fetch, 10 s.
"""


class _Word(NamedTuple):
    """An idle heartbeat as it was heard. said: names it. others: where the partitions that move were. woken: how often
    until then somebody was heard who is awake.
    """

    said: int
    others: int | None
    woken: int


class Least:
    """The least of one value per partition, kept while they change: a thousand of them change twice a second."""

    __slots__ = ("_heap", "_unknown", "values")

    def __init__(self) -> None:
        self.values: dict[int, int | None] = {}
        self._heap: list[tuple[int, int]] = []
        self._unknown = 0

    def put(self, partition: int, value: int | None) -> None:
        """Set the value of a partition; None: not known."""
        if partition in self.values and self.values[partition] == value:
            return
        self.drop(partition)
        self.values[partition] = value
        if value is None:
            self._unknown += 1
            return
        heappush(self._heap, (value, partition))
        if len(self._heap) > 4 * len(self.values) + 16:  # mostly of values that have changed since
            self._heap = [(known, number) for number, known in self.values.items() if known is not None]
            heapify(self._heap)

    def drop(self, partition: int) -> None:
        """Forget a partition."""
        if self.values.pop(partition, 0) is None:
            self._unknown -= 1

    def value(self) -> int | None:
        """The least; None where there is none, or one is not known."""
        if self._unknown or not self.values:
            return None
        while self.values.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0]


class Frontier:
    """The last heartbeat of each source partition, of the newest generation of the consumer group."""

    __slots__ = ("_generations", "_idle", "_moving", "_stopped", "_woken", "_words", "generation", "partitions")

    def __init__(self) -> None:
        self._generations: dict[int, int] = {}
        self._moving, self._idle = Least(), Least()
        self._words: defaultdict[int, deque[_Word]] = defaultdict(lambda: deque(maxlen=MOST_WORDS))
        self._woken = 0
        self._stopped: set[int] = set()  # those that were idle behind the last one who is awake
        self.generation = -1
        self.partitions = 0

    def hear(self, heartbeat: Heartbeat, *, past: bool = False) -> bool:
        """Take a heartbeat in; False when it comes from a worker that has lost the partition since.

        past: parts that were sent after it are known already, or the consumer group has a newer generation. How far its
        partition was holds for ever; that it was idle, only then.
        """
        number, generation = heartbeat.partition, heartbeat.generation
        if generation < self._generations.get(number, generation):
            return False
        self._generations[number] = generation
        if generation > self.generation:
            self._moving, self._idle = Least(), Least()
            self._words.clear()
            self._stopped.clear()
        if generation >= self.generation:
            self.generation, self.partitions = generation, heartbeat.partitions
            self._place(heartbeat, idle=heartbeat.idle and not past)
        return True

    def part_came(self) -> None:
        """Counts of some partition came: whoever sent them is awake, and others may be whose word is not here yet."""
        self._woken += 1
        self._stopped.clear()

    def _place(self, heartbeat: Heartbeat, *, idle: bool) -> None:
        number = heartbeat.partition
        if not idle:
            self._woken += 1
            self._stopped.clear()
            self._words.pop(number, None)
            self._idle.drop(number)
            self._moving.put(number, heartbeat.watermark)
            return
        self._moving.drop(number)
        reached = [self._idle.values.get(number), heartbeat.watermark]
        self._idle.put(number, None)  # heard of, also where nothing more is known
        if (named := self._named(heartbeat)) is not None:
            reached.append(named.others)
            if named.woken == self._woken:
                self._stopped.add(number)
        self._idle.put(number, max((known for known in reached if known is not None), default=None))
        others = self._moving.value() if self._all_heard else None
        self._words[number].append(_Word(heartbeat.said, others, self._woken))

    def _named(self, heartbeat: Heartbeat) -> _Word | None:
        """The earlier word that this one names, None where it was not heard; those before it are named no more."""
        words = self._words[heartbeat.partition]
        if not heartbeat.said:  # a build that does not say it: behind its last one, in all likelihood
            return words[-1] if words else None
        if not heartbeat.behind:  # it names none, and those of an old build have no name
            return None
        if all(word.said != heartbeat.behind for word in words):
            return None
        while words[0].said != heartbeat.behind:
            words.popleft()
        return words[0]

    @property
    def _all_heard(self) -> bool:
        heard = len(self._moving.values) + len(self._idle.values)
        return 0 < self.partitions <= heard

    def reached(self) -> int | None:
        """The time that all partitions have passed: no counts will come for a window that ends there or before.

        Every partition must have been heard of in the newest generation, for another owner may have to catch up
        first; None until then, and while one had no event that is not idle, or has not been carried to the others yet.
        FOREVER when all traffic has ended.
        """
        if not self._all_heard:
            return None
        moving, idle = self._moving.value(), self._idle.value()
        if not self._moving.values:
            return FOREVER if len(self._stopped) == len(self._idle.values) else idle
        if not self._idle.values:
            return moving
        return None if moving is None or idle is None else min(moving, idle)
