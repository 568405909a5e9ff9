"""What is known while nobody looks: the champion's performance and open incidents, and what data was broken, whichever
version was given it.

Pure: a fold over the records of `drift-alerts`, `drift-reports`, `performance` and `model-events`, in any order between
the topics. Time is that of the windows, so a replay of the topics knows the same.

Broken data outlives the version that it was given to: its rows stay on the topic, and are collected in each turn. So
what is broken of the champion's is waited for, and what was broken of any version's is left out; so is what an earlier
retraining left out, for its event is kept longer than the alerts that it was decided by.

    version 1    ──xxxx────┐ promoted          the second turn collects the rows of both versions,
    version 2              └────────────       but for those of the stretch
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from contracts.alerts import DriftAlert
from contracts.model_events import ModelEvent
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport
from training.data.span import Span, merged, moment_of, spans
from training.errors import DataError
from training.retraining.broken import Broken, Data, of_data, with_alert, with_report


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

    windows: start of a window -> its newest performance report. data: version -> what its alerts and reports say of its
    data. passed_over: what decisions to retrain have left out. asked: event times of those decisions, whatever became
    of them; learnt: event time of the newest row that a retraining has collected. The last four outlive the version.
    """

    model: str
    version: str
    since: datetime | None = None
    heard: datetime | None = None
    windows: dict[datetime, PerformanceReport] = {}
    incidents: dict[str, Open] = {}
    data: dict[str, Data] = {}
    passed_over: tuple[Span, ...] = ()
    asked: tuple[datetime, ...] = ()
    learnt: datetime | None = None

    @property
    def broken(self) -> tuple[Broken, ...]:
        """What was broken of the champion's data, and what is: that has no end."""
        return self.data[self.version].broken if self.version in self.data else ()

    @property
    def left_out(self) -> tuple[Span, ...]:
        """When the data of any version was broken: never to be learnt."""
        found = [data.spans(answers=version == self.version) for version, data in self.data.items()]
        return merged([*self.passed_over, *(span for spans in found for span in spans)])


def hear_alert(known: Known, alert: DriftAlert) -> Known:
    """An alert: what it says of the data, and if it is the champion's, of the world. Nothing is kept of those about
    performance, which has its reports.
    """
    if alert.model != known.model or alert.subject != "drift":
        return known
    known = _with(known, alert.version, with_alert(_data(known, alert.version, alert.window_end), alert))
    if alert.version != known.version:
        return known
    known = _heard(known, alert.window_end)
    if alert.transition == "resolve":
        incidents = {name: open_ for name, open_ in known.incidents.items() if name != alert.incident}
        return msgspec.structs.replace(known, incidents=incidents)
    moved = [feature for feature in alert.features if not of_data(feature)]
    felt = alert.severity in ("warning", "critical") and bool(moved)
    former = known.incidents.get(alert.incident)
    begun = [feature.since for feature in moved] + ([former.since] if former and former.since else [])
    names = tuple(feature.feature for feature in moved)
    open_ = Open(alert.incident, names, felt, alert.summary, min(begun, default=None))
    return msgspec.structs.replace(known, incidents={**known.incidents, alert.incident: open_})


def hear_report(known: Known, report: DriftReport) -> Known:
    """A drift report: what it says of the data."""
    if report.model != known.model:
        return known
    return _with(known, report.version, with_report(_data(known, report.version, report.window_end), report))


def hear_performance(known: Known, *reports: PerformanceReport) -> Known:
    """Performance reports of the champion; an older revision than the one that is known changes nothing. Of other
    versions only until when they had rows. Many are heard faster together than one by one.
    """
    windows = dict(known.windows)
    for report in reports:
        if report.model != known.model:
            continue
        known = _with(known, report.version, _data(known, report.version, report.window_end))
        former = windows.get(report.window_start)
        if report.version != known.version or (former is not None and former.revision >= report.revision):
            continue
        windows[report.window_start] = report
        known = _heard(known, report.window_end)
    return msgspec.structs.replace(known, windows=windows)


def hear_model_event(known: Known, event: ModelEvent) -> Known:
    """A decision to retrain starts the cooldown; its details hold `heard`, the event time at which it was taken, and
    `leave_out`. What a retraining collected is learnt; its details hold `last`, the event time of its newest row.

    Another version became the champion: what was known of the former is over, but none of these, nor broken data.
    """
    if event.model != known.model:
        return known
    try:
        return _after(known, event)
    except DataError:  # a time that cannot be read was not written by us: it decides nothing
        return known


def _after(known: Known, event: ModelEvent) -> Known:
    if event.kind == "collected" and event.details.get("work") and isinstance(last := event.details.get("last"), str):
        learnt = moment_of(last)
        return msgspec.structs.replace(known, learnt=learnt if known.learnt is None else max(known.learnt, learnt))
    if event.kind == "retraining-decided" and isinstance(heard := event.details.get("heard"), str):
        asked = tuple(sorted({*known.asked, moment_of(heard)}))
        words = event.details.get("leave_out")
        passed_over = merged([*known.passed_over, *spans(words if isinstance(words, list) else [])])
        return msgspec.structs.replace(known, asked=asked, passed_over=passed_over)
    if event.kind not in ("promoted", "rolled-back") or event.version == known.version:
        return known
    return msgspec.structs.replace(known, version=event.version, since=None, heard=None, windows={}, incidents={})


def _heard(known: Known, at: datetime) -> Known:
    since = at if known.since is None else min(known.since, at)
    heard = at if known.heard is None else max(known.heard, at)
    return msgspec.structs.replace(known, since=since, heard=heard)


def _data(known: Known, version: str, at: datetime) -> Data:
    """Of a version of which a window is heard of that ends then."""
    data = known.data.get(version) or Data(at)
    return msgspec.structs.replace(data, heard=max(data.heard, at))


def _with(known: Known, version: str, data: Data) -> Known:
    return msgspec.structs.replace(known, data={**known.data, version: data})
