"""A small world for the windowing core: logs, changelogs and topics as lists, crashes as prefixes of what was written.

Nothing here is clever: it only moves bytes between the real Partition and Merger, loses what a crash may lose, and
keeps a book by hand (`Truth`) that knows neither batches nor crashes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from contracts.baseline import Baseline
from contracts.events import parse_id
from contracts.partials import Heartbeat, decode_partial, encode_partial
from stream_app.windowing.accounts import Accounts, accounts_of
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import Accepted, decode_batch
from stream_app.windowing.merged_state import VersionKey, decode_version, parse_merged_key
from stream_app.windowing.merger import Merger, MergerConfig
from stream_app.windowing.state import MetaKey, decode_meta, decode_part, parse_key
from stream_app.windowing.tumbling import WindowConfig
from tests.unit.stream_app.windowing.stand import FIRST, NO_LIMITS, SECOND, Record, by_digest, by_version, folded

Writes = list[tuple[bytes, bytes | None]]
Window = tuple[str, str, int]


class Truth(NamedTuple):
    """What one source partition must have done with its log."""

    windows: dict[Window, list[Accepted]]
    late: int
    repeats: int
    refused: int


class Advance(NamedTuple):
    """An idle partition's watermark was moved: after this write, before this offset."""

    write: int
    offset: int
    to: int


class World:
    """`partitions` source partitions and one partition of `window-partials`."""

    def __init__(self, partitions: int, config: WindowConfig, minimum_rows: int) -> None:
        self.config, self.merging = config, MergerConfig(minimum_rows=minimum_rows)
        self.generation = 1
        self.current: Baseline = FIRST
        self.logs: list[list[Record]] = [[] for _ in range(partitions)]
        self.written: list[Writes] = [[] for _ in range(partitions)]
        self.durable = [0] * partitions
        self.advances: list[list[Advance]] = [[] for _ in range(partitions)]
        self.position = [0] * partitions
        self.partitions = [Partition(number, config) for number in range(partitions)]
        self.zombies: dict[int, tuple[Partition, int]] = {}
        self.topic: list[bytes] = []
        self.read = 0
        self.merged: Writes = []
        self.durable_merged = 0
        self.writes_after: list[int] = []
        self.merger = Merger(0, self.merging, by_digest())
        self.reports: dict[Window, list[Closing]] = defaultdict(list)

    # ---- stage 1
    def produce(self, partition: int, value: bytes | None) -> None:
        log = self.logs[partition]
        log.append(Record("predictions", partition, len(log), 0, None, value))

    def deliver(self, number: int, count: int) -> None:
        records = self.logs[number][self.position[number] :][:count]
        if not records:
            return
        partition = self.partitions[number]
        assert partition.gap(records[0].offset) is None
        batch = decode_batch(records, by_version(self.current, SECOND), NO_LIMITS, final=True)
        touched = partition.apply(batch, records[0].offset, records[-1].offset)
        assert touched.redelivered + touched.counted + touched.late + touched.repeats + touched.refused == len(records)
        self.written[number] += partition.stored(touched.keys)
        self.position[number] = records[-1].offset + 1
        self._check_meta(number)

    def _check_meta(self, number: int) -> None:
        meta = self.partitions[number].meta
        assert meta is not None
        booked = sum(a.counted + a.late + a.repeats for a in meta.accounts.values()) + sum(meta.refused.values())
        assert meta.read == booked == meta.last_offset + 1 - meta.first_offset

    def flush(self, number: int) -> None:
        self.durable[number] = len(self.written[number])

    def crash(self, number: int, kept: float, back: float) -> None:
        """Lose memory and a tail of the writes; begin again anywhere at or before what is stored."""
        writes = self.written[number]
        keep = self.durable[number] + round(kept * (len(writes) - self.durable[number]))
        self.zombies[number] = self.partitions[number], self.generation
        self.generation += 1
        del writes[keep:]
        self.flush(number)
        self.advances[number] = [advance for advance in self.advances[number] if advance.write < keep]
        stored = folded(writes)
        self.partitions[number] = Partition.restore(number, self.config, stored.items(), by_digest())
        following = self.partitions[number].next_offset or 0
        self.position[number] = round(back * following)

    def idle(self, number: int, now: int) -> None:
        """Only without lag, as the shell does."""
        if self.position[number] == len(self.logs[number]) and self.partitions[number].idle(now):
            watermark = self.partitions[number].watermark
            assert watermark is not None
            self.advances[number].append(Advance(len(self.written[number]), self.position[number], watermark))
            self.written[number] += self.partitions[number].stored()

    def send_due(self, number: int, reached: float, acknowledged: float) -> None:
        """Some of the partials reach the topic, of some the acknowledgement comes back."""
        due = self.partitions[number].due()
        reach = round(reached * len(due))
        for i, partial in enumerate(due[:reach]):
            self.topic.append(encode_partial(partial))
            if i < round(acknowledged * reach):
                self.written[number].append((self.partitions[number].acknowledged(partial), None))

    def beat(self, number: int, *, silent: bool) -> None:
        self.flush(number)  # an idle advance must be durable before it is told
        silent = silent and self.position[number] == len(self.logs[number])
        self.topic.append(encode_partial(self.partitions[number].heartbeat(self.generation, len(self.logs), silent)))

    def haunt(self, number: int) -> None:
        """A worker that has lost the partition wakes up and sends what it has."""
        if number in self.zombies:
            zombie, generation = self.zombies[number]
            self.topic += [encode_partial(partial) for partial in zombie.due()]
            self.topic.append(encode_partial(zombie.heartbeat(generation, len(self.logs), silent=False)))

    # ---- stage 2
    def merge(self, count: int) -> None:
        for offset in range(self.read, min(self.read + count, len(self.topic))):
            message = decode_partial(self.topic[offset])
            if isinstance(message, Heartbeat):
                self.merger.on_heartbeat(message)
            else:
                self.merged += self.merger.on_partial(message, offset)
            del self.writes_after[offset:]
            self.writes_after.append(len(self.merged))
            self.read = offset + 1

    def close(self) -> None:
        for closing in self.merger.due():
            self.reports[closing.model, closing.version, closing.window_start].append(closing)
            policy = b"%d" % (int(self.merger.policy(closing.model, closing.version) or b"0") + 1)
            self.merged += self.merger.close(closing, policy)

    def crash_merger(self, kept: float, back: float) -> None:
        keep = self.durable_merged + round(kept * (len(self.merged) - self.durable_merged))
        del self.merged[keep:]
        self.durable_merged = keep
        # an offset is committed when what it made was written
        safe = sum(1 for after in self.writes_after if after <= keep)
        self.read = round(back * min(self.read, safe))
        self.merger = Merger.restore(0, self.merging, folded(self.merged).items(), by_digest())

    # ---- the end
    def finish(self, now: int) -> None:
        """All is read, time passes, all is sent, merged and closed."""
        for number in range(len(self.logs)):
            self.deliver(number, 1 << 30)
            self.send_due(number, 1, 1)
            self.idle(number, now)
            self.send_due(number, 1, 1)
        self.generation += 1
        for number in range(len(self.logs)):
            self.beat(number, silent=True)
        self.merge(1 << 30)
        self.close()
        assert self.merger.pending == 0

    def accounts(self) -> Accounts:
        """Of what is stored."""
        tables = [folded(writes) for writes in self.written]
        stored = [(parse_key(key), value) for table in tables for key, value in table.items()]
        merged = [(parse_merged_key(key), value) for key, value in folded(self.merged).items()]
        return accounts_of(
            [decode_meta(value) for key, value in stored if isinstance(key, MetaKey)],
            [decode_part(value) for key, value in stored if not isinstance(key, MetaKey)],
            [decode_version(value) for key, value in merged if isinstance(key, VersionKey)],
            [decode_part(value) for key, value in merged if not isinstance(key, VersionKey)],
        )

    def truth(self, number: int) -> Truth:
        """The log of a partition, one record after the other."""
        size, lateness = self.config.size_ms, self.config.lateness_ms
        windows: dict[Window, list[Accepted]] = defaultdict(list)
        seen: set[str] = set()
        late = repeats = refused = 0
        watermark = -(1 << 60)
        moves = list(self.advances[number])
        for record in self.logs[number]:
            while moves and moves[0].offset <= record.offset:
                watermark = max(watermark, moves.pop(0).to)
            accepted = decode_batch([record], by_version(), NO_LIMITS, final=True).accepted
            if not accepted:
                refused += 1
                continue
            item = accepted[0]
            start = item.time_ms - item.time_ms % size
            if item.event.id in seen and parse_id(item.event.id):  # of a foreign id nothing is known
                repeats += 1
            elif start + size <= watermark:
                late += 1
            else:
                windows[item.event.model, item.event.model_version, start].append(item)
            seen.add(item.event.id)
            if start + size > watermark:
                watermark = max(watermark, item.time_ms - lateness)
        return Truth(dict(windows), late, repeats, refused)
