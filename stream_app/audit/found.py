"""Found: what is on the topics, as the audit compares it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.partials import PartialAggregate
from contracts.reports import DriftReport
from contracts.times import milliseconds
from stream_app.audit.letters import Letters
from stream_app.windowing.accounts import ClosedWindows
from stream_app.windowing.merged_state import VersionRecord
from stream_app.windowing.state import PartitionMeta
from stream_app.windowing.typed import Version


class Log(msgspec.Struct, frozen=True):
    """The offsets that a partition holds: from start to before end."""

    start: int
    end: int


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one window. window_end: milliseconds UTC. partitions: source partition -> last offset counted;
    empty where nobody counts again. other_rows: of repetitions of it that say something else, which must not be.
    """

    window_end: int
    rows: int
    partitions: Mapping[int, int]
    other_rows: tuple[int, ...] = ()


Reports = Mapping[Version, Mapping[int, Reported]]
"""By model version and start of the window."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the topics. Of reports and dead letters each counts once, however often it was sent.

    predictions: the log of each partition. exhausted: partitions with no record behind stage 1's position, though the
    log's end may be. metas, open_windows: the state of stage 1; versions, parts, closed: of stage 2. reports: of this
    installation; foreign_reports: how many others have written; complete: nothing was deleted from that topic yet.
    letters: dead letters; refused_complete: likewise. answered: ids asked for; lost: those not on
    `predictions`. unreadable: topic -> records on it that are no message of that topic.
    """

    predictions: Mapping[int, Log]
    exhausted: frozenset[int] = frozenset()
    metas: tuple[PartitionMeta, ...]
    open_windows: tuple[PartialAggregate, ...]
    versions: tuple[VersionRecord, ...]
    parts: tuple[PartialAggregate, ...]
    closed: ClosedWindows = {}
    reports: Reports
    reports_complete: bool
    foreign_reports: int = 0
    letters: Letters
    refused_complete: bool
    answered: int | None = None
    lost: tuple[str, ...] = ()
    unreadable: Mapping[str, int] = {}


class ReportsSoFar:
    """What is kept of reports. Give take() each one, in the order in which they were sent, repetitions among them.

    places: keep how far each source partition is counted, too: most of the memory with many partitions.
    """

    def __init__(self, *, places: bool) -> None:
        self._places = places
        self.reports: dict[Version, dict[int, Reported]] = {}

    def take(self, report: DriftReport) -> None:
        """The topic's next one."""
        start, end = milliseconds(report.window_start), milliseconds(report.window_end)
        windows = self.reports.setdefault((report.model, report.version), {})
        others: tuple[int, ...] = ()
        if (former := windows.get(start)) is not None:
            others = former.other_rows if former.rows == report.rows else (*former.other_rows, former.rows)
        partitions = report.partitions if self._places else {}
        windows[start] = Reported(window_end=end, rows=report.rows, partitions=partitions, other_rows=others)
