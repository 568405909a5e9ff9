"""The Prometheus series of `python -m stream_app performance`: those of a worker under another name, and its own.

Where a worker's say events, these say labels; where they say windows closed, windows reported.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from stream_app.telemetry import Telemetry


class LabelTelemetry(Telemetry):
    """See Telemetry."""

    prefix = "tidemark_performance"

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.events.labels("replaced")
        # By final: yes, no. Revisions a window: how its labels trickle in.
        self.revisions = self._counter("revisions", "Revisions of windows published.", "final")
        # By status: well, degraded; windows, each once.
        self.judged = self._counter("judged", "Windows judged, by status.", "status")
        # 14 bytes each in the state topic, some 40 in memory, until their window is final. It follows from the rate of
        # labels times STREAM_LABEL_DELAY_SECONDS: lower that when memory is short.
        self.remembered = self._gauge(
            "remembered", "Predictions whose label is remembered, by source partition.", "partition"
        )
        for final in ("yes", "no"):
            self.revisions.labels(final)
        for status in ("well", "degraded"):
            self.judged.labels(status)

    def _forget_partitions(self) -> None:
        super()._forget_partitions()
        self.remembered.clear()
