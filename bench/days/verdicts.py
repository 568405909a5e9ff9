"""What happened on the judged days: who alarmed, what was paged, in figures and in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from bench.days.calendar import Day
from bench.offline import pages
from contracts.reports import DriftReport

EVENTS = {date(2013, 2, 8): "blizzard", date(2013, 2, 9): "blizzard", date(2013, 3, 8): "snow, most flights late"}
"""Days on which something out of the ordinary happened to air traffic in New York, from the newspapers of the time."""


class Judged(NamedTuple):
    """A day and its report."""

    day: Day
    report: DriftReport


class AlarmingDay(msgspec.Struct, frozen=True):
    """late: share of the day's flights that were. features: what alarmed, with its findings. paged: whether the default
    policy wrote an alert at the end of this day."""

    date: str
    late: float
    features: dict[str, tuple[str, ...]]
    paged: bool
    event: str = ""


class DayFigures(msgspec.Struct, frozen=True):
    """days: judged. alarm_share: of them. pages: alerts that the default policy wrote, resolved ones not counted."""

    days: int
    alarm_days: int
    alarm_share: float
    pages: int


def figures(judged: Sequence[Judged], *, in_order: bool = True) -> DayFigures:
    """in_order: whether the days follow each other, so that a policy has something to say."""
    alarms = sum(found.report.status == "alarm" for found in judged)
    paged = len(pages(found.report for found in judged)) if in_order else 0
    return DayFigures(len(judged), alarms, round(alarms / len(judged), 4), paged)


def alarming(judged: Sequence[Judged]) -> list[AlarmingDay]:
    """The days that alarm, in order."""
    paged = {alert.window_start for alert in pages(found.report for found in judged)}
    return [
        AlarmingDay(
            date=day.date.isoformat(),
            late=round(day.late, 3),
            features={verdict.feature: verdict.findings for verdict in report.features if verdict.alarm},
            paged=report.window_start in paged,
            event=EVENTS.get(day.date, ""),
        )
        for day, report in judged
        if report.status == "alarm"
    ]


def lines(days: Sequence[AlarmingDay]) -> list[str]:
    """One line for each day that alarms."""
    return [
        f"  {day.date}  {'PAGE ' if day.paged else 'alarm'}  {day.late:4.0%} late  "
        + ", ".join(f"{name} ({'+'.join(found)})" for name, found in day.features.items())
        + (f"   [{day.event}]" if day.event else "")
        for day in days
    ]
