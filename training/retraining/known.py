"""What is known of the champion while nobody looks: its windows' performance, open incidents, and data that was broken.

Pure: a fold over the records of `drift-alerts`, `performance` and `model-events`, in any order between the topics. Time
is that of the windows, so a replay of the topics knows the same.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from contracts.alerts import AlertFeature, DriftAlert
from contracts.model_events import ModelEvent
from contracts.performance import PerformanceReport
from training.span import Span


class Broken(msgspec.Struct, frozen=True):
    """A feature whose data looks broken, as an incident says. sentence: its cause, in words."""

    incident: str
    feature: str
    sentence: str
    span: Span


class Open(msgspec.Struct, frozen=True):
    """An open drift incident: its features that moved with the world, and whether the model feels it."""

    incident: str
    features: tuple[str, ...]
    felt: bool
    summary: str


class Known(msgspec.Struct, frozen=True):
    """Of one model's champion. since: end of the first window that was heard of this version. heard: of the newest.

    windows: start of a window -> its newest performance report. asked: event time of the last decision to retrain,
    whatever became of it: it outlives the version.
    """

    model: str
    version: str
    since: datetime | None = None
    heard: datetime | None = None
    windows: dict[datetime, PerformanceReport] = {}
    incidents: dict[str, Open] = {}
    broken: tuple[Broken, ...] = ()
    asked: datetime | None = None


def hear_alert(known: Known, alert: DriftAlert) -> Known:
    """An alert of the champion; of other versions and of performance (which has its reports) nothing is kept."""
    if (alert.model, alert.version) != (known.model, known.version) or alert.subject != "drift":
        return known
    known = _heard(known, alert.window_end)
    if alert.transition == "resolve":
        incidents = {name: open_ for name, open_ in known.incidents.items() if name != alert.incident}
        ended = tuple(
            msgspec.structs.replace(one, span=Span(one.span.start, alert.window_start))
            if one.incident == alert.incident and one.span.end is None
            else one
            for one in known.broken
        )
        return msgspec.structs.replace(known, incidents=incidents, broken=ended)
    moved = tuple(feature.feature for feature in alert.features if not _of_data(feature))
    felt = alert.severity in ("warning", "critical") and any(not _of_data(feature) for feature in alert.features)
    incidents = {**known.incidents, alert.incident: Open(alert.incident, moved, felt, alert.summary)}
    return msgspec.structs.replace(known, incidents=incidents, broken=_broken(known, alert))


def hear_performance(known: Known, report: PerformanceReport) -> Known:
    """A performance report of the champion; an older revision than the one that is known changes nothing."""
    if (report.model, report.version) != (known.model, known.version):
        return known
    former = known.windows.get(report.window_start)
    if former is not None and former.revision >= report.revision:
        return known
    windows = {**known.windows, report.window_start: report}
    return msgspec.structs.replace(_heard(known, report.window_end), windows=windows)


def hear_model_event(known: Known, event: ModelEvent) -> Known:
    """A decision to retrain starts the cooldown; its details hold `heard`, the event time at which it was taken.

    Another version became the champion: what was known of the former is over, but not the decision.
    """
    if event.model != known.model:
        return known
    if event.kind == "retraining-decided" and isinstance(heard := event.details.get("heard"), str):
        asked = datetime.fromisoformat(heard)
        return msgspec.structs.replace(known, asked=asked if known.asked is None else max(known.asked, asked))
    if event.kind not in ("promoted", "rolled-back") or event.version == known.version:
        return known
    return Known(model=known.model, version=event.version, asked=known.asked)


def _heard(known: Known, at: datetime) -> Known:
    since = at if known.since is None else min(known.since, at)
    heard = at if known.heard is None else max(known.heard, at)
    return msgspec.structs.replace(known, since=since, heard=heard)


def _of_data(feature: AlertFeature) -> bool:
    return feature.cause is not None and feature.cause.of_data


def _broken(known: Known, alert: DriftAlert) -> tuple[Broken, ...]:
    """An alert lists all features of its incident: one that it does not name any more was repaired by its window."""
    now = {feature.feature: feature for feature in alert.features if _of_data(feature)}
    kept = []
    for one in known.broken:
        if one.incident != alert.incident or one.span.end is not None:
            kept.append(one)
        elif one.feature in now:
            del now[one.feature]
            kept.append(one)
        else:
            kept.append(msgspec.structs.replace(one, span=Span(one.span.start, alert.window_start)))
    new = [
        Broken(alert.incident, name, feature.cause.sentence if feature.cause else "", Span(feature.since, None))
        for name, feature in now.items()
    ]
    return (*kept, *new)
