"""What `watch` hears: performance reports, drift reports and alerts of flights/1, one window an hour from noon on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from contracts.alerts import AlertFeature, DriftAlert
from contracts.findings import Cause
from contracts.performance import PerformanceReport, performance_id
from contracts.reports import DriftReport, FeatureVerdict, report_id
from tests.builders import NOON

HOUR = timedelta(hours=1)
UNIT = Cause(kind="unit", sentence="a third of the rows look multiplied by 1.61", factor=1.61)
SHIFT = Cause(kind="shift", sentence="all values rose by 20")


def performance(window: int, status: str = "well", **changes: Any) -> PerformanceReport:
    start = NOON + window * HOUR
    fields: dict[str, Any] = {
        "id": performance_id("flights", "1", start, 1),
        "model": "flights",
        "version": "1",
        "baseline": "0" * 16,
        "window_start": start,
        "window_end": start + HOUR,
        "revision": 1,
        "labelled": 960,
        "predictions": 1000,
        "positives": 100,
        "status": status,
        "metrics": (),
        "summary": f"window {window} is {status}",
    }
    return PerformanceReport(**{**fields, **changes})


def alert(window: int, features: dict[str, Cause | None], transition: Any = "raise", **changes: Any) -> DriftAlert:
    start = NOON + window * HOUR
    found = tuple(
        AlertFeature(
            feature=name, findings=("values",), p_value=1e-9, effect=0.3, since=start - HOUR, new=True, cause=cause
        )
        for name, cause in features.items()
    )
    fields: dict[str, Any] = {
        "id": f"{window}-{transition}",
        "incident": "incident-1",
        "transition": transition,
        "severity": "info" if transition == "resolve" else "warning",
        "model": "flights",
        "version": "1",
        "window_start": start,
        "window_end": start + HOUR,
        "report": "r",
        "features": found,
        "summary": "moved",
    }
    return DriftAlert(**{**fields, **changes})


def report(window: int, features: dict[str, Cause | None] | None = None, **changes: Any) -> DriftReport:
    """A drift report in which these features alarm and `pressure` does not."""
    start = NOON + window * HOUR
    verdicts = [verdict("pressure")]
    verdicts += [verdict(name, findings=("values",), cause=cause) for name, cause in (features or {}).items()]
    fields: dict[str, Any] = {
        "id": report_id("flights", "1", start),
        "model": "flights",
        "version": "1",
        "baseline": "0" * 16,
        "window_start": start,
        "window_end": start + HOUR,
        "rows": 1000,
        "compared_rows": 1000,
        "merged_windows": 0,
        "status": "alarm" if features else "quiet",
        "preset": "calibrated",
        "alarms": tuple(features or ()),
        "features": tuple(verdicts),
    }
    return DriftReport(**{**fields, **changes})


def verdict(feature: str, **changes: Any) -> FeatureVerdict:
    fields: dict[str, Any] = {"rows": 1000, "missing": 0, "p_value": 0.5, "effect": 0.0, "statistics": ()}
    return FeatureVerdict(feature=feature, kind="numeric", **{**fields, **changes})
