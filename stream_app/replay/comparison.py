"""Comparison: what two judgements made of the same windows, to tune thresholds on past traffic. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from contracts.times import UtcTime
from stream_app.replay.judging import Verdict


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one judgement made of all windows. name: what sets it apart. compared: windows with enough rows."""

    name: str
    windows: int
    compared: int
    alarms: int
    pages: int
    resolves: int


class FeatureAlarms(msgspec.Struct, frozen=True):
    """Windows in which a feature alarms, by each judgement."""

    feature: str
    asked: int
    compared: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A window that is not judged alike: the features that alarm, and the transitions of the alert policy, by each."""

    model: str
    version: str
    window_start: UtcTime
    asked_alarms: tuple[str, ...]
    compared_alarms: tuple[str, ...]
    asked_alerts: tuple[str, ...]
    compared_alerts: tuple[str, ...]


class _Judged(msgspec.Struct, frozen=True):
    alarms: tuple[str, ...]
    alerts: tuple[str, ...]


_Id = tuple[str, str, UtcTime]


class Judged:
    """What one judgement has made of the windows so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._windows: dict[_Id, _Judged] = {}
        self._status: Counter[str] = Counter()
        self._transitions: Counter[str] = Counter()
        self.rows = 0

    def add(self, verdict: Verdict) -> None:
        """One window."""
        report = verdict.report
        transitions = tuple(alert.transition for alert in verdict.alerts)
        self._windows[report.model, report.version, report.window_start] = _Judged(report.alarms, transitions)
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

    def differences(self, other: Judged) -> tuple[Difference, ...]:
        """The windows that the other one judged otherwise, in the order of time. A feature's rank is no difference."""
        return tuple(self._differences(other))

    def _differences(self, other: Judged) -> Iterable[Difference]:
        nothing = _Judged((), ())
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


def feature_alarms(asked: Judged, compared: Judged) -> tuple[FeatureAlarms, ...]:
    """The features that alarm by either, the most frequent first."""
    mine, theirs = asked.features, compared.features
    names = sorted(mine.keys() | theirs.keys(), key=lambda name: (-mine[name] - theirs[name], name))
    return tuple(FeatureAlarms(name, mine[name], theirs[name]) for name in names)
