"""Stage 2: parts of windows are merged; a window that is over is compared, reported, judged, and closed.

The order that makes it exact: what the report is made of is written -> report acknowledged -> alerts acknowledged ->
the version's record written, by which the window is closed, and its parts deleted. A crash in between repeats reports
and alerts, under the same ids, and they say the same: what came for the window since is late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from contracts.partials import PartialAggregate, decode_partial
from contracts.times import moment
from stream_app.agents.patience import Clock
from stream_app.agents.ports import KnownAlerts, KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.agents.stage2 import Stage2Agent
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


class Merging(Stage2Agent[Merger]):
    """The agent of `window-partials`; see Stage2Agent."""

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
        super().__init__(topic, source, store, publisher, telemetry, clock, cannot_go_on)
        self._config, self._baselines, self._alerts = config, baselines, alerts
        self._held: dict[tuple[str, str], float] = {}

    def _restored(self, number: int) -> Merger:
        return Merger.restore(number, self._config.merger, self._store.stored(), self._baselines.by_digest)

    def _taken(self, merger: Merger, record: SourceRecord) -> Records:
        message = decode_partial(record.value or b"")
        if not isinstance(message, PartialAggregate):
            if not merger.on_heartbeat(message):
                self._telemetry.fenced.inc()
            return []
        late = merger.version(message.model, message.version).late_rows
        taken = merger.on_partial(message, record.offset, record.value)
        self._telemetry.late_rows.inc(merger.version(message.model, message.version).late_rows - late)
        if not taken:
            self._telemetry.repeated_partials.inc()
        return taken

    async def _act(self, merger: Merger, number: int, epoch: int) -> None:
        await self._forget_lost_baselines(merger)
        closed: list[Awaitable[object]] = []
        for closing in merger.due(self._is_held):
            closed += await self._close(merger, closing, epoch)
        await asyncio.gather(*closed)
        self._telemetry.pending_windows.labels(str(number)).set(merger.pending)

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
