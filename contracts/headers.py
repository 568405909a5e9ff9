"""CloudEvents 1.0 attributes as Kafka headers (the binary content mode of the Kafka protocol binding)."""

from __future__ import annotations

Headers = list[tuple[str, bytes]]

PREDICTION_MADE = "io.tidemark.prediction.made"
BASELINE_PUBLISHED = "io.tidemark.baseline.published"
DRIFT_REPORTED = "io.tidemark.drift.reported"
DRIFT_ALERTED = "io.tidemark.drift.alerted"
ALERTS_MUTED = "io.tidemark.alerts.muted"
DEAD_LETTERED = "io.tidemark.record.dead-lettered"
RESENT = "io.tidemark.record.resent"


def cloud_event(kind: str, id_: str, source: str, *, time: str | None = None) -> Headers:
    """Headers of one JSON record. kind: the `type` attribute; source: who wrote it, a URI reference; time: RFC 3339."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", kind.encode()),
        ("ce_source", source.encode()),
        ("ce_id", id_.encode()),
        ("content-type", b"application/json"),
    ]
    return headers if time is None else [*headers, ("ce_time", time.encode())]
