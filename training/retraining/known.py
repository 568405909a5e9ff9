"""What is known of the champion while nobody looks: its windows' performance, open incidents, and data that was broken.

Pure: a fold over the records of `drift-alerts`, `drift-reports`, `performance` and `model-events`, in any order between
the topics. Time is that of the windows, so a replay of the topics knows the same.

That data is broken is said by an alert. That it is repaired is said by the next alert, which names the feature no more
or with another cause; or, because an incident may stay open for other reasons and say nothing for a day, by the reports
of the windows in between: so many in a row in which the feature does not look broken.

    window           1  2  3  4  5  6      distance is broken from 1 to 4: the newest three windows do not show it
    distance         x  x  x  .  .  .
    alerts              raise
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from contracts.alerts import AlertFeature, DriftAlert
from contracts.model_events import ModelEvent
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport
from training.data.span import Span

REPAIRED_WINDOWS = 3
"""Compared windows in a row that do not show broken data; one alone may lack it by chance. As STREAM_RESOLVE_AFTER."""


class Broken(msgspec.Struct, frozen=True):
    """A feature whose data looks broken, as an incident says. sentence: its cause, in words.

    seen: end of the newest window that an alert says it of.
    """

    incident: str
    feature: str
    sentence: str
    span: Span
    seen: datetime


class Open(msgspec.Struct, frozen=True):
    """An open drift incident: its features that moved with the world, and whether the model feels it. since: start of
    the first window of theirs that alarmed, None where only data is broken.
    """

    incident: str
    features: tuple[str, ...]
    felt: bool
    summary: str
    since: datetime | None = None


class Known(msgspec.Struct, frozen=True):
    """Of one model's champion. since: end of the first window that was heard of this version. heard: of the newest.

    windows: start of a window -> its newest performance report. asked: event time of the last decision to retrain,
    whatever became of it; learnt: event time of the newest row that a retraining has collected. Both outlive the
    version. alleged: what alerts say is broken; what of it still is: `broken`.
    compared: starts of the newest windows that were compared; looks: feature -> end of the newest one in which its data
    looked broken.
    """

    model: str
    version: str
    since: datetime | None = None
    heard: datetime | None = None
    windows: dict[datetime, PerformanceReport] = {}
    incidents: dict[str, Open] = {}
    alleged: tuple[Broken, ...] = ()
    compared: tuple[datetime, ...] = ()
    looks: dict[str, datetime] = {}
    asked: datetime | None = None
    learnt: datetime | None = None

    @property
    def broken(self) -> tuple[Broken, ...]:
        """What was broken, and what is: that has no end."""
        return tuple(self._ended(one) for one in self.alleged)

    def _ended(self, one: Broken) -> Broken:
        last = max(one.seen, self.looks.get(one.feature, one.seen))
        if one.span.end is not None or len(self.compared) < REPAIRED_WINDOWS or self.compared[0] < last:
            return one
        return msgspec.structs.replace(one, span=Span(one.span.start, last))


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
            for one in known.alleged
        )
        return msgspec.structs.replace(known, incidents=incidents, alleged=ended)
    moved = [feature for feature in alert.features if not _of_data(feature)]
    felt = alert.severity in ("warning", "critical") and bool(moved)
    former = known.incidents.get(alert.incident)
    begun = [feature.since for feature in moved] + ([former.since] if former and former.since else [])
    names = tuple(feature.feature for feature in moved)
    open_ = Open(alert.incident, names, felt, alert.summary, min(begun, default=None))
    incidents = {**known.incidents, alert.incident: open_}
    return msgspec.structs.replace(known, incidents=incidents, alleged=_alleged(known, alert))


def hear_report(known: Known, report: DriftReport) -> Known:
    """A drift report of the champion that compared anything; one of a window that was heard of changes nothing."""
    if (report.model, report.version) != (known.model, known.version) or report.status == "insufficient":
        return known
    if known.compared and report.window_start <= known.compared[-1]:
        return known
    bad = [verdict.feature for verdict in report.features if verdict.cause is not None and verdict.cause.of_data]
    return msgspec.structs.replace(
        known,
        compared=(*known.compared, report.window_start)[-REPAIRED_WINDOWS:],
        looks={**known.looks, **dict.fromkeys(bad, report.window_end)} if bad else known.looks,
    )


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
    """A decision to retrain starts the cooldown; its details hold `heard`, the event time at which it was taken. What a
    retraining collected is learnt; its details hold `last`, the event time of its newest row.

    Another version became the champion: what was known of the former is over, but neither of these.
    """
    if event.model != known.model:
        return known
    if event.kind == "collected" and event.details.get("work") and isinstance(last := event.details.get("last"), str):
        learnt = datetime.fromisoformat(last)
        return msgspec.structs.replace(known, learnt=learnt if known.learnt is None else max(known.learnt, learnt))
    if event.kind == "retraining-decided" and isinstance(heard := event.details.get("heard"), str):
        asked = datetime.fromisoformat(heard)
        return msgspec.structs.replace(known, asked=asked if known.asked is None else max(known.asked, asked))
    if event.kind not in ("promoted", "rolled-back") or event.version == known.version:
        return known
    return Known(model=known.model, version=event.version, asked=known.asked, learnt=known.learnt)


def _heard(known: Known, at: datetime) -> Known:
    since = at if known.since is None else min(known.since, at)
    heard = at if known.heard is None else max(known.heard, at)
    return msgspec.structs.replace(known, since=since, heard=heard)


def _of_data(feature: AlertFeature) -> bool:
    return feature.cause is not None and feature.cause.of_data


def _alleged(known: Known, alert: DriftAlert) -> tuple[Broken, ...]:
    """An alert lists all features of its incident: one that it does not name any more was repaired by its window.

    A feature that only belongs to the incident still is there with the numbers of an older window.
    """
    now = {feature.feature: feature for feature in alert.features if _of_data(feature)}
    kept = []
    for one in known.alleged:
        if one.incident != alert.incident or one.span.end is not None:
            kept.append(one)
        elif (feature := now.pop(one.feature, None)) is not None:
            kept.append(msgspec.structs.replace(one, seen=max(one.seen, _seen(feature, alert))))
        else:
            kept.append(msgspec.structs.replace(one, span=Span(one.span.start, alert.window_start)))
    new = [
        Broken(
            incident=alert.incident,
            feature=name,
            sentence=feature.cause.sentence if feature.cause else "",
            span=Span(feature.since, None),
            seen=_seen(feature, alert),
        )
        for name, feature in now.items()
    ]
    return (*kept, *new)


def _seen(feature: AlertFeature, alert: DriftAlert) -> datetime:
    """End of the window that its numbers are of."""
    return alert.window_end if feature.seen is None else feature.seen + (alert.window_end - alert.window_start)
