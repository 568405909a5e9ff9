"""What a replay writes: JSON Lines, each object with its `type`. Reports and alerts are inside as the topics have them,
byte for byte, so that they can be compared with the live ones.
"""

from __future__ import annotations

import msgspec

from contracts.alerts import encode_alert
from contracts.reports import encode_report
from contracts.times import UtcTime
from stream_app.replay.judging import Verdict


class ReportLine(msgspec.Struct, frozen=True, tag="report", omit_defaults=True):
    """A DriftReport. cut: rows of its window may lie outside what was read (only with --keep-cut)."""

    report: msgspec.Raw
    cut: bool = False


class AlertLine(msgspec.Struct, frozen=True, tag="alert"):
    """A DriftAlert."""

    alert: msgspec.Raw


class ComparedReportLine(msgspec.Struct, frozen=True, tag="compared_report", omit_defaults=True):
    """A DriftReport by what --compare names."""

    report: msgspec.Raw
    cut: bool = False


class ComparedAlertLine(msgspec.Struct, frozen=True, tag="compared_alert"):
    """A DriftAlert by what --compare names."""

    alert: msgspec.Raw


class RefusedLine(msgspec.Struct, frozen=True, tag="refused", omit_defaults=True):
    """A record that could not be counted. Of a topic it has partition and offset, of JSON Lines a line, of a table a
    row; lines and rows are numbered from 1, the header of a table not counted.
    """

    reason: str
    detail: str
    partition: int | None = None
    offset: int | None = None
    line: int | None = None
    row: int | None = None


class CutLine(msgspec.Struct, frozen=True, tag="cut"):
    """A window that is left out, because rows of it may lie before what was read."""

    model: str
    version: str
    window_start: UtcTime
    rows: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one judgement made of all windows. name: what sets it apart. compared: windows with enough rows. critical:
    of the pages, those of that severity.
    """

    name: str
    windows: int
    compared: int
    alarms: int
    pages: int
    critical: int
    resolves: int
    reminders: int = 0


class FeatureAlarms(msgspec.Struct, frozen=True):
    """Windows in which a feature alarms, by each judgement."""

    feature: str
    asked: int
    compared: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A window that is not judged alike: the features that alarm, the transitions of the alert policy and their
    severities, by each.
    """

    model: str
    version: str
    window_start: UtcTime
    asked_alarms: tuple[str, ...]
    compared_alarms: tuple[str, ...]
    asked_alerts: tuple[str, ...]
    compared_alerts: tuple[str, ...]
    asked_severities: tuple[str, ...]
    compared_severities: tuple[str, ...]


class ComparisonLine(msgspec.Struct, frozen=True, tag="comparison"):
    """Two judgements of the same windows. differ: where alarms, alerts or severities are not the same."""

    asked: Figures
    compared: Figures
    features: tuple[FeatureAlarms, ...]
    differ: tuple[Difference, ...]


class SummaryLine(msgspec.Struct, frozen=True, tag="summary", kw_only=True):
    """The last line. complete: everything asked for was read. alarms: windows in which a feature alarms. pages: alerts
    that raise or escalate. refused: by reason. window_seconds to n_min: the settings that made it so.

    read = counted + late + repeats + refused;
    counted = reported_rows + late_at_merge + cut_rows + open_rows. balanced: both hold.
    """

    complete: bool
    balanced: bool
    read: int
    counted: int
    late: int
    repeats: int
    refused: dict[str, int]
    windows: int
    insufficient: int
    alarms: int
    pages: int
    reported_rows: int
    late_at_merge: int
    cut_windows: int
    cut_rows: int
    open_windows: int
    open_rows: int
    window_seconds: float
    lateness_seconds: float
    preset: str
    n_min: int


Line = (
    ReportLine
    | AlertLine
    | ComparedReportLine
    | ComparedAlertLine
    | RefusedLine
    | CutLine
    | ComparisonLine
    | SummaryLine
)

_encode = msgspec.json.Encoder().encode


def encode_line(line: Line) -> bytes:
    """One line, with its end."""
    return _encode(line) + b"\n"


def lines_of(verdict: Verdict) -> list[Line]:
    """The report and the alerts of one window."""
    report, alerts = msgspec.Raw(encode_report(verdict.report)), map(encode_alert, verdict.alerts)
    if verdict.judge == 0:
        return [ReportLine(report, verdict.cut), *(AlertLine(msgspec.Raw(alert)) for alert in alerts)]
    return [ComparedReportLine(report, verdict.cut), *(ComparedAlertLine(msgspec.Raw(alert)) for alert in alerts)]
