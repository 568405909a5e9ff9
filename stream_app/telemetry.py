"""Every Prometheus series of a worker, declared once, each with how to read it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from stream_app.errors import SettingsError

_PREFIX = "tidemark_stream"


class Telemetry:
    """The series of one process, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry

        # Stage 1, counting.
        # By outcome: counted, late, repeat (sent twice by an API that restarted), redelivered (read again after a
        # rebalance; harmless), refused (went to dead-letters). Their rate together is the worker's speed. Alarm on a
        # rate of `late` that stays above nought: raise STREAM_LATENESS_SECONDS or mend the clock of a producer.
        self.events = self._counter("events", "Events read, by what became of them.", "outcome")
        # events / batches is the batch size: below 20 at a high rate means that the fetch settings are too eager.
        self.batches = self._counter("batches", "Batches of events handled.")
        # Must stay 0. Records were skipped between the log and this worker; they are read again at once, so nothing is
        # lost, but an override in delivery.py no longer does its work.
        self.gaps = self._counter("gaps", "Batches that began behind the next expected offset.")
        # As gaps; it exceeds them while a re-read has to be repeated.
        self.rereads = self._counter("rereads", "Times that a partition was read again from an earlier offset.")
        # Offsets that the log itself does not have: deleted by retention before they were read (events were lost: the
        # workers were away for longer than the topic keeps), or a foreign producer's transaction markers (harmless).
        self.holes = self._counter("holes", "Offsets missing in the log itself.", "why")
        # By reason; each record is on the topic dead-letters with its origin.
        self.dead_letters = self._counter("dead_letters", "Records refused.", "reason")
        # A batch failed and is tried again. A rate above nought is a fault of this program or of Kafka: read the log.
        self.retries = self._counter("retries", "Batches that failed and were tried again.", "stage")
        # Stuck at a high number while events flow: no window closes, so look for a partition that holds back.
        self.open_windows = self._gauge("open_windows", "Windows not yet handed on, by source partition.", "partition")
        # How far event time is behind the wall clock. It rises while a backlog is worked off.
        self.watermark_delay = self._gauge(
            "watermark_delay_seconds", "Wall clock minus watermark, by source partition.", "partition"
        )
        # Events on the log that are not counted yet. Rising for minutes: add workers, up to one for each partition.
        self.lag = self._gauge("lag_events", "Log end minus next offset, by source partition.", "partition")

        # Stage 2, closing.
        # Must stay 0 but for moments after a worker was frozen: a worker that lost a partition still spoke for it.
        self.fenced = self._counter("fenced_heartbeats", "Heartbeats refused because their generation is old.")
        # Parts of windows that stage 1 sent again: after a crash or a rebalance; harmless.
        self.repeated_partials = self._counter("repeated_partials", "Partials that stage 2 had already.")
        # Rises only while a version's baseline is published anew: rows counted with the former one, in windows whose
        # rows were mostly counted with the new one. They are in the report's rows and not in its compared_rows.
        self.not_compared = self._counter("rows_not_compared", "Rows of closed windows that were not compared.")
        # A watermark passed the end of a window -> its report is acknowledged; the slowest step is the comparison.
        self.close_seconds = Histogram(
            f"{_PREFIX}_close_seconds",
            "Window ready to close -> report acknowledged.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self.registry,
        )
        # By status: quiet, alarm, insufficient. Only `insufficient`: windows are too short for the traffic.
        self.reports = self._counter("reports", "Windows closed, by status.", "status")
        # By transition: raise, escalate, resolve.
        self.alerts = self._counter("alerts", "Alerts written, by transition.", "transition")

        # Several an hour: workers come and go, or are killed; every rebalance stops all of them for seconds.
        self.rebalances = self._counter("rebalances", "Rebalances of the consumer group seen by this worker.")
        # 1 when partitions are assigned and their state is restored; 0 in a rebalance and in recovery.
        self.ready = self._gauge("ready", "Whether this worker counts.")

    def serve(self, port: int) -> int:
        """Serve them over HTTP on all interfaces; returns the port. Raises SettingsError when it is taken."""
        try:
            server, _ = start_http_server(port, registry=self.registry)
        except OSError as error:
            raise SettingsError(f"STREAM_METRICS_PORT: cannot listen on port {port}: {error.strerror}") from error
        return int(server.server_address[1])

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, labels, registry=self.registry)
