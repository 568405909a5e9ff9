"""Comparison: what two judgements made of the same windows, to tune thresholds on past traffic; in numbers and, for
people, side by side. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from contracts.times import UtcTime
from stream_app.replay.judging import Verdict
from stream_app.replay.lines import ComparisonLine, Difference, FeatureAlarms, Figures
from stream_app.tables import aligned

_DIFFERENCES = 20
"""Windows listed; all are in the JSON Lines."""
_FEATURES = 15


class _Found(msgspec.Struct, frozen=True):
    alarms: tuple[str, ...]
    alerts: tuple[str, ...]
    severities: tuple[str, ...]


_Id = tuple[str, str, UtcTime]


class Findings:
    """What one judgement has made of the windows so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._windows: dict[_Id, _Found] = {}
        self._status: Counter[str] = Counter()
        self._transitions: Counter[str] = Counter()
        self._critical = 0
        self.rows = 0

    def add(self, verdict: Verdict) -> None:
        """One window."""
        report = verdict.report
        transitions = tuple(alert.transition for alert in verdict.alerts)
        severities = tuple(alert.severity for alert in verdict.alerts)
        window = report.model, report.version, report.window_start
        self._windows[window] = _Found(report.alarms, transitions, severities)
        self._status[report.status] += 1
        self._transitions.update(transitions)
        self._critical += sum(
            alert.severity == "critical" and alert.transition in ("raise", "escalate") for alert in verdict.alerts
        )
        self.rows += report.rows

    @property
    def insufficient(self) -> int:
        """Windows with too few rows to be compared."""
        return self._status["insufficient"]

    @property
    def figures(self) -> Figures:
        """The numbers."""
        return Figures(
            name=self._name,
            windows=len(self._windows),
            compared=len(self._windows) - self.insufficient,
            alarms=self._status["alarm"],
            pages=self._transitions["raise"] + self._transitions["escalate"],
            critical=self._critical,
            resolves=self._transitions["resolve"],
            reminders=self._transitions["remind"],
        )

    @property
    def features(self) -> Counter[str]:
        """Windows by alarming feature."""
        return Counter(feature for judged in self._windows.values() for feature in judged.alarms)

    def differences(self, other: Findings) -> tuple[Difference, ...]:
        """The windows that the other one judged otherwise, in the order of time. A feature's rank is no difference."""
        return tuple(self._differences(other))

    def _differences(self, other: Findings) -> Iterable[Difference]:
        nothing = _Found((), (), ())
        for model, version, start in sorted(self._windows.keys() | other._windows.keys(), key=lambda id_: id_[::-1]):
            mine, theirs = (judged._windows.get((model, version, start), nothing) for judged in (self, other))
            alike = (mine.alerts, mine.severities) == (theirs.alerts, theirs.severities)
            if not alike or set(mine.alarms) != set(theirs.alarms):
                yield Difference(
                    model=model,
                    version=version,
                    window_start=start,
                    asked_alarms=mine.alarms,
                    compared_alarms=theirs.alarms,
                    asked_alerts=mine.alerts,
                    compared_alerts=theirs.alerts,
                    asked_severities=mine.severities,
                    compared_severities=theirs.severities,
                )


def feature_alarms(asked: Findings, compared: Findings) -> tuple[FeatureAlarms, ...]:
    """The features that alarm by either, the most frequent first."""
    mine, theirs = asked.features, compared.features
    names = sorted(mine.keys() | theirs.keys(), key=lambda name: (-mine[name] - theirs[name], name))
    return tuple(FeatureAlarms(name, mine[name], theirs[name]) for name in names)


def comparison_text(comparison: ComparisonLine) -> list[str]:
    """Two judgements side by side."""
    asked, compared = comparison.asked, comparison.compared
    figures = [
        ("windows", asked.windows, compared.windows),
        ("compared", asked.compared, compared.compared),
        ("with an alarm", asked.alarms, compared.alarms),
        ("pages", asked.pages, compared.pages),
        ("... critical", asked.critical, compared.critical),
        ("said again", asked.reminders, compared.reminders),
        ("resolved", asked.resolves, compared.resolves),
    ]
    features = [(found.feature, found.asked, found.compared) for found in comparison.features[:_FEATURES]]
    rows = [*_numbers(figures), *([["alarms of", "", ""]] if features else []), *_numbers(features)]
    lines = [*aligned(["", asked.name, compared.name], rows, left=True), ""]
    are = "1 window is" if len(comparison.differ) == 1 else f"{len(comparison.differ):,} windows are"
    lines.append(f"{are} judged otherwise" + (":" if comparison.differ else ""))
    differ = [
        [
            f"{found.model}/{found.version}",
            found.window_start.isoformat(),
            _said(found.asked_alarms, found.asked_alerts, found.asked_severities),
            _said(found.compared_alarms, found.compared_alerts, found.compared_severities),
        ]
        for found in comparison.differ[:_DIFFERENCES]
    ]
    lines += aligned(differ[0], differ[1:], left=True) if differ else []
    if len(comparison.differ) > _DIFFERENCES:
        lines.append(f"... and {len(comparison.differ) - _DIFFERENCES:,} more: see the line of type comparison")
    return lines


def _said(alarms: Sequence[str], alerts: Sequence[str], severities: Sequence[str]) -> str:
    named = ", ".join(alarms[:3]) + (f", {len(alarms) - 3} more" if len(alarms) > 3 else "")
    said = [
        alert.upper() if alert == "resolve" else f"{alert.upper()} {severity}"
        for alert, severity in zip(alerts, severities, strict=True)
    ]
    return " ".join([named or "quiet", *said])


def _numbers(rows: Sequence[tuple[str, int, int]]) -> list[list[str]]:
    return [[name, f"{asked:,}", f"{compared:,}"] for name, asked, compared in rows]
