"""Revisions: what the audit of the labels keeps of the reports on `performance`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.performance import PerformanceReport
from contracts.times import milliseconds


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a report on `performance` as is compared. noted: a reader is told something about it."""

    number: int
    labelled: int
    replaced: int
    final: bool
    noted: bool


Revisions = Mapping[tuple[str, str, int], Revision]
"""The highest revision by model, version and start."""


class RevisionsSoFar:
    """What is kept of reports: give take() each one."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str, int], Revision] = {}

    def take(self, report: PerformanceReport) -> None:
        """The topic's next one."""
        key = report.model, report.version, milliseconds(report.window_start)
        if key not in self.newest or self.newest[key].number < report.revision:
            self.newest[key] = Revision(
                number=report.revision,
                labelled=report.labelled,
                replaced=report.replaced,
                final=report.final,
                noted=bool(report.notes),
            )
