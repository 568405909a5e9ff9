"""Stage 2 of the labels: parts are merged, windows that have more labels are reported anew, and judged once.

The order that makes it exact: parts written -> report acknowledged -> what was published is written, by which a final
window is forgotten. A crash in between repeats a report under the same id, and it says the same. What the alert policy
says is written before it is out, and again when it is: a crash in between repeats the same alerts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import msgspec

from contracts.label_partials import LabelPartial, decode_label_partial
from contracts.performance import PerformanceReport
from contracts.times import moment
from stream_app.agents.patience import Clock
from stream_app.agents.ports import KnownAlerts, KnownBaselines, Source, Store
from stream_app.agents.publishing import Publisher
from stream_app.agents.stage2 import Stage2Agent
from stream_app.alerting.performance_judging import judged_performance
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.label_telemetry import LabelTelemetry
from stream_app.labelling.revised_windows import Revision
from stream_app.labelling.reviser import Reviser
from stream_app.log_lines import seldom
from stream_app.performance.report import report
from stream_app.performance.rule import PerformanceRule
from stream_app.windowing.decoding import SourceRecord
from stream_app.windowing.merger import Records

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
"""Parts and heartbeats come many times a second; what is due is looked for so often."""
_AT_A_TIME, _BUSY_SECONDS, _REST = 100, 1.0, 4.0
"""Windows reported together; for how long, until more parts are taken in; and for how many times as long none is
reported then: where thousands of windows change, reports take a fifth of the time."""


class KnownCoverage(Protocol):
    """How many predictions windows have. learnt: rises whenever more is known."""

    @property
    def learnt(self) -> int: ...
    def predictions(self, model: str, version: str, window_start: int) -> int | None: ...


class RevisingConfig(NamedTuple):
    """delay_ms: labels count for so long after a window's end. every_seconds: a window is reported at most so often."""

    delay_ms: int
    every_seconds: float
    rule: PerformanceRule
    policy: PolicyConfig


class Revising(Stage2Agent[Reviser]):
    """The agent of `label-partials`; see Stage2Agent."""

    def __init__(
        self,
        topic: str,
        config: RevisingConfig,
        source: Source,
        store: Store,
        publisher: Publisher,
        baselines: KnownBaselines,
        alerts: KnownAlerts,
        coverage: KnownCoverage,
        telemetry: LabelTelemetry,
        clock: Clock,
        cannot_go_on: Callable[[str], None] = lambda words: None,
    ) -> None:
        super().__init__(topic, source, store, publisher, telemetry, clock, cannot_go_on)
        self._config, self._baselines, self._alerts, self._coverage = config, baselines, alerts, coverage
        self._series = telemetry
        self._next_look: dict[int, float] = {}
        self._learnt: dict[int, int] = {}
        self._reported: dict[tuple[str, str, int], float] = {}  # when each window that is not final was, by clock

    def restore(self, partitions: Iterable[int]) -> None:
        """See Stage2Agent. When windows were reported is forgotten, too: of those of a lost partition nobody here is
        told that they are final. It only spaces reports out: what has changed since is reported once sooner.
        """
        self._reported.clear()
        super().restore(partitions)

    def _restored(self, number: int) -> Reviser:
        self._learnt.pop(number, None)
        known = self._baselines
        return Reviser.restore(number, self._config.delay_ms, self._store.stored(), known.by_digest, known.by_version)

    def _taken(self, merger: Reviser, record: SourceRecord) -> Records:
        message = decode_label_partial(record.value or b"")
        if not isinstance(message, LabelPartial):
            if self._is_of_a_former_group(record, message.generation):
                return []
            if not merger.on_heartbeat(message, past=self._is_past(record, message.generation)):
                self._series.fenced.inc()
            return []
        before = merger.record(message.model, message.version).late
        taken, records = merger.on_part(message, record.offset, record.value)
        self._series.late_rows.inc(merger.record(message.model, message.version).late - before)
        if taken == "repeat":
            self._series.repeated_partials.inc()
        return records

    async def _act(self, merger: Reviser, number: int, epoch: int) -> None:
        began = self._clock.seconds()
        if began < self._next_look.get(number, 0.0):
            return
        news, self._learnt[number] = self._learnt.get(number) != self._coverage.learnt, self._coverage.learnt
        for record in merger.unsent:
            await self._alert(merger, record.model, record.version, PolicyState.from_bytes(record.policy), epoch)
        due = merger.due(self._coverage.predictions, self._waits, news=news)
        while some := list(islice(due, _AT_A_TIME)):
            await self._publish(merger, some, epoch)
            if self._source.stopping or self._clock.seconds() - began > _BUSY_SECONDS:
                del self._learnt[number]  # perhaps not all that was learnt has been looked at
                break
        now = self._clock.seconds()
        self._next_look[number] = now + max(_LOOK_SECONDS, _REST * (now - began))
        if merger.lacking:
            names = sorted(merger.lacking)
            log.error("no baseline on its topic for %s: their windows wait", names, extra=seldom(names))
            await self._baselines.refresh()
        self._series.pending_windows.labels(str(number)).set(merger.open_windows)

    async def _publish(self, merger: Reviser, revisions: Sequence[Revision], epoch: int) -> None:
        """Together: one by one each would wait for an acknowledgement of its own."""
        began = self._clock.seconds()
        reports = [report_of(revision, self._config.rule) for revision in revisions]
        self._check(epoch)
        await asyncio.gather(*[self._publisher.performance(found) for found in reports])
        written = [record for revision in revisions for record in merger.published(revision)]
        await self._write(merger.number, epoch, written)
        now = self._clock.seconds()
        self._series.close_seconds.observe(now - began)
        for revision in revisions:
            window = revision.model, revision.version, revision.window_start
            if revision.final:
                self._reported.pop(window, None)
            else:
                self._reported[window] = now
            self._series.revisions.labels("yes" if revision.final else "no").inc()
        for revision, found in zip(revisions, reports, strict=True):
            await self._judge(merger, revision, found, epoch)

    async def _judge(self, merger: Reviser, revision: Revision, found: PerformanceReport, epoch: int) -> None:
        """Each window once: when nearly all of its labels are there, or no more come."""
        version = revision.model, revision.version
        known = merger.record(*version).policy
        before = PolicyState.from_bytes(known) if known else self._alerts.state(*version)
        mutes = self._alerts.mutes(*version, moment(revision.window_end))
        state, alerts = judged_performance(found, before, self._config.policy, mutes, self._config.rule)
        if state == before:
            return
        self._series.judged.labels(found.status).inc()
        log.info("%s: %s", found.id, found.summary or found.status)
        await self._write(merger.number, epoch, merger.judged(*version, state.to_bytes(), unsent=bool(alerts)))
        if alerts:
            await self._alert(merger, *version, state, epoch)

    async def _alert(self, merger: Reviser, model: str, version: str, state: PolicyState, epoch: int) -> None:
        for alert in state.alerts:
            self._check(epoch)
            await self._publisher.alert(alert)
            self._series.alerts.labels(alert.transition).inc()
        await self._write(merger.number, epoch, merger.judged(model, version, state.to_bytes(), unsent=False))

    def _waits(self, model: str, version: str, window_start: int) -> bool:
        at = self._reported.get((model, version, window_start))
        return at is not None and self._clock.seconds() - at < self._config.every_seconds


def report_of(revision: Revision, rule: PerformanceRule) -> PerformanceReport:
    """A revision as it is published."""
    found = report(
        revision.baseline,
        revision.counts,
        window_start=revision.window_start,
        window_end=revision.window_end,
        revision=revision.number,
        predictions=revision.predictions,
        replaced=revision.replaced,
        final=revision.final,
        partitions=revision.partitions,
        rule=rule,
    )
    if not revision.other:
        return found
    note = f"{revision.other} more labels were counted over the bins of another baseline and are left out"
    return msgspec.structs.replace(found, notes=(*found.notes, note))
