"""CloudEvents 1.0 attributes as Kafka headers (the binary content mode of the Kafka protocol binding)."""

from __future__ import annotations

import msgspec

Headers = list[tuple[str, bytes]]

PREDICTION_MADE = "io.tidemark.prediction.made"
BASELINE_PUBLISHED = "io.tidemark.baseline.published"
DRIFT_REPORTED = "io.tidemark.drift.reported"
DRIFT_ALERTED = "io.tidemark.drift.alerted"
LABEL_GIVEN = "io.tidemark.label.given"
PERFORMANCE_REPORTED = "io.tidemark.performance.reported"
MODEL_CHANGED = "io.tidemark.model.changed"
ALERTS_MUTED = "io.tidemark.alerts.muted"
DEAD_LETTERED = "io.tidemark.record.dead-lettered"
RESENT = "io.tidemark.record.resent"

ID = "ce_id"
"""The header that no two records have alike."""


class Origin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where the request that made an event comes from, as its client said; "" where it said nothing.

    traceparent, tracestate: W3C Trace Context (CloudEvents' extension "Distributed Tracing"). request_id: X-Request-Id.
    shadow_of: of a shadow's event, the id of the prediction that was answered.
    """

    request_id: str = ""
    traceparent: str = ""
    tracestate: str = ""
    shadow_of: str = ""


class EventHeaders:
    """Headers of JSON records of one kind: what they share is encoded once. kind: the `type` attribute; source: who
    writes them, a URI reference. shared: those that come before ID.
    """

    def __init__(self, kind: str, source: str) -> None:
        self.shared: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_type", kind.encode()),
            ("ce_source", source.encode()),
            ("content-type", b"application/json"),
        ]

    def of(self, id_: str, time: str | None = None, origin: Origin | None = None) -> Headers:
        """Those of one record. time: RFC 3339."""
        return [*self.shared, (ID, id_.encode()), *after_id(time, origin)]


def cloud_event(kind: str, id_: str, source: str, *, time: str | None = None) -> Headers:
    """Headers of one JSON record; see EventHeaders."""
    return EventHeaders(kind, source).of(id_, time)


def after_id(time: str | None, origin: Origin | None) -> Headers:
    """Those of one record that come after ID; records of one request have them in common."""
    headers: Headers = [] if time is None else [("ce_time", time.encode())]
    return headers if origin is None else headers + _of_origin(origin)


def _of_origin(origin: Origin) -> Headers:
    """What was not said has no header."""
    named = (
        ("ce_requestid", origin.request_id),
        ("ce_traceparent", origin.traceparent),
        ("ce_tracestate", origin.tracestate),
        ("ce_shadowof", origin.shadow_of),
    )
    return [(name, value.encode()) for name, value in named if value]
