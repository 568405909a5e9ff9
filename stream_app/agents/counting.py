"""Stage 1: batches of `predictions` are counted into windows, by source partition; finished windows go to stage 2.

The order that makes it exact, whatever crashes in between:

    dead letters acknowledged -> counted and written, without an await between -> final partials acknowledged
    -> their windows deleted -> heartbeat

Counting goes on while partials wait for their acknowledgement: nothing is counted into an ended window any more. It
stops where too many wait (owned.py, MOST_ENDED).
"""

from __future__ import annotations

import logging
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from contracts.dead_letters import DeadLetter
from contracts.topics import LARGEST_STATE
from stream_app.agents.holes import Holes
from stream_app.agents.owned import Owned, Owning
from stream_app.agents.patience import Clock, Lost, until_done
from stream_app.agents.ports import Batch, KnownBaselines
from stream_app.errors import NotFollowed
from stream_app.log_lines import seldom
from stream_app.telemetry import Telemetry
from stream_app.windowing.accepted import Events
from stream_app.windowing.accumulator import Touched
from stream_app.windowing.decoding import Decoded, Limits, SourceRecord, decode_batch
from stream_app.windowing.state import TooLarge, check_sizes
from stream_app.windowing.typed import Version

log = logging.getLogger(__name__)


class _Uncountable(Exception):
    """The pure code raised on these records: a fault of ours, met by some record of them."""


class Read(Protocol):
    """What became of a batch's records; see windowing/decoding.py."""

    @property
    def refused(self) -> list[DeadLetter]: ...
    @property
    def unknown(self) -> set[Version]: ...
    @property
    def unknown_offsets(self) -> list[int]: ...


D = TypeVar("D", bound=Read)


class _LookUps:
    """Versions are refused when the end of `baselines` was asked for after their records were here: what was published
    before those records is known then. One question, of up to half a second, does for all batches that wait.
    """

    def __init__(self, baselines: KnownBaselines, clock: Clock) -> None:
        self._baselines, self._clock = baselines, clock
        self._asked = float("-inf")

    def cover(self, batch: Batch) -> bool:
        """Whether the last one began after this batch was here."""
        return batch.taken < self._asked

    async def make(self) -> None:
        """Read `baselines` to the end that it has now. Raises KafkaError, BrokerError: then nothing was looked up."""
        asked = self._clock.seconds()
        await self._baselines.refresh()
        self._asked = asked


class Stage1Agent(Generic[D]):
    """The agent of a topic that is counted. topic: its name, for the log. largest: bytes that a record of the state may
    have. cannot_go_on: ends the worker; with what to do."""

    def __init__(
        self,
        topic: str,
        owned: Owning[Any],
        baselines: KnownBaselines,
        telemetry: Telemetry,
        largest: int = LARGEST_STATE,
        cannot_go_on: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._topic, self._owned = topic, owned
        self._baselines, self._telemetry = baselines, telemetry
        self._largest, self._cannot_go_on = largest, cannot_go_on
        self._holes = Holes(topic, owned.source, telemetry)
        self._look_ups = _LookUps(baselines, owned.clock)

    async def handle(self, batch: Batch) -> None:
        """Count a batch. Returns when it is counted, or is not ours any more, or will be read again. Never raises."""

        async def read() -> None:
            async with self._owned.locks[batch.partition]:
                self._owned.heard[batch.partition] = self._owned.clock.seconds()
                await self._read(batch)

        def failed(pause: float) -> None:
            self._owned.reload(batch.partition)
            if isinstance(error := sys.exception(), TooLarge | NotFollowed):
                self._cannot_go_on(f"{self._topic}/{batch.partition} offset {batch.first_offset}: {error}")
                return
            where = self._topic, batch.partition, batch.first_offset, batch.offset
            log.exception("%s/%s offsets %s to %s: not counted, next try in %g s", *where, pause)
            self._telemetry.retries.labels("count").inc()

        source = self._owned.source
        if not await until_done(read, failed, lambda: source.stopping, self._owned.clock):
            source.abandon(batch.partition)
        if source.stopping:
            await self._owned.handed_on()
        self._telemetry.batches.inc()

    async def _read(self, batch: Batch) -> None:
        self._owned.check(batch.epoch)
        partition = self._owned.partition(batch.partition)
        expected = partition.gap(batch.first_offset)
        start = batch.first_offset if partition.next_offset is None else partition.next_offset
        if expected is not None:
            hole = await self._holes.passable(batch.partition, expected, batch.first_offset)
            if hole is None:
                raise Lost
            if hole == "deleted":  # these were records: the accounts must show that nobody read them
                start = batch.first_offset
        records = batch.records
        if batch.first_offset < start:  # read again after a rebalance
            records = [record for record in records if record.offset >= start]
            self._telemetry.events.labels("redelivered").inc(len(batch.records) - len(records))
        if records:
            await self._count(batch, records, start)
        await self._owned.hand_on_soon(batch.partition, batch.epoch)

    async def _count(self, batch: Batch, records: Sequence[SourceRecord], start: int) -> None:
        """Count records; where that raises, find the one that cannot be counted and make it a dead letter.

        start: the offset from which on they are all that the log has.
        """
        try:
            decoded = await self._decode(batch, records)
            await self._refuse(decoded.refused)
            self._owned.check(batch.epoch)
            self._apply(batch, decoded, start, records[-1].offset)
        except _Uncountable as error:
            self._owned.reload(batch.partition)
            if len(records) > 1:
                middle = len(records) // 2
                await self._count(batch, records[:middle], start)
                await self._count(batch, records[middle:], records[middle - 1].offset + 1)
                return
            letter = DeadLetter.of(records[0], "malformed", f"cannot be counted: {error.__cause__!r}")
            log.exception("%s: %s", letter.id, letter.detail)
            await self._refuse([letter])
            self._owned.check(batch.epoch)
            self._apply(batch, self._nothing_but(letter), start, records[0].offset)

    async def _decode(self, batch: Batch, records: Sequence[SourceRecord]) -> D:
        decoded = self._decoded(records, final=self._look_ups.cover(batch))
        if decoded.unknown_offsets:
            await self._look_ups.make()
            decoded = self._decoded(records, final=True)
        for model, version in sorted(decoded.unknown):
            # a foreign name may hold a megabyte, or line breaks that look like lines of this log
            name = f"{model}/{version}"
            log.warning("no baseline for %.100r: its records go to dead letters", name, extra=seldom(name))
        return decoded

    def _decoded(self, records: Sequence[SourceRecord], *, final: bool) -> D:
        try:
            return self._read_batch(records, final=final)
        except Exception as error:
            raise _Uncountable from error

    async def _refuse(self, letters: Sequence[DeadLetter]) -> None:
        if letters:
            await self._owned.publisher.dead_letters(letters)
            for letter in letters:
                self._telemetry.dead_letters.labels(letter.reason).inc()

    def _apply(self, batch: Batch, decoded: D, first: int, last: int) -> None:
        """Count and write in one go: no await may come between, or a crash could find one without the other."""
        number = batch.partition
        partition = self._owned.partition(number)
        try:
            touched = partition.apply(decoded, first, last)
            stored = partition.stored(touched.keys)
        except Exception as error:
            raise _Uncountable from error
        check_sizes(stored, self._largest)
        for key, value in stored:
            batch.writes.append(self._owned.store.put(number, key, value))
        for outcome, amount in self._outcomes(touched).items():
            if amount:
                self._telemetry.events.labels(outcome).inc(amount)

    @abstractmethod
    def _read_batch(self, records: Sequence[SourceRecord], *, final: bool) -> D:
        """Decode; may be called again with final=True, when versions were unknown."""

    @abstractmethod
    def _nothing_but(self, letter: DeadLetter) -> D:
        """A batch of one record, which was refused."""

    @abstractmethod
    def _outcomes(self, touched: Any) -> Mapping[str, int]:
        """What apply() did, for the metrics."""


class Counting(Stage1Agent[Decoded]):
    """The agent of `predictions`."""

    def __init__(
        self,
        topic: str,
        limits: Limits,
        owned: Owned,
        baselines: KnownBaselines,
        telemetry: Telemetry,
        largest: int = LARGEST_STATE,
        cannot_go_on: Callable[[str], None] = lambda words: None,
    ) -> None:
        super().__init__(topic, owned, baselines, telemetry, largest, cannot_go_on)
        self._limits = limits

    def _read_batch(self, records: Sequence[SourceRecord], *, final: bool) -> Decoded:
        return decode_batch(records, self._baselines.by_version, self._limits, final=final)

    def _nothing_but(self, letter: DeadLetter) -> Decoded:
        return Decoded(Events.none(), [letter], set(), [])

    def _outcomes(self, touched: Touched) -> Mapping[str, int]:
        return {
            "counted": touched.counted,
            "late": touched.late,
            "repeat": touched.repeats,
            "refused": touched.refused,
        }
