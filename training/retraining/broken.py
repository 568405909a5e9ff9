"""Broken: what the alerts and drift reports of one version say of the data that it was given. Pure.

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


class Data(msgspec.Struct, frozen=True):
    """Of one version. alleged: what alerts say is broken; what of it still is: `broken`. heard: end of the newest
    window of which anything was heard: behind it the version has no rows.

    compared: starts of the newest windows that were compared; looks: feature -> end of the newest one in which its data
    looked broken. thin: start of the first window since then that had too few rows, which the next report counts too;
    merged: start of a window that alarmed -> of the first one that was counted with it.
    """

    heard: datetime
    alleged: tuple[Broken, ...] = ()
    compared: tuple[datetime, ...] = ()
    looks: dict[str, datetime] = {}
    thin: datetime | None = None
    merged: dict[datetime, datetime] = {}

    @property
    def broken(self) -> tuple[Broken, ...]:
        """What was broken, and what is: that has no end."""
        return tuple(self._ended(one) for one in self.alleged)

    def spans(self, answers: bool) -> list[Span]:
        """When any of it was. answers: whether the version gets rows; else what is broken ends where they do."""
        spans = [one.span for one in self.broken]
        found = [Span(self.merged.get(one.start, one.start), one.end) for one in spans]
        return found if answers else [Span(one.start, one.end or self.heard) for one in found]

    def _ended(self, one: Broken) -> Broken:
        last = max(one.seen, self.looks.get(one.feature, one.seen))
        if one.span.end is not None or len(self.compared) < REPAIRED_WINDOWS or self.compared[0] < last:
            return one
        return msgspec.structs.replace(one, span=Span(one.span.start, last))


def of_data(feature: AlertFeature) -> bool:
    """Whether its data is broken, and not the world another one."""
    return feature.cause is not None and feature.cause.of_data


def with_alert(data: Data, alert: DriftAlert) -> Data:
    """An alert lists all features of its incident: one that it does not name any more was repaired by its window."""
    if alert.transition == "resolve":
        return msgspec.structs.replace(data, alleged=tuple(_repaired(one, alert) for one in data.alleged))
    now = {feature.feature: feature for feature in alert.features if of_data(feature)}
    kept = []
    for one in data.alleged:
        if one.incident != alert.incident or one.span.end is not None:
            kept.append(one)
        elif (feature := now.pop(one.feature, None)) is not None:
            kept.append(msgspec.structs.replace(one, seen=max(one.seen, _seen(feature, alert))))
        else:
            kept.append(_repaired(one, alert))
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
    return msgspec.structs.replace(data, alleged=(*kept, *new))


def with_report(data: Data, report: DriftReport) -> Data:
    """A drift report; one of a window that was heard of changes nothing."""
    if data.compared and report.window_start <= data.compared[-1]:
        return data
    if report.status == "insufficient":
        return msgspec.structs.replace(data, thin=data.thin or report.window_start)
    merged = {report.window_start: data.thin} if data.thin and report.merged_windows and report.alarms else {}
    bad = [verdict.feature for verdict in report.features if verdict.cause is not None and verdict.cause.of_data]
    return msgspec.structs.replace(
        data,
        compared=(*data.compared, report.window_start)[-REPAIRED_WINDOWS:],
        looks={**data.looks, **dict.fromkeys(bad, report.window_end)} if bad else data.looks,
        thin=None,
        merged={**data.merged, **merged} if merged else data.merged,
    )


def _repaired(one: Broken, alert: DriftAlert) -> Broken:
    """By the alert's window, if it is of its incident and was not before."""
    if one.incident != alert.incident or one.span.end is not None:
        return one
    return msgspec.structs.replace(one, span=Span(one.span.start, alert.window_start))


def _seen(feature: AlertFeature, alert: DriftAlert) -> datetime:
    """End of the window that its numbers are of: a feature that only belongs to the incident still is there with those
    of an older one.
    """
    return alert.window_end if feature.seen is None else feature.seen + (alert.window_end - alert.window_start)
