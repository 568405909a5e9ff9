"""Every Prometheus series of a sink process, each with how to read it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from stream_app.alerting.retry import Outcome


class SinkTelemetry:
    """One per process, on a registry of its own."""

    def __init__(self, sink: str, registry: CollectorRegistry) -> None:
        self.registry = registry
        # rate > 0 of undeliverable or unreadable: something lies in `dead-letters` and wants a person
        deliveries = Counter(
            "tidemark_sink_alerts", "Alerts finished by a sink, by outcome", ["sink", "outcome"], registry=registry
        )
        self._delivered = deliveries.labels(sink, "delivered")
        self._undeliverable = deliveries.labels(sink, "undeliverable")
        self._unreadable = deliveries.labels(sink, "unreadable")
        # attempts per delivered alert far above 1: the receiver is shaky
        attempts = Counter(
            "tidemark_sink_attempts", "Attempts to deliver, by result", ["sink", "result"], registry=registry
        )
        self._succeeded = attempts.labels(sink, "delivered")
        self._failed = attempts.labels(sink, "failed")
        # alerts written and not yet finished; above 0 for long: the receiver is away, or no sink runs
        self._lag = Gauge(
            "tidemark_sink_lag_alerts", "Alerts behind the topic's end", ["sink"], registry=registry
        ).labels(sink)
        # how long the alert that waits longest has been waiting; page on this rather than on the lag
        self._age = Gauge(
            "tidemark_sink_oldest_alert_age_seconds",
            "Age of the oldest alert in hand, 0 when there is none",
            ["sink"],
            registry=registry,
        ).labels(sink)

    def finished(self, outcome: Outcome) -> None:
        """An alert was delivered or given up; an interrupted one is counted when it is finished after the restart."""
        if outcome.kind == "delivered":
            self._delivered.inc()
        elif outcome.kind == "undeliverable":
            self._undeliverable.inc()

    def attempted(self, *, delivered: bool) -> None:
        """One attempt ended."""
        (self._succeeded if delivered else self._failed).inc()

    def unreadable(self) -> None:
        """A record was no alert."""
        self._unreadable.inc()

    def behind(self, alerts: int, oldest_seconds: float) -> None:
        """How far the sink is behind now."""
        self._lag.set(alerts)
        self._age.set(oldest_seconds)
