"""Whether to retrain. Pure: what is known in, a decision with its reason out.

Retraining answers a world that has moved: drift that the model feels, performance below its reference, age, or simply
enough that is new. Broken data is never learnt: while a feature looks broken everything waits until it is repaired, and
its windows are left out of the new training data. Nor is the old world learnt anew: enough labels must be of windows
since what speaks for retraining began.

Only windows whose labels are complete are learnt (training.collecting.complete), so only those are counted.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple

import msgspec

from contracts.performance import PerformanceReport
from stream_app.performance.report import is_complete
from training.data.span import Span
from training.retraining.known import Known

Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Trigger = Literal["performance", "drift", "age", "rows"]

_OVER_WINDOWS = 3
"""A fall that so many judged windows in a row do not show is over. As STREAM_RESOLVE_AFTER."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to retrain. degraded_windows: so many windows in a row below the reference, counting only those with at
    least minimum_coverage of their predictions labelled. drift: whether drift that the model feels is cause enough.
    max_age_days, new_labelled: so old, or so many new labelled predictions, are cause enough; None: that is no cause.
    minimum_labelled: new labelled predictions that there must be, whatever the cause; minimum_moved: of them, since the
    drift or the low performance began, None: as many. New: of the champion, in windows behind all that a retraining has
    collected, whose labels are complete. cooldown_hours: between two decisions. Days and hours are of event time.
    """

    degraded_windows: Count = 2
    minimum_coverage: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3
    minimum_labelled: Count = 5000
    minimum_moved: Count | None = None
    drift: bool = True
    max_age_days: Positive | None = None
    new_labelled: Count | None = None
    cooldown_hours: Annotated[float, msgspec.Meta(ge=0)] = 24.0


class Decision(msgspec.Struct, frozen=True):
    """kind wait: nothing speaks for retraining; held: something does, and something else forbids it; retrain: now.

    trigger: what speaks for it. reason: one sentence. leave_out: stretches of broken data.
    """

    kind: Literal["wait", "held", "retrain"]
    reason: str
    trigger: Trigger | None = None
    leave_out: tuple[Span, ...] = ()


class _Cause(NamedTuple):
    """What speaks for retraining. began: start of the first window that shows it, None where it has none."""

    trigger: Trigger
    reason: str
    began: datetime | None = None


def decide(known: Known, rules: Rules) -> Decision:
    """What to do, with what is known now."""
    broken = broken_words(known)
    spans = known.left_out
    whole = [report for report in _windows(known) if not _broken(spans, report)]
    # Behind what was learnt, and not behind the last decision: of windows before it labels may have come since.
    unlearnt = [report for report in whole if known.learnt is None or report.window_start > known.learnt]
    new = [report for report in unlearnt if is_complete(report.labelled, report.predictions, report.final)]
    causes = _causes(known, rules, whole, new)
    if not causes and broken:  # what falls while data is broken is the data's fault, as far as anybody knows
        causes = _causes(known, rules, _windows(known), new)
    if not causes:
        judged, open_ = len(_judged(whole, rules)), len(known.incidents)
        return Decision("wait", f"version {known.version}: {judged} windows judged, {open_} incidents open")
    trigger, reason, _ = causes[0]
    if broken:
        return Decision("held", f"{reason}; but the data is broken, to be repaired and not learnt: {broken}", trigger)
    if (found := _labels(new)) < rules.minimum_labelled:
        few = f"only {found:,} labelled predictions of {rules.minimum_labelled:,}"
        waiting = _labels(unlearnt) - found
        more = f", and {waiting:,} in windows whose labels are not complete" if waiting else ""
        return Decision("held", f"{reason}; but {few}{more}", trigger)
    wanted = rules.minimum_moved or rules.minimum_labelled
    ready = next((cause for cause in causes if _moved(cause, new) >= wanted), None)
    if ready is None:
        few = f"only {_moved(causes[0], new):,} labelled predictions of {wanted:,} since it began"
        return Decision("held", f"{reason}; but {few}, at {causes[0].began:%Y-%m-%dT%H:%M:%SZ}", trigger)
    trigger, reason, _ = ready
    cooldown = timedelta(hours=rules.cooldown_hours)
    if near := [one for one in known.asked if _within(one, known.heard, cooldown)]:
        return Decision("held", f"{reason}; but the last decision was at {near[-1]:%Y-%m-%dT%H:%M:%SZ}", trigger)
    return Decision("retrain", reason, trigger, spans)


def broken_words(known: Known) -> str:
    """What of the data is broken now, and looks how; "" for nothing."""
    return "; ".join(f"{one.feature}: {one.sentence}" for one in known.broken if one.span.end is None)


def _causes(known: Known, rules: Rules, windows: list[PerformanceReport], new: list[PerformanceReport]) -> list[_Cause]:
    """All that speaks for it now, what says most first. new: windows that were not learnt yet, and can be."""
    judged, found = _judged(windows, rules), []
    newest = judged[-rules.degraded_windows :]
    if len(newest) == rules.degraded_windows and all(report.status == "degraded" for report in newest):
        reason = f"{len(newest)} windows in a row below the reference; the last: {newest[-1].summary}"
        found.append(_Cause("performance", reason, _fell(judged)))
    felt = [incident for incident in known.incidents.values() if incident.felt]
    if rules.drift and felt:
        names = sorted({feature for incident in felt for feature in incident.features})
        began = min(incident.since for incident in felt if incident.since is not None)
        found.append(_Cause("drift", f"drift that the model feels: {', '.join(names)}", began))
    limit = rules.max_age_days
    if limit is not None and known.since is not None and not _within(known.since, known.heard, timedelta(days=limit)):
        found.append(_Cause("age", f"version {known.version} has answered for more than {limit:g} days"))
    if rules.new_labelled is not None and _labels(new) >= rules.new_labelled:
        found.append(_Cause("rows", f"{_labels(new):,} new labelled predictions"))
    return found


def _fell(judged: list[PerformanceReport]) -> datetime:
    """Start of the first window of the present fall; the newest window is in it.

    In `x . . . x . x x` (x: degraded) it is the last four windows: three in a row before them do not show it.
    """
    began, well = judged[-1].window_start, 0
    for report in reversed(judged):
        well = 0 if report.status == "degraded" else well + 1
        if well == _OVER_WINDOWS:
            break
        began = began if well else report.window_start
    return began


def _moved(cause: _Cause, new: list[PerformanceReport]) -> float:
    """Labels of the world that the cause is about; without end where it is about none."""
    return _labels([one for one in new if one.window_end > cause.began]) if cause.began is not None else math.inf


def _windows(known: Known) -> list[PerformanceReport]:
    return [report for _, report in sorted(known.windows.items())]


def _broken(spans: tuple[Span, ...], report: PerformanceReport) -> bool:
    """Whether some data was broken in a part of the window."""
    return any(
        span.start < report.window_end and (span.end is None or report.window_start < span.end) for span in spans
    )


def _labels(reports: list[PerformanceReport]) -> int:
    return sum(report.labelled for report in reports)


def _within(one: datetime, other: datetime | None, limit: timedelta) -> bool:
    """A person's decision has the clock's time: a little ahead of the windows, or years away from those of a replay."""
    return other is not None and abs(other - one) < limit


def _judged(windows: list[PerformanceReport], rules: Rules) -> list[PerformanceReport]:
    """Windows that nothing was said about are left out: they do not break a row of degraded ones."""
    return [
        report
        for report in windows
        if report.status != "insufficient" and (report.coverage is None or report.coverage >= rules.minimum_coverage)
    ]
