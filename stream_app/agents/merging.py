"""Stage 2: parts of windows are merged; a window that is over is compared, reported, judged, and closed.

The order that makes it exact: what the report is made of is written -> report acknowledged -> alerts acknowledged ->
the version's record written, by which the window is closed -> that acknowledged, its parts deleted. A crash in between
repeats reports and alerts, under the same ids, and they say the same: what came for the window since is late. Windows
of different versions take these steps together; parts are deleted behind all reports of a batch, so none waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from contracts.alerts import DriftAlert
from contracts.mutes import Mute
from contracts.partials import PartialAggregate, decode_partial
from contracts.reports import DriftReport
from contracts.times import moment
from stream_app.agents.patience import Clock
from stream_app.agents.ports import KnownAlerts, KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.agents.stage2 import Stage2Agent, divided
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
_AT_A_TIME, _JUDGE_SECONDS = 100, 0.05
"""Windows closed together; for so long more are compared before they go out, for nothing else is done meanwhile."""


class _Judged(NamedTuple):
    """A window that is compared and judged, to be reported and closed. state: the alert policy's. began: clock."""

    closing: Closing
    found: DriftReport
    state: PolicyState
    alerts: Sequence[DriftAlert]
    mutes: tuple[Mute, ...]
    began: float


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
        merger = Merger.restore(number, self._config.merger, self._store.stored(), self._baselines.by_digest)
        self._telemetry.late_rows.inc(merger.found_late)
        return merger

    def _taken(self, merger: Merger, record: SourceRecord) -> Records:
        message = decode_partial(record.value or b"")
        if not isinstance(message, PartialAggregate):
            if self._is_of_a_former_group(record, message.generation):
                return merger.unwritten()
            if not merger.on_heartbeat(message, past=self._is_past(record, message.generation)):
                self._telemetry.fenced.inc()
            return merger.unwritten()
        late = merger.version(message.model, message.version).late_rows
        taken = merger.on_partial(message, record.offset, record.value)
        self._telemetry.late_rows.inc(merger.version(message.model, message.version).late_rows - late)
        if not taken:
            self._telemetry.repeated_partials.inc()
        return taken

    async def _act(self, merger: Merger, number: int, epoch: int) -> None:
        await self._forget_lost_baselines(merger)
        closed: list[Awaitable[object]] = []
        gone: Records = []
        while together := self._judged(merger):
            await self._report(merger, together, epoch)
            for one in together:
                kept, parts = divided(merger.close(one.closing, one.state.to_bytes()))
                closed += self._put(number, epoch, kept)
                gone += parts
                self._told(one)
        await asyncio.gather(*closed)
        await self._write(number, epoch, gone)
        self._telemetry.pending_windows.labels(str(number)).set(merger.pending)

    async def _forget_lost_baselines(self, merger: Merger) -> None:
        if merger.unknown:
            await self._baselines.refresh()
            for digest in sorted(merger.unknown):
                log.error("baseline %s is not on its topic any more: what was counted with it is not compared", digest)
                merger.give_up(digest)

    def _judged(self, merger: Merger) -> list[_Judged]:
        """The next window of each version, of as many as are closed together; none when nothing is due."""
        together: list[_Judged] = []
        began = self._clock.seconds()
        for closing in merger.due(self._is_held, of_each=1):
            version = closing.model, closing.version
            try:
                together.append(self._judge(merger, closing))
            except Exception:
                # A fault of ours with this version's windows. They wait; those behind it wait too; all others go on.
                log.exception("%s/%s: its window cannot be compared, next try in %g s", *version, _HELD_SECONDS)
                self._telemetry.retries.labels("compare").inc()
                self._held[version] = self._clock.seconds() + _HELD_SECONDS
                continue
            self._held.pop(version, None)
            if len(together) == _AT_A_TIME or self._clock.seconds() - began > _JUDGE_SECONDS:
                break
        return together

    def _judge(self, merger: Merger, closing: Closing) -> _Judged:
        version, began = (closing.model, closing.version), self._clock.seconds()
        known = merger.policy(*version)
        before = PolicyState.from_bytes(known) if known else self._alerts.state(*version)
        # What was announced may be out: its repeat says the same, though somebody has muted it since.
        if (mutes := merger.announced_mutes(closing)) is None:
            mutes = self._alerts.mutes(*version, moment(closing.window_end))
        found, state, alerts = judged(closing, before, self._config.rule, self._config.policy, mutes)
        return _Judged(closing, found, state, alerts, mutes, began)

    async def _report(self, merger: Merger, together: Sequence[_Judged], epoch: int) -> None:
        """Report windows of different versions, and send their alerts; when that is acknowledged they may be closed.

        Together: one by one each would wait for acknowledgements of its own, and a hundred models for seconds.
        """
        announced = [record for one in together for record in merger.announce(one.closing, one.mutes)]
        await self._write(merger.number, epoch, announced)
        self._check(epoch)  # its acknowledgement may have come when the partition was another worker's
        await asyncio.gather(*[self._publisher.report(one.found) for one in together])
        for one in together:
            self._telemetry.report_delay.observe((self._clock.wall_ms() - one.closing.window_end) / 1000)
        sending = [self._alert(one, epoch) for one in together if one.alerts]
        for failed in await asyncio.gather(*sending, return_exceptions=True):  # none goes on behind a retry
            if failed is not None:
                raise failed

    async def _alert(self, one: _Judged, epoch: int) -> None:
        for alert in one.alerts:
            self._check(epoch)
            await self._publisher.alert(alert)

    def _told(self, one: _Judged) -> None:
        """A closed window, in the metrics and the log."""
        self._telemetry.close_seconds.observe(self._clock.seconds() - one.began)
        self._telemetry.reports.labels(one.found.status).inc()
        self._telemetry.not_compared.inc(one.closing.other_rows)
        for alert in one.alerts:
            self._telemetry.alerts.labels(alert.transition).inc()
        named = f": {', '.join(one.found.alarms)}" if one.found.alarms else ""
        named += f"; muted: {', '.join(mute.subject for mute in one.mutes)}" if one.mutes else ""
        log.info("%s: %s, %s rows%s", one.found.id, one.found.status, one.found.rows, named)

    def _is_held(self, model: str, version: str) -> bool:
        return self._clock.seconds() < self._held.get((model, version), 0.0)
