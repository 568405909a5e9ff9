"""Records of several source partitions, replayed by the clock that the broker stamped them with. Pure.

Where nothing is silent the records alone decide. Silence does not leave a record: a live worker lets time pass in a
partition that has had none for a while, twice a second. So the replay ticks as often, by the records' times:

    partition 0   e e e e e . . . . . . . . . . s      s: late or not, by how far time had passed of itself
    tick          | | | | | | | | | | | | | | | |
    silent                        from here, `idle_ms` and a tick after the last record

A live worker knows at a tick that nothing waited at the one before it: silence has lasted, and time passes, until then.
Its idle heartbeat names its newest one before that (see windowing/frontier.py), and so carries it to where the others
were two ticks ago.

Between two ticks each partition's records are counted in their order; then windows that are over are handed on. Ticks
at which nothing can happen are left out; idle heartbeats alone can close a window for two ticks behind a change. Those
between which no partition falls silent or wakes up are taken as one: the order in which partitions are counted changes
nothing then. Only the last two before an idle one wakes up are not: what it said there decides what is late.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from contracts.dead_letters import DeadLetter
from contracts.partials import Heartbeat
from stream_app.replay.counting import CountedPartition, portions, rest
from stream_app.replay.judging import Judges, Plan, Verdict
from stream_app.replay.known import KnownBaselines
from stream_app.replay.outcome import Totals
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import SourceRecord
from stream_app.windowing.forever import NEVER

TICK_MS = 500
"""As stream_app/app.py ticks."""
PROOF_MS = TICK_MS
"""What a worker knows at a tick of a log's end is as old: see `_proven` in agents/silence.py."""
_CARRIED_MS = 2 * TICK_MS
"""So long behind a change idle heartbeats name one that was said before it."""


class Lane:
    """One source partition. ends_before: its offset where reading stops although the log goes on; None: nowhere."""

    def __init__(self, counter: CountedPartition, start: int, ends_before: int | None, idle_ms: int) -> None:
        self.counter = counter
        self.heard = self.clock = NEVER
        self.following = start
        self.ends_before = ends_before
        self.times: list[int] = []
        self.records: list[SourceRecord] = []
        self._silent_ms = idle_ms + PROOF_MS
        self._before_pauses: deque[int] = deque()
        self._words: deque[int] = deque()  # when it was said to be idle, since it is

    def offer(self, records: Sequence[SourceRecord]) -> None:
        """Records behind those offered before. Their clock never goes back."""
        for record in records:
            if record.timestamp - self.clock > self._silent_ms:
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

    def falls_silent(self, now: int) -> int:
        """When a partition that is not silent now will be, by the records offered so far."""
        if not self.times or self.times[0] - self.heard > self._silent_ms:
            return self.alone_from
        while self._before_pauses and self._before_pauses[0] + self._silent_ms < now:
            self._before_pauses.popleft()
        return (self._before_pauses[0] if self._before_pauses else self.clock) + self._silent_ms + 1

    @property
    def alone_from(self) -> int:
        """When it is silent if nothing more is heard."""
        return self.heard + self._silent_ms + 1

    def silent(self, now: int) -> bool:
        """Whether time passes here by itself: not where the log goes on and is not read."""
        ended = self.ends_before is not None and self.following >= self.ends_before
        return now >= self.alone_from and not ended

    def idle(self, now: int) -> None:
        """At a tick at which it is silent: let time pass."""
        self.counter.idle(now - PROOF_MS)

    def say(self, now: int, partitions: int) -> Heartbeat:
        """Its heartbeat at a tick, as `_say` in agents/owned.py makes it."""
        found = self.counter.partition.heartbeat(0, partitions, self.silent(now))
        if not found.idle:
            self._words.clear()
            return found
        while len(self._words) > 1 and self._words[1] < now - PROOF_MS:
            self._words.popleft()
        behind = self._words[0] if self._words and self._words[0] < now - PROOF_MS else 0
        self._words.append(now)
        return replace(found, said=now, behind=behind)


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
            number: Lane(CountedPartition(number, plan.windows, known.by_digest), start, ends.get(number), plan.idle_ms)
            for number, start in sorted(starts.items())
        }
        self._now = NEVER
        self._said: list[tuple[int | None, bool]] = []
        self._carried = self._steady = NEVER  # two ticks behind the last change of what is said, and of who is idle
        self.totals = Totals()
        self.refused: list[DeadLetter] = []

    def offer(self, number: int, records: Sequence[SourceRecord]) -> None:
        """Records of one partition, behind those offered before."""
        self._lanes[number].offer(records)

    def advance(self, until: int) -> list[Verdict]:
        """Let time pass up to the last tick not behind `until`; all earlier records must have been offered."""
        verdicts: list[Verdict] = []
        if self._now == NEVER:
            first = min((lane.times[0] for lane in self._lanes.values() if lane.times), default=until)
            if first >= until:
                return verdicts
            for lane in self._lanes.values():
                lane.heard = first
            verdicts += self._tick(first)  # every partition is heard of
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
        if self._now < self._steady or (self._now < self._carried and self._judges.waiting):
            moments.append(self._now + 1)
        return max(_tick_of(min(moments)), self._now + 1) if moments else None

    def _without_a_change(self, until: int) -> int:
        """The last tick, not behind `until`, up to which all records can be taken at once; NEVER: of one tick alone."""
        last = until // TICK_MS * TICK_MS
        silent = sum(lane.silent(self._now) for lane in self._lanes.values())
        if silent == len(self._lanes) or self._now < self._steady:
            return NEVER
        if silent:
            last -= _CARRIED_MS  # it may wake up behind `until`
        for lane in self._lanes.values():
            if not lane.silent(self._now):
                last = min(last, _tick_of(lane.falls_silent(self._now)))
                continue
            if lane.times:
                last = min(last, lane.times[0] // TICK_MS * TICK_MS - _CARRIED_MS)
            if (moment := self._alone(lane)) is not None:
                last = min(last, _tick_of(moment))
        return last

    def _alone(self, lane: Lane) -> int | None:
        """When the passing of time alone changes something about a partition; None: never."""
        if not lane.silent(self._now):
            return lane.alone_from if lane.alone_from > self._now else None  # the reading ended here
        partition = lane.counter.partition
        if partition.open_windows and partition.watermark is not None:
            size = self._plan.windows.size_ms
            return (partition.watermark // size + 1) * size + self._plan.windows.lateness_ms + PROOF_MS
        return None

    def _tick(self, now: int) -> list[Verdict]:
        for lane in self._lanes.values():
            times, records = lane.take(now)
            if records:
                before = times[0] // TICK_MS * TICK_MS
                if lane.silent(before):
                    lane.idle(before)
                self._count(lane, times, records)
        self._now = now
        for lane in self._lanes.values():
            if lane.silent(now):
                lane.idle(now)
        finals = [partial for lane in self._lanes.values() for partial in lane.counter.finals()]
        beats = [lane.say(now, len(self._lanes)) for lane in self._lanes.values()]
        said = [(beat.watermark, beat.idle) for beat in beats]
        if [idle for _, idle in said] != [idle for _, idle in self._said]:
            self._steady = now + _CARRIED_MS
        if said != self._said:
            self._said, self._carried = said, now + _CARRIED_MS
        # The idle ones last: each stands for where the others are at this tick.
        return self._judges.hear(finals, sorted(beats, key=lambda beat: beat.idle))

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
