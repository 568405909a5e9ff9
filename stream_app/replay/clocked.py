"""Records of several source partitions, replayed by the clock that the broker stamped them with. Pure.

Where nothing is silent the records alone decide. Silence does not leave a record: a live worker lets time pass in a
partition that has had none for a while, twice a second. So the replay ticks as often, by the records' times:

    partition 0   e e e e e . . . . . . . . . . s      s: late or not, by how far time had passed of itself
    tick          | | | | | | | | | | | | | | | |
    silent                      from here, `idle_ms` after the last record

Between two ticks each partition's records are counted in their order; then windows that are over are handed on. Ticks
at which nothing can happen are left out. Those between which no partition falls silent or wakes up are taken as one:
the order in which partitions are counted changes nothing then.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence

from contracts.dead_letters import DeadLetter
from stream_app.replay.counting import CountedPartition, hand_on, portions, rest
from stream_app.replay.judging import Judges, Plan, Verdict
from stream_app.replay.known import KnownBaselines
from stream_app.replay.outcome import Totals
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import SourceRecord
from stream_app.windowing.forever import NEVER

TICK_MS = 500
"""As stream_app/app.py ticks."""


class Lane:
    """One source partition. ends_before: its offset where reading stops although the log goes on; None: nowhere."""

    def __init__(self, counter: CountedPartition, start: int, ends_before: int | None) -> None:
        self.counter = counter
        self.heard = self.clock = NEVER
        self.following = start
        self.ends_before = ends_before
        self.times: list[int] = []
        self.records: list[SourceRecord] = []
        self._before_pauses: deque[int] = deque()

    def offer(self, records: Sequence[SourceRecord], idle_ms: int) -> None:
        """Records behind those offered before. Their clock never goes back."""
        for record in records:
            if record.timestamp - self.clock > idle_ms:
                self._before_pauses.append(self.clock)
            self.clock = max(self.clock, record.timestamp)
            self.times.append(self.clock)
        self.records += records

    def take(self, before: int) -> tuple[list[int], list[SourceRecord]]:
        """The records of times before this one, and no more of them."""
        cut = bisect_left(self.times, before)
        taken = self.times[:cut], self.records[:cut]
        del self.times[:cut], self.records[:cut]
        return taken

    def falls_silent(self, now: int, idle_ms: int) -> int:
        """When a partition that is not silent now will be, by the records offered so far."""
        if not self.times or self.times[0] - self.heard > idle_ms:
            return self.heard + idle_ms + 1
        while self._before_pauses and self._before_pauses[0] + idle_ms < now:
            self._before_pauses.popleft()
        return (self._before_pauses[0] if self._before_pauses else self.clock) + idle_ms + 1

    def silent(self, now: int, idle_ms: int) -> bool:
        """Whether time passes here by itself: not where the log goes on and is not read."""
        ended = self.ends_before is not None and self.following >= self.ends_before
        return now - self.heard > idle_ms and not ended


class ClockedReplay:
    """The replay of a topic, from its earliest record on. starts: first offset of every partition to be read. ends:
    offset before which reading stops, of those whose log goes on there.
    """

    def __init__(
        self,
        plan: Plan,
        known: KnownBaselines,
        judges: Judges,
        *,
        starts: Mapping[int, int],
        ends: Mapping[int, int],
    ) -> None:
        self._plan, self._known, self._judges = plan, known, judges
        self._lanes = {
            number: Lane(CountedPartition(number, plan.windows, known.by_digest), start, ends.get(number))
            for number, start in sorted(starts.items())
        }
        self._now = NEVER
        self.totals = Totals()
        self.refused: list[DeadLetter] = []

    def offer(self, number: int, records: Sequence[SourceRecord]) -> None:
        """Records of one partition, behind those offered before."""
        self._lanes[number].offer(records, self._plan.idle_ms)

    def advance(self, until: int) -> list[Verdict]:
        """Let time pass up to the last tick not behind `until`; all earlier records must have been offered."""
        verdicts: list[Verdict] = []
        if self._now == NEVER:
            first = min((lane.times[0] for lane in self._lanes.values() if lane.times), default=until)
            if first >= until:
                return verdicts
            self._now = first
            for lane in self._lanes.values():
                lane.heard = first
        while (tick := self._next_tick()) is not None and tick <= until:
            verdicts += self._tick(max(tick, self._without_a_change(until)))
        return verdicts

    def finish(self, until: int) -> list[Verdict]:
        """All records have been offered: let time pass up to `until`, and over the last of them in any case."""
        last = max(lane.clock for lane in self._lanes.values())
        return self.advance(max(until, _tick_of(last + 1)))

    def rest(self) -> list[Closing]:
        """What is in no report. Ends the replay."""
        return rest([lane.counter for lane in self._lanes.values()], self._judges)

    def _next_tick(self) -> int | None:
        """The next tick at which something can happen; None when only a record not offered yet can change anything."""
        moments = [lane.times[0] + 1 for lane in self._lanes.values() if lane.times]
        moments += [moment for lane in self._lanes.values() if (moment := self._alone(lane)) is not None]
        return max(_tick_of(min(moments)), self._now + 1) if moments else None

    def _without_a_change(self, until: int) -> int:
        """The last tick, not behind `until`, up to which all records can be taken at once."""
        last, idle_ms = until // TICK_MS * TICK_MS, self._plan.idle_ms
        for lane in self._lanes.values():
            if not lane.silent(self._now, idle_ms):
                last = min(last, _tick_of(lane.falls_silent(self._now, idle_ms)))
                continue
            if lane.times:
                last = min(last, lane.times[0] // TICK_MS * TICK_MS)
            if (moment := self._alone(lane)) is not None:
                last = min(last, _tick_of(moment))
        return last

    def _alone(self, lane: Lane) -> int | None:
        """When the passing of time alone changes something about a partition; None: never."""
        if not lane.silent(self._now, self._plan.idle_ms):
            falls_silent = lane.heard + self._plan.idle_ms + 1
            return falls_silent if falls_silent > self._now else None  # the reading ended here
        partition = lane.counter.partition
        if partition.open_windows and partition.watermark is not None:
            size = self._plan.windows.size_ms
            return (partition.watermark // size + 1) * size + self._plan.windows.lateness_ms
        return None

    def _tick(self, now: int) -> list[Verdict]:
        for lane in self._lanes.values():
            times, records = lane.take(now)
            if records:
                before = times[0] // TICK_MS * TICK_MS
                if lane.silent(before, self._plan.idle_ms):
                    lane.counter.idle(before)
                self._count(lane, times, records)
        self._now = now
        counted = []
        for lane in self._lanes.values():
            silent = lane.silent(now, self._plan.idle_ms)
            if silent:
                lane.counter.idle(now)
            counted.append((lane.counter, silent))
        return hand_on(counted, self._judges)

    def _count(self, lane: Lane, times: list[int], records: list[SourceRecord]) -> None:
        """Count records of one tick, each with the baselines of its time."""
        while records:
            baselines, change = self._known.at(times[0])
            cut = len(times) if change is None else bisect_left(times, change)
            batch = records[:cut]
            for portion in portions(batch, baselines, self._plan.limits):
                self.refused += lane.counter.count(portion, self.totals)
            lane.heard, lane.following = times[cut - 1], batch[-1].offset + 1
            times, records = times[cut:], records[cut:]


def _tick_of(moment: int) -> int:
    """The first tick that is not before a moment."""
    return -(-moment // TICK_MS) * TICK_MS
