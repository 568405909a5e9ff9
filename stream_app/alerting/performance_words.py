"""The sentences of an alert about performance: which measures fell, from what to what, since when. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from contracts.alerts import Severity
from stream_app.alerting.policy_case import Case
from stream_app.alerting.policy_state import Tracked
from stream_app.performance.summary import number, words

PREFIX = "performance:"
"""Before the name of a measure where features are named: in alerts, and in mutes."""


def measure_words(feature: str, reference: float | None, value: float | None, p: str) -> str:
    """`AUC .784 -> .725 (p 3e-09)`. p: as it is written.

    >>> measure_words("performance:auc", 0.784, 0.725, "3e-09")
    'AUC .784 -> .725 (p 3e-09)'
    """
    name = words(feature.removeprefix(PREFIX))
    return name if value is None or reference is None else f"{name} {number(reference)} -> {number(value)} (p {p})"


def raised(case: Case, measures: Sequence[Tracked], page_after: int, of_last: int) -> str:
    """measures: those that page, the strongest first."""
    rule = f"in at least {page_after} of the last {of_last} judged windows"
    return f"{_subject(case)} fell: {_described(measures)}, {rule}, {_window(case)}"


def escalated(case: Case, new: Sequence[Tracked], paging: int, recovered: Collection[str]) -> str:
    """new: those that joined, or that were muted; see wording.escalated."""
    if all(entry.in_incident for entry in new):
        what = "is still down, now that its mute has ended"
    else:
        what = "is down again" if all(entry.feature in recovered for entry in new) else "fell further"
    return f"{_subject(case)} {what}: {_described(new)}; measures paging now: {paging}, {_window(case)}"


def worsened(case: Case, measures: Sequence[Tracked], before: Severity, now: Severity) -> str:
    """The severity rose from `before` to `now`."""
    return f"{_subject(case)} was {before} and is {now}: {_described(measures)}, {_window(case)}"


def reminded(case: Case, paging: Sequence[Tracked], waiting: Sequence[Tracked], opened: datetime) -> str:
    """It is down since the window that began at `opened`. waiting: what is worse in this window and does not page."""
    told = f"{_subject(case)} is still down since {_time(opened)}: {_described(paging)}"
    more = f"; does not page yet: {_described(waiting)}" if waiting else ""
    return f"{told}{more}, {_window(case)}"


def resolved(case: Case, measures: Sequence[str], opened: datetime, clean: int) -> str:
    """measures: all that belonged to the incident."""
    names = ", ".join(words(name.removeprefix(PREFIX)) for name in measures)
    after = "1 clean window" if clean == 1 else f"{clean} clean windows in a row"
    return f"{_subject(case)} is back ({names}) after {after}, raised {_time(opened)}, {_window(case)}"


def _described(measures: Sequence[Tracked]) -> str:
    return ", ".join(_as_seen(entry) for entry in measures)


def _as_seen(entry: Tracked) -> str:
    """Numbers of an earlier window are not told as this one's."""
    if entry.alarms[-1] or entry.seen is None:
        return entry.words
    return f"{entry.words}, last seen in the window of {_time(entry.seen)}"


def _subject(case: Case) -> str:
    return f"performance of {case.model}/{case.version}"


def _window(case: Case) -> str:
    return f"window {_time(case.window_start)} to {_time(case.window_end)}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
