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


_Id = tuple[str, str, UtcTime]


class Findings:
    """What one judgement has made of the windows so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._windows: dict[_Id, _Found] = {}
        self._status: Counter[str] = Counter()
        self._transitions: Counter[str] = Counter()
        self.rows = 0

    def add(self, verdict: Verdict) -> None:
        """One window."""
        report = verdict.report
        transitions = tuple(alert.transition for alert in verdict.alerts)
        self._windows[report.model, report.version, report.window_start] = _Found(report.alarms, transitions)
        self._status[report.status] += 1
        self._transitions.update(transitions)
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
            resolves=self._transitions["resolve"],
        )

    @property
    def features(self) -> Counter[str]:
        """Windows by alarming feature."""
        return Counter(feature for judged in self._windows.values() for feature in judged.alarms)

    def differences(self, other: Findings) -> tuple[Difference, ...]:
        """The windows that the other one judged otherwise, in the order of time. A feature's rank is no difference."""
        return tuple(self._differences(other))

    def _differences(self, other: Findings) -> Iterable[Difference]:
        nothing = _Found((), ())
        for model, version, start in sorted(self._windows.keys() | other._windows.keys(), key=lambda id_: id_[::-1]):
            mine, theirs = (judged._windows.get((model, version, start), nothing) for judged in (self, other))
            if (set(mine.alarms), mine.alerts) != (set(theirs.alarms), theirs.alerts):
                yield Difference(
                    model=model,
                    version=version,
                    window_start=start,
                    asked_alarms=mine.alarms,
                    compared_alarms=theirs.alarms,
                    asked_alerts=mine.alerts,
                    compared_alerts=theirs.alerts,
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
        ("resolved", asked.resolves, compared.resolves),
    ]
    features = [(found.feature, found.asked, found.compared) for found in comparison.features[:_FEATURES]]
    rows = [*_numbers(figures), *([["alarms of", "", ""]] if features else []), *_numbers(features)]
    lines = [*aligned(["", asked.name, compared.name], rows, left=True), ""]
    lines.append(f"{len(comparison.differ):,} windows are judged otherwise" + (":" if comparison.differ else ""))
    differ = [
        [
            f"{found.model}/{found.version}",
            found.window_start.isoformat(),
            _said(found.asked_alarms, found.asked_alerts),
            _said(found.compared_alarms, found.compared_alerts),
        ]
        for found in comparison.differ[:_DIFFERENCES]
    ]
    lines += aligned(differ[0], differ[1:], left=True) if differ else []
    if len(comparison.differ) > _DIFFERENCES:
        lines.append(f"... and {len(comparison.differ) - _DIFFERENCES:,} more: see the line of type comparison")
    return lines


def _said(alarms: Sequence[str], alerts: Sequence[str]) -> str:
    named = ", ".join(alarms[:3]) + (f", {len(alarms) - 3} more" if len(alarms) > 3 else "")
    return (named or "quiet") + "".join(f" {alert.upper()}" for alert in alerts)


def _numbers(rows: Sequence[tuple[str, int, int]]) -> list[list[str]]:
    return [[name, f"{asked:,}", f"{compared:,}"] for name, asked, compared in rows]
