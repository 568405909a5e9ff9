"""Every Prometheus series of a worker, declared once, each with how to read it."""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from contracts.alerts import Transition
from contracts.dead_letters import Reason
from contracts.reports import Status
from stream_app.errors import SettingsError

_PREFIX = "tidemark_stream"
PAGE = (
    "gaps_total",
    'holes_total{why="deleted"}',
    "late_rows_total",
    "lag_events",
    "watermark_delay_seconds",
    "report_delay_seconds",
    "uncommitted_events",
    "ready",
    "dead_letters_total",
    'events_total{outcome="late"}',
    "retries_total",
)
"""Those that somebody should be woken by; docs/operations.md says when."""


class Telemetry:
    """The series of one process, in a registry of their own."""

    prefix = _PREFIX

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry

        self._stood_still: float | None = None

        # Stage 1, counting.
        # By outcome: counted, late, repeat (sent twice by an API that restarted), redelivered (read again after a
        # rebalance; skipped, harmless), refused (went to dead-letters). Their rate together is the worker's speed. Page
        # when the rate of `late` stays above nought: raise STREAM_LATENESS_SECONDS or mend the clock of a producer.
        self.events = self._counter("events", "Events read, by what became of them.", "outcome")
        # events / batches is the batch size: below 20 at a high rate means that the fetch settings are too eager.
        self.batches = self._counter("batches", "Batches of events handled.")
        # Must stay 0: page when it is not. Records were skipped between the log and this worker; they are read again at
        # once, so nothing is lost, but an override in stream_app/delivery no longer does its work. (A foreign producer
        # with transactions moves it too: then `holes` with why="absent" moves with it, and it means nothing.)
        self.gaps = self._counter("gaps", "Batches that began behind the next expected offset.")
        # As gaps; it exceeds them while a re-read has to be repeated.
        self.rereads = self._counter("rereads", "Times that a partition was read again from an earlier offset.")
        # Offsets that the log itself does not have. why="deleted": by retention before they were read; events were
        # lost, page: the workers were away for longer than the topic keeps. why="absent": a foreign producer's
        # transaction markers, harmless.
        self.holes = self._counter("holes", "Offsets missing in the log itself.", "why")
        # By reason; each record is on the topic dead-letters with its origin. Page when it rises.
        self.dead_letters = self._counter("dead_letters", "Records refused.", "reason")
        # By stage (count, hand-on, merge, compare): it failed and is tried again. Page when it keeps rising: a fault of
        # this program or of Kafka; the log has it.
        self.retries = self._counter(
            "retries", "What failed and was tried again: batches, handing ended windows on, comparing.", "stage"
        )
        # Stuck at a high number while events flow: no window closes; `status` names the partition that holds back.
        self.open_windows = self._gauge("open_windows", "Windows not yet handed on, by source partition.", "partition")
        # How far event time is behind the wall clock. It rises while a backlog is worked off. Page when it rises for
        # minutes while events flow: windows close so much later.
        self.watermark_delay = self._gauge(
            "watermark_delay_seconds", "Wall clock minus watermark, by source partition.", "partition"
        )
        # Events on the log that are not counted yet. Page when it rises for minutes: add workers, up to one for each
        # partition. Only the owner of a partition has its series, so the sum over workers is the installation's.
        self.lag = self._gauge("lag_events", "Log end minus next offset, by source partition.", "partition")
        # Events counted and not committed: so many are read again (and skipped) after a crash; a second's worth is
        # right. Page when it rises for minutes: commits stick, and a restart has all of that to read again.
        self.uncommitted = self._gauge(
            "uncommitted_events", "Next offset minus committed offset, by source partition.", "partition"
        )

        # Stage 2, closing.
        # Windows that have parts and no report. Stuck while events flow: `status` says what they wait for.
        self.pending_windows = self._gauge(
            "pending_windows", "Windows that wait to be closed, by partition of window-partials.", "partition"
        )
        # Rows that came for a window whose report was out. Page when it is not 0: stage 2 closed a window too early.
        self.late_rows = self._counter("late_rows", "Rows that stage 2 got for closed windows.")
        # A worker that lost a partition still spoke for it: 0 but after it was frozen, or cut off from Kafka and back,
        # when it sends all that it meant to say. Page when it keeps rising.
        self.fenced = self._counter("fenced_heartbeats", "Heartbeats refused because their generation is old.")
        # A worker that lost a partition still wrote its state: right after it was frozen or cut off. Page when it keeps
        # rising: two processes believe that they own the same partitions.
        self.covered = self._counter("covered_state", "Stored values covered by a former owner's, and written again.")
        # Parts of windows that stage 1 sent again: after a crash or a rebalance; harmless.
        self.repeated_partials = self._counter("repeated_partials", "Partials that stage 2 had already.")
        # Rises only while a version's baseline is published anew: rows counted with the former one, in windows whose
        # rows were mostly counted with the new one. They are in the report's rows and not in its compared_rows.
        self.not_compared = self._counter("rows_not_compared", "Rows of closed windows that were not compared.")
        # The work of one close: all parts are there -> its report and alerts are acknowledged and its state written.
        self.close_seconds = self._histogram(
            "close_seconds",
            "Window ready to close -> closed.",
            (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
        # How late a report is by the clock: lateness, idleness, lag and rebalances are all in it. Page when its upper
        # quantiles stay far above STREAM_LATENESS_SECONDS. Of a backfill it is the age of the events, and says nothing.
        self.report_delay = self._histogram(
            "report_delay_seconds",
            "End of the window by the wall clock -> its report is acknowledged.",
            (0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300, 900, 3600),
        )
        # By status: quiet, alarm, insufficient. Only `insufficient`: windows are too short for the traffic.
        self.reports = self._counter("reports", "Windows closed, by status.", "status")
        # By transition: raise, escalate, remind, resolve.
        self.alerts = self._counter("alerts", "Alerts written, by transition.", "transition")

        # Several an hour: workers come and go, or are killed; every rebalance stops all of them for seconds.
        self.rebalances = self._counter("rebalances", "Rebalances of the consumer group seen by this worker.")
        # How long this worker stood still in each of them. Long ones: large state, or a member that does not answer,
        # for which the others wait until the session timeout.
        self.recovery_seconds = self._histogram(
            "recovery_seconds",
            "Partitions taken away -> partitions assigned, their state restored, counting again.",
            (0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300),
        )
        # 1 when partitions are assigned and their state is restored; 0 in a rebalance and in recovery. Page when it
        # stays 0 for minutes.
        self.ready = self._gauge("ready", "Whether this worker counts.")

        self._begin_at_nought()

    def _begin_at_nought(self) -> None:
        """Every label value that is known is there from the start: else the first one of a kind is no increase."""
        known: dict[Counter, tuple[str, ...]] = {
            self.events: ("counted", "late", "repeat", "redelivered", "refused"),
            self.holes: ("deleted", "absent"),
            self.dead_letters: get_args(Reason),
            self.retries: ("count", "hand-on", "merge", "compare"),
            self.reports: get_args(Status),
            self.alerts: get_args(Transition),
        }
        for counter, values in known.items():
            for value in values:
                counter.labels(value)

    def rebalance_began(self, now: float) -> None:
        """Partitions are taken away; seconds of a clock that never goes back. What was said of them is not true now."""
        self.rebalances.inc()
        self.ready.set(0)
        self._forget_partitions()
        if self._stood_still is None:
            self._stood_still = now

    def rebalance_ended(self, now: float) -> None:
        """Partitions are assigned and their state is restored. Gauges are set again by those that are owned now."""
        self._forget_partitions()  # one that was being measured when it was taken away may have come back
        self.ready.set(1)
        if self._stood_still is not None:
            self.recovery_seconds.observe(now - self._stood_still)
            self._stood_still = None

    def _forget_partitions(self) -> None:
        for gauge in (self.open_windows, self.watermark_delay, self.lag, self.uncommitted, self.pending_windows):
            gauge.clear()

    def serve(self, port: int) -> int:
        """Serve them over HTTP on all interfaces; returns the port. Raises SettingsError when it is taken."""
        try:
            server, _ = start_http_server(port, registry=self.registry)
        except OSError as error:
            raise SettingsError(f"STREAM_METRICS_PORT: cannot listen on port {port}: {error.strerror}") from error
        return int(server.server_address[1])

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{self.prefix}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{self.prefix}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"{self.prefix}_{name}", text, buckets=buckets, registry=self.registry)
