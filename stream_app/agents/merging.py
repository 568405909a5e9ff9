"""Stage 2: parts of windows are merged; a window that is over is compared, reported, judged, and closed.

The order that makes it exact: what the report is made of is written -> report acknowledged -> alerts acknowledged ->
the version's record written, by which the window is closed, and its parts deleted. A crash in between repeats reports
and alerts, under the same ids, and they say the same: what came for the window since is late.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from contracts.dead_letters import DeadLetter
from contracts.errors import InvalidMessage, NewerFormat
from contracts.partials import PartialAggregate, decode_partial
from contracts.times import moment
from stream_app.agents.holes import Holes
from stream_app.agents.patience import Clock, Lost, until_done
from stream_app.agents.ports import Batch, KnownAlerts, KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.alerting.judging import judged
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.drift.rule import DecisionRule
from stream_app.telemetry import Telemetry
from stream_app.windowing.closing import Closing
from stream_app.windowing.decoding import SourceRecord
from stream_app.windowing.merger import Merger, MergerConfig, Records

log = logging.getLogger(__name__)
_HELD_SECONDS = 30.0
"""A version whose window cannot be compared is tried again after this; the other versions go on meanwhile."""


class MergingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How windows are merged, judged and paged."""

    merger: MergerConfig
    rule: DecisionRule
    policy: PolicyConfig


class Merging:
    """The agent of `window-partials`. topic: its name, for the log. cannot_go_on: ends the worker; with what to do."""

    def __init__(
        self,
        topic: str,
        config: MergingConfig,
        source: Source,
        store: Store,
        publisher: Publisher,
        baselines: KnownBaselines,
        alerts: KnownAlerts,
        telemetry: Telemetry,
        clock: Clock,
        cannot_go_on: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._topic, self._config, self._source, self._store = topic, config, source, store
        self._publisher, self._telemetry, self._clock = publisher, telemetry, clock
        self._baselines, self._alerts = baselines, alerts
        self._cannot_go_on = cannot_go_on
        self._holes = Holes(topic, source, telemetry)
        self._mergers: dict[int, Merger] = {}
        self._following: dict[int, int] = {}
        self._held: dict[tuple[str, str], float] = {}

    def restore(self, partitions: Iterable[int]) -> None:
        """Take up the stored state of these partitions and forget all others. Raises InvalidMessage."""
        self._mergers.clear()
        self._following.clear()
        for number in partitions:
            self._merger(number)

    async def handle(self, batch: Batch) -> None:
        """Take a batch in and close what is over. Returns when that is done or not ours any more. Never raises."""

        def failed(pause: float) -> None:
            self._mergers.pop(batch.partition, None)  # half done, perhaps: taken from the store again
            if isinstance(error := sys.exception(), NewerFormat):
                self._cannot_go_on(f"{self._topic}/{batch.partition}: {error}")
                return
            where = self._topic, batch.partition, batch.first_offset, batch.offset
            log.exception("%s/%s offsets %s to %s: not merged, next try in %g s", *where, pause)
            self._telemetry.retries.labels("merge").inc()

        async def read() -> None:
            await self._read(batch)

        if not await until_done(read, failed, lambda: self._source.stopping, self._clock):
            self._source.abandon(batch.partition)

    async def _read(self, batch: Batch) -> None:
        self._check(batch.epoch)
        number = batch.partition
        expected = self._following.get(number, self._source.began(number))
        if expected is not None and batch.first_offset > expected:
            if not await self._holes.passable(number, expected, batch.first_offset):
                raise Lost
            self._check(batch.epoch)
        merger = self._merger(number)
        records, letters = self._taken(merger, batch.records)
        await self._refuse(letters)
        await self._write(number, batch.epoch, records)
        await self._forget_lost_baselines(merger)
        closed: list[Awaitable[object]] = []
        for closing in merger.due(self._is_held):
            closed += await self._close(merger, closing, batch.epoch)
        await asyncio.gather(*closed)
        self._following[number] = batch.offset + 1
        self._telemetry.pending_windows.labels(str(number)).set(merger.pending)

    def _taken(self, merger: Merger, batch: Iterable[SourceRecord]) -> tuple[Records, list[DeadLetter]]:
        records: Records = []
        letters = []
        for record in batch:
            try:
                message = decode_partial(record.value or b"")
                if isinstance(message, PartialAggregate):
                    late = merger.version(message.model, message.version).late_rows
                    taken = merger.on_partial(message, record.offset, record.value)
                    late = merger.version(message.model, message.version).late_rows - late
                    self._telemetry.late_rows.inc(late)
                    records += taken
                    if not taken:
                        self._telemetry.repeated_partials.inc()
                elif not merger.on_heartbeat(message):
                    self._telemetry.fenced.inc()
            except NewerFormat:
                raise  # a dead letter would take rows out of a report that a later version can count
            except InvalidMessage as error:
                letters.append(DeadLetter.of(record, "unreadable", str(error)))
        return records, letters

    async def _refuse(self, letters: list[DeadLetter]) -> None:
        if letters:
            await self._publisher.dead_letters(letters)
            for letter in letters:
                log.error("%s: %s", letter.id, letter.detail)
                self._telemetry.dead_letters.labels(letter.reason).inc()

    async def _write(self, number: int, epoch: int, records: Records) -> None:
        """Durable before the batch is done: its offset may then be committed with nothing missing behind it."""
        await asyncio.gather(*self._put(number, epoch, records))

    def _put(self, number: int, epoch: int, records: Records) -> list[Awaitable[object]]:
        self._check(epoch)
        return [self._store.put(number, key, value) for key, value in records]

    async def _forget_lost_baselines(self, merger: Merger) -> None:
        if merger.unknown:
            await self._baselines.refresh()
            for digest in sorted(merger.unknown):
                log.error("baseline %s is not on its topic any more: what was counted with it is not compared", digest)
                merger.give_up(digest)

    async def _close(self, merger: Merger, closing: Closing, epoch: int) -> list[Awaitable[object]]:
        """Report a window and close it; what is to be awaited before the batch is done."""
        version, began = (closing.model, closing.version), self._clock.seconds()
        try:
            known = merger.policy(*version)
            before = PolicyState.from_bytes(known) if known else self._alerts.state(*version)
            # What was announced may be out: its repeat says the same, though somebody has muted it since.
            if (mutes := merger.announced_mutes(closing)) is None:
                mutes = self._alerts.mutes(*version, moment(closing.window_end))
            found, state, alerts = judged(closing, before, self._config.rule, self._config.policy, mutes)
        except Exception:
            # A fault of ours with this version's windows. They wait; those behind it wait too; all others go on.
            log.exception("%s/%s: its window cannot be compared, next try in %g s", *version, _HELD_SECONDS)
            self._telemetry.retries.labels("compare").inc()
            self._held[version] = began + _HELD_SECONDS
            return []
        self._held.pop(version, None)
        await self._write(merger.number, epoch, merger.announce(closing, mutes))
        self._check(epoch)  # its acknowledgement may have come when the partition was another worker's
        await self._publisher.report(found)
        self._telemetry.report_delay.observe((self._clock.wall_ms() - closing.window_end) / 1000)
        for alert in alerts:
            self._check(epoch)
            await self._publisher.alert(alert)
        written = self._put(merger.number, epoch, merger.close(closing, state.to_bytes()))
        self._telemetry.close_seconds.observe(self._clock.seconds() - began)
        self._telemetry.reports.labels(found.status).inc()
        self._telemetry.not_compared.inc(closing.other_rows)
        for alert in alerts:
            self._telemetry.alerts.labels(alert.transition).inc()
        named = f": {', '.join(found.alarms)}" if found.alarms else ""
        named += f"; muted: {', '.join(mute.subject for mute in mutes)}" if mutes else ""
        log.info("%s: %s, %s rows%s", found.id, found.status, found.rows, named)
        return written

    def _is_held(self, model: str, version: str) -> bool:
        return self._clock.seconds() < self._held.get((model, version), 0.0)

    def _merger(self, number: int) -> Merger:
        if number not in self._mergers:
            self._mergers[number] = Merger.restore(
                number, self._config.merger, self._store.stored(), self._baselines.by_digest
            )
        return self._mergers[number]

    def _check(self, epoch: int) -> None:
        if epoch != self._source.epoch:
            raise Lost
