"""The newest windows of each model version, drift and performance, a line for each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from contracts.performance import PerformanceReport
from contracts.reports import DriftReport, FeatureVerdict
from stream_app.alerting.wording import NAMED, verdict_words

Report = DriftReport | PerformanceReport
_Name = tuple[str, str]
_SUBJECTS = ("drift", "performance")
_SHOWN = 8
"""Versions that a sentence names."""


class Newest:
    """Of reports in the order of their topic: the newest windows of each version, both subjects for themselves, since
    labels come later than predictions. A window that is told again counts with its last report.

    last: windows of each. model, version: of these alone, None: of every one.
    """

    def __init__(self, last: int, model: str | None = None, version: str | None = None) -> None:
        self._last, self._model, self._version = last, model, version
        self._kept: dict[_Name, dict[str, dict[datetime, Report]]] = {}
        self._others: set[_Name] = set()

    def add(self, report: Report) -> None:
        """Take the next report; no more than is shown is kept."""
        name = report.model, report.version
        if self._model not in (None, name[0]) or self._version not in (None, name[1]):
            self._others.add(name)
            return
        windows = self._kept.setdefault(name, {subject: {} for subject in _SUBJECTS})[_subject(report)]
        known = windows.get(report.window_start)
        if isinstance(report, PerformanceReport) and isinstance(known, PerformanceReport):
            report = max(known, report, key=lambda one: one.revision)
        windows[report.window_start] = report
        if len(windows) > self._last:
            del windows[min(windows)]

    def lines(self) -> Iterator[str]:
        """Versions by name; of each first drift, then performance, the newest window last."""
        for (model, version), subjects in sorted(self._kept.items(), key=_by_name):
            yield f"{model}/{version}"
            for subject, windows in subjects.items():
                for start in sorted(windows):
                    yield f"  {subject:11}  {_window(windows[start])}  {line(windows[start])}"

    def as_json(self) -> Iterator[str]:
        """The same as JSON Lines: each report as it is on its topic, `subject` and `summary` in front."""
        for _, subjects in sorted(self._kept.items(), key=_by_name):
            for subject, windows in subjects.items():
                for start in sorted(windows):
                    fields: dict[str, Any] = msgspec.to_builtins(windows[start])
                    told = {"subject": subject, "summary": summary(windows[start])}
                    yield msgspec.json.encode({**told, **{k: v for k, v in fields.items() if k not in told}}).decode()

    def without(self) -> str | None:
        """Why nothing is shown, None where something is."""
        if self._kept:
            return None
        if not self._others:
            return (
                "no report yet: one comes when a window has ended and is counted; `python -m stream_app status` says "
                "what holds it back"
            )
        there = [f"{model}/{version}" for model, version in sorted(self._others)]
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        wanted = f"{self._model or 'any model'}{'' if self._version is None else f'/{self._version}'}"
        return f"no report of {wanted}; there are reports of {', '.join(there[:_SHOWN])}{more}"

    @property
    def mistaken(self) -> bool:
        """Whether there are reports, and none of the model and version that were asked for."""
        return not self._kept and bool(self._others)


def line(report: Report) -> str:
    """The status and the summary of one window."""
    final = " (final)" if isinstance(report, PerformanceReport) and report.final else ""
    return f"{report.status:12}  {summary(report)}{final}"


def summary(report: Report) -> str:
    """What one window says. Of performance it is the report's own sentence."""
    if isinstance(report, PerformanceReport):
        return report.summary
    rows = f"{report.rows:,} row{'' if report.rows == 1 else 's'}"
    if report.shadow_rows:
        rows += f", {report.shadow_rows:,} of them as a shadow"
    if report.status == "insufficient":
        return f"{rows}: too few to compare"
    if report.merged_windows:
        rows += f" ({report.compared_rows:,} compared, with those of thin windows before)"
    alarming = [verdict for name in report.alarms if (verdict := report.verdict(name)) is not None]
    more = f"; and {len(report.alarms) - NAMED} more" if len(report.alarms) > NAMED else ""
    return f"{rows}: {'; '.join(map(_about, alarming[:NAMED])) or 'nothing alarms'}{more}"


def _about(verdict: FeatureVerdict) -> str:
    """The likely cause, which names the feature; where none is known, what alarms."""
    cause = verdict.cause
    said = f"{verdict.feature}: {verdict_words(verdict)}" if cause is None else cause.sentence
    return f"{said} (harmless)" if verdict.harmless else said


def _subject(report: Report) -> str:
    return "performance" if isinstance(report, PerformanceReport) else "drift"


def _window(report: Report) -> str:
    return f"{_time(report.window_start)} to {_time(report.window_end)}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _by_name(kept: tuple[_Name, object]) -> tuple[str, int, str]:
    """Versions are mostly numbers: 10 behind 9."""
    (model, version), _ = kept
    return model, int(version) if version.isdecimal() else -1, version
