"""A small world for the windowing core: logs, state topics and window-partials as lists, and what may happen to them.

Nothing here is clever: it moves bytes between the real Partition and Merger, loses what a crash may lose, and lets a
worker that has lost its partition go on. What must come of it is said by naive.py, from what the producers meant.

How a state topic fares. A worker's writes wait in its own buffer and arrive in their order; those of two workers arrive
in any order. A killed worker's buffer is lost; a frozen one's arrives when it wakes, behind its successor's. Whoever
takes over reads what has arrived and keeps the youngest value of each key. Kafka may leave but the last of each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from contracts.baseline import Baseline
from contracts.partials import Heartbeat, PartialMessage, decode_partial, encode_partial
from stream_app.windowing.accounts import Accounts, accounts_of
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import Limits
from stream_app.windowing.merged_state import age_of_merged, merged_of
from stream_app.windowing.merger import Merger, MergerConfig
from stream_app.windowing.state import MetaKey, age_of, decode_meta, decode_part, parse_key
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.windowing.naive import Book, Moved, Row, Rules, Window, book
from tests.unit.stream_app.windowing.stand import FIRST, OTHER, SECOND, Record, by_digest, read

Write = tuple[bytes, bytes | None]
ALL_OF_IT = 1 << 30


class StateTopic:
    """One partition of a state topic: see the module's head."""

    def __init__(self, age: Callable[[bytes, bytes], tuple[int, int]]) -> None:
        self._age = age
        self.arrived: list[Write] = []

    def recovered(self) -> dict[bytes, bytes]:
        table: dict[bytes, bytes] = {}
        for key, value in self.arrived:
            if value is None:
                table.pop(key, None)
            elif key not in table or self._age(key, value) >= self._age(key, table[key]):
                table[key] = value
        return table

    def compact(self) -> None:
        """Kafka keeps the last of each key; by then the owner has written over what came late, as delivery/ does."""
        last = dict(self.arrived)
        late = [(key, value) for key, value in self.recovered().items() if last[key] not in (None, value)]
        self.arrived = list({**last, **dict(late)}.items())


class Buffer:
    """What one worker has written and Kafka does not have yet."""

    def __init__(self, topic: StateTopic) -> None:
        self._topic = topic
        self._waiting: list[Write] = []
        self.written = self.flushed = 0

    def write(self, records: list[Write]) -> None:
        self._waiting += records
        self.written += len(records)

    def flush(self, share: float = 1.0) -> None:
        number = round(share * len(self._waiting))
        self._topic.arrived += self._waiting[:number]
        del self._waiting[:number]
        self.flushed += number


class Owner:
    """A worker's hold on one source partition. until: where its knowledge of the log ends; for one that lost it.

    meant: a heartbeat that is made and not on the topic yet. words: the idle ones that are.
    """

    def __init__(self, partition: Partition, buffer: Buffer, position: int, generation: int) -> None:
        self.partition, self.buffer, self.position, self.generation = partition, buffer, position, generation
        self.until = ALL_OF_IT
        self.meant: Heartbeat | None = None
        self.words: list[int] = []
        self.told = -(1 << 62)


class MergeOwner:
    """A worker's hold on the partition of window-partials. marks: (offset, its writes so far), by which it commits.

    known_to: where the topic ended when its state was restored.
    """

    def __init__(self, merger: Merger, buffer: Buffer, position: int, known_to: int) -> None:
        self.merger, self.buffer, self.position, self.known_to = merger, buffer, position, known_to
        self.marks: list[tuple[int, int]] = []

    @property
    def committed(self) -> int:
        """Behind the last message all of whose writes have arrived."""
        done = [offset for offset, written in self.marks if written <= self.buffer.flushed]
        return max(done, default=-1) + 1


class Settings(NamedTuple):
    rules: Rules
    minimum_rows: int = 1
    partitions: int = 3


class World:
    """Source partitions, one partition of window-partials, and the workers that hold them."""

    def __init__(self, settings: Settings) -> None:
        self.rules = settings.rules
        self.config = WindowConfig(self.rules.size, self.rules.lateness)
        self.limits = Limits(max_future_ms=self.rules.future, max_age_ms=self.rules.age)
        self.merging = MergerConfig(minimum_rows=settings.minimum_rows)
        self.current: Baseline = FIRST
        self.numbers = range(settings.partitions)
        self.generation = 1
        self.rows: list[list[Row]] = [[] for _ in self.numbers]
        self.logs: list[list[Record]] = [[] for _ in self.numbers]
        self.moves: list[list[Moved]] = [[] for _ in self.numbers]
        self.states = [StateTopic(age_of) for _ in self.numbers]
        self.owners = [Owner(Partition(n, self.config), Buffer(self.states[n]), 0, 1) for n in self.numbers]
        self.zombies: dict[int, Owner] = {}
        self.topic: list[PartialMessage] = []
        self.merged = StateTopic(age_of_merged)
        self.merge_owner = MergeOwner(Merger(0, self.merging, by_digest()), Buffer(self.merged), 0, 0)
        self.merge_zombie: MergeOwner | None = None
        self.reports: dict[Window, list[Closing]] = defaultdict(list)
        self.told: dict[tuple[int, Window], list[Closing]] = defaultdict(list)
        """The reports by how often a merger has haunted before."""
        self.hauntings = self.said = 0

    # ---- the log
    def produce(self, number: int, row: Row, value: bytes | None) -> None:
        """stamp: the broker's clock; it never goes back within a partition."""
        log = self.logs[number]
        stamp = max(row.stamp, log[-1].timestamp) if log else row.stamp
        self.rows[number].append(row._replace(stamp=stamp))
        log.append(Record("predictions", number, len(log), stamp, b"key", value))

    # ---- stage 1
    def deliver(self, number: int, count: int, owner: Owner | None = None) -> None:
        owner = owner or self.owners[number]
        records = self.logs[number][owner.position : owner.until][:count]
        if not records:
            return
        partition, before = owner.partition, owner.partition.watermark
        assert partition.gap(records[0].offset) is None
        touched = read(partition, records, self.current, SECOND, OTHER, limits=self.limits)
        assert touched.redelivered + touched.counted + touched.late + touched.repeats + touched.refused == len(records)
        assert before is None or (partition.watermark is not None and partition.watermark >= before)
        owner.buffer.write([*partition.stored(touched.keys)])
        owner.position = records[-1].offset + 1
        meta = partition.meta
        assert meta is not None
        booked = sum(a.counted + a.late + a.repeats for a in meta.accounts.values()) + sum(meta.refused.values())
        assert meta.read == booked == meta.last_offset + 1 - meta.first_offset

    def change_owner(self, number: int, arrived: float, back: float, *, killed: bool) -> None:
        """A share of the writes arrives; the next worker begins anywhere at or before what is stored."""
        former = self.owners[number]
        former.buffer.flush(arrived)
        self.zombies.pop(number, None)
        if not killed:
            self.zombies[number] = former
        self.generation += 1
        partition = Partition.restore(number, self.config, self.states[number].recovered().items(), by_digest())
        position = round(back * (partition.next_offset or 0))
        self.owners[number] = Owner(partition, Buffer(self.states[number]), position, self.generation)

    def idle(self, number: int, now: int) -> None:
        """Only without lag and, as the shell does, durable before anybody is told."""
        owner = self.owners[number]
        before = owner.partition.watermark
        if owner.position != len(self.logs[number]) or not owner.partition.idle(now):
            return
        after = owner.partition.watermark
        assert after is not None
        assert before is None or after > before
        self.moves[number].append(Moved(owner.position, after))
        owner.buffer.write([*owner.partition.stored()])
        owner.buffer.flush()
        # Silence takes longer than a worker goes on without hearing from the group: a zombie then knows no later event.
        if number in self.zombies:
            self.zombies[number].until = min(self.zombies[number].until, owner.position)

    def send_due(self, number: int, reached: float, acknowledged: float, owner: Owner | None = None) -> None:
        """Some of the partials reach the topic, of some the acknowledgement comes back."""
        owner = owner or self.owners[number]
        due = owner.partition.due()
        reach = round(reached * len(due))
        for i, partial in enumerate(due[:reach]):
            self.topic.append(decode_partial(encode_partial(partial)))
            if i < round(acknowledged * reach):
                owner.buffer.write([(owner.partition.acknowledged(partial), None)])

    def beat(self, number: int, *, silent: bool, owner: Owner | None = None) -> None:
        owner = owner or self.owners[number]
        self.look(number, silent=silent, owner=owner)
        self.say(owner)

    def look(self, number: int, *, silent: bool, owner: Owner | None = None) -> None:
        """Find out how far the partition is; it is said later."""
        owner = owner or self.owners[number]
        silent = silent and owner.position == len(self.logs[number])
        beat = owner.partition.heartbeat(owner.generation, len(self.numbers), silent)
        if beat.watermark is not None:
            assert beat.watermark >= owner.told
            owner.told = beat.watermark
        self.said += 1
        behind = owner.words[-1] if beat.idle and owner.words else 0
        owner.meant = msgspec.structs.replace(beat, said=self.said, behind=behind)

    def say(self, owner: Owner) -> None:
        """Nothing where there is nothing to say."""
        if owner.meant is not None:
            self.topic.append(decode_partial(encode_partial(owner.meant)))
            owner.words = [*owner.words, owner.meant.said] if owner.meant.idle else []
            owner.meant = None

    def haunt(self, number: int, count: int, arrived: float, acknowledged: float) -> None:
        """A worker that has lost the partition and does not know it goes on: it counts, writes, sends and speaks."""
        if zombie := self.zombies.get(number):
            self.deliver(number, count, zombie)
            self.send_due(number, 1, acknowledged, zombie)
            self.beat(number, silent=False, owner=zombie)
            zombie.buffer.flush(arrived)

    # ---- stage 2
    def merge(self, count: int, owner: MergeOwner | None = None) -> None:
        owner = owner or self.merge_owner
        for offset in range(owner.position, min(owner.position + count, len(self.topic))):
            message = self.topic[offset]
            if isinstance(message, Heartbeat):
                owner.merger.on_heartbeat(message, past=offset < owner.known_to)
                owner.buffer.write(owner.merger.unwritten())
            else:
                owner.buffer.write(owner.merger.on_partial(message, offset))
            owner.marks.append((offset, owner.buffer.written))
            owner.position = offset + 1

    def close(self, owner: MergeOwner | None = None, *, killed_at: int | None = None) -> None:
        """killed_at: the worker dies when that many reports are out, before it has closed the window of the last."""
        owner = owner or self.merge_owner
        merger = owner.merger
        for number, closing in enumerate(merger.due(), 1):
            owner.buffer.write(merger.announce(closing))
            owner.buffer.flush()
            window = closing.model, closing.version, closing.window_start
            self.reports[window].append(closing)
            self.told[self.hauntings, window].append(closing)
            if number == killed_at:
                self.change_merge_owner(0.0, 1.0, killed=True)
                return
            policy = b"%d" % (int(merger.policy(closing.model, closing.version) or b"0") + 1)
            owner.buffer.write(merger.close(closing, policy))

    def change_merge_owner(self, arrived: float, back: float, *, killed: bool) -> None:
        former = self.merge_owner
        former.buffer.flush(arrived)
        self.merge_zombie = None if killed else former
        merger = Merger.restore(0, self.merging, self.merged.recovered().items(), by_digest())
        self.merge_owner = MergeOwner(merger, Buffer(self.merged), round(back * former.committed), len(self.topic))

    def haunt_merger(self, count: int, arrived: float) -> None:
        if zombie := self.merge_zombie:
            self.hauntings += 1
            self.merge(count, zombie)
            self.close(zombie)
            zombie.buffer.flush(arrived)
            self.hauntings += 1

    # ---- the end
    def finish(self, now: int) -> None:
        """All is read, time passes, all is sent, merged and closed; everything has arrived."""
        for number in self.numbers:
            self.deliver(number, ALL_OF_IT)
            self.send_due(number, 1, 1)
            self.idle(number, now)
            self.send_due(number, 1, 1)
            self.owners[number].buffer.flush()
        self.generation += 1
        for number in self.numbers:
            self.owners[number].generation = self.generation
        for number in [*self.numbers, *self.numbers]:
            self.beat(number, silent=True)
        self.merge(ALL_OF_IT)
        self.close()
        self.merge_owner.buffer.flush()
        assert self.merge_owner.merger.pending == 0

    def accounts(self) -> Accounts:
        """Of what is stored."""
        stored = [(parse_key(key), value) for state in self.states for key, value in state.recovered().items()]
        merged = merged_of(self.merged.recovered().items())
        return accounts_of(
            [decode_meta(value) for key, value in stored if isinstance(key, MetaKey)],
            [decode_part(value) for key, value in stored if not isinstance(key, MetaKey)],
            *(merged.versions, merged.parts, merged.closed),
        )

    def book(self, number: int) -> Book:
        """What the partition must have done."""
        return book(self.rows[number], self.moves[number], self.rules)
