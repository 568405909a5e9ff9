"""Whether to retrain. Pure: what is known in, a decision with its reason out.

Retraining answers a world that has moved: drift that the model feels, performance below its reference, or age. Broken
data is never learnt: while a feature looks broken everything waits until it is repaired, and its windows are left out
of the new training data.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from contracts.performance import PerformanceReport
from training.data.span import Span
from training.retraining.known import Known

Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to retrain. degraded_windows: so many windows in a row below the reference, counting only those with at
    least minimum_coverage of their predictions labelled. minimum_labelled: labelled predictions of the champion since
    the last decision that there must be, whatever the cause. drift: whether drift that the model feels is cause enough.
    max_age_days: None: age is no cause. cooldown_hours: between two decisions. Days and hours are of event time.
    """

    degraded_windows: Count = 2
    minimum_coverage: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3
    minimum_labelled: Count = 5000
    drift: bool = True
    max_age_days: Positive | None = None
    cooldown_hours: Annotated[float, msgspec.Meta(ge=0)] = 24.0


class Decision(msgspec.Struct, frozen=True):
    """kind wait: nothing speaks for retraining; held: something does, and something else forbids it; retrain: now.

    trigger: what speaks for it. reason: one sentence. leave_out: stretches of broken data.
    """

    kind: Literal["wait", "held", "retrain"]
    reason: str
    trigger: Literal["performance", "drift", "age"] | None = None
    leave_out: tuple[Span, ...] = ()


def decide(known: Known, rules: Rules) -> Decision:
    """What to do, with what is known now."""
    broken = [one for one in known.broken if one.span.end is None]
    trigger, reason = _trigger(known, rules, [report for report in _windows(known) if not _broken(known, report)])
    if trigger is None and broken:  # what falls while data is broken is the data's fault, as far as anybody knows
        trigger, reason = _trigger(known, rules, _windows(known))
    if trigger is None:
        return Decision("wait", reason)
    if broken:
        words = "; ".join(f"{one.feature}: {one.sentence}" for one in broken)
        return Decision("held", f"{reason}; but the data is broken, to be repaired and not learnt: {words}", trigger)
    if (labelled := _labelled(known)) < rules.minimum_labelled:
        few = f"only {labelled:,} labelled predictions of {rules.minimum_labelled:,}"
        return Decision("held", f"{reason}; but {few}", trigger)
    if _within(known.asked, known.heard, timedelta(hours=rules.cooldown_hours)):
        return Decision("held", f"{reason}; but the last decision was at {known.asked:%Y-%m-%dT%H:%M:%SZ}", trigger)
    return Decision("retrain", reason, trigger, tuple(sorted(one.span for one in known.broken)))


def _trigger(
    known: Known, rules: Rules, windows: list[PerformanceReport]
) -> tuple[Literal["performance", "drift", "age"] | None, str]:
    judged = [report for report in windows if _counts(report, rules)]
    newest = judged[-rules.degraded_windows :]
    if len(newest) == rules.degraded_windows and all(report.status == "degraded" for report in newest):
        return "performance", f"{len(newest)} windows in a row below the reference; the last: {newest[-1].summary}"
    felt = [incident for incident in known.incidents.values() if incident.felt]
    if rules.drift and felt:
        names = sorted({feature for incident in felt for feature in incident.features})
        return "drift", f"drift that the model feels: {', '.join(names)}"
    limit = rules.max_age_days
    if limit is not None and known.since is not None and not _within(known.since, known.heard, timedelta(days=limit)):
        return "age", f"version {known.version} has answered for more than {limit:g} days"
    return None, f"version {known.version}: {len(judged)} windows judged, {len(known.incidents)} incidents open"


def _windows(known: Known) -> list[PerformanceReport]:
    return [report for _, report in sorted(known.windows.items())]


def _broken(known: Known, report: PerformanceReport) -> bool:
    """Whether some data was broken in a part of the window."""
    spans = [one.span for one in known.broken]
    return any(
        span.start < report.window_end and (span.end is None or report.window_start < span.end) for span in spans
    )


def _labelled(known: Known) -> int:
    """Predictions to learn from that were not there at the last decision."""
    asked = known.asked
    new = [report for report in known.windows.values() if asked is None or report.window_end > asked]
    return sum(report.labelled for report in new if not _broken(known, report))


def _within(earlier: datetime | None, later: datetime | None, limit: timedelta) -> bool:
    """A person's decision has the clock's time, which may be far from that of replayed events: then it is not near."""
    return earlier is not None and later is not None and timedelta(0) <= later - earlier < limit


def _counts(report: PerformanceReport, rules: Rules) -> bool:
    """Windows of a kind that nothing was said about do not break a row of degraded ones."""
    coverage = report.coverage
    return report.status != "insufficient" and (coverage is None or coverage >= rules.minimum_coverage)
