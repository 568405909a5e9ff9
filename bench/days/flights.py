"""Real flights by day: January to March by cross-validation, random days learnt from, the months after, bugs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pandas as pd

from bench.benchmark import Say
from bench.days.calendar import Calendar, Day, judged, learnt, without
from bench.days.verdicts import AlarmingDay, DayFigures, Judged, alarming, figures, lines
from contracts.baseline import Baseline
from demo.drift import Drift, inject
from stream_app.drift.rule import CALIBRATED, DecisionRule

SAMPLING = msgspec.structs.replace(CALIBRATED, natural=False)
"""The default rule without what was learnt: sampling alone explains how windows differ."""
RULES = {"learnt": CALIBRATED, "sampling": SAMPLING}
LEARNT_DAYS = 60
MONTHS_AFTER = range(4, 13)
NINE_MONTHS, AUTUMN = range(1, 10), range(10, 13)

BUGS = {
    "distance x1.609 on a third": Drift("unit", ("distance",), 1.609344, 1 / 3),
    "temp = 0 on a third": Drift("fill", ("temp",), 0.0, 1 / 3),
    "humid x.01 on a tenth": Drift("unit", ("humid",), 0.01, 0.1),
    "plane_year = 0 on a tenth": Drift("fill", ("plane_year",), 0.0, 0.1),
    "humid missing on a tenth": Drift("missing", ("humid",), 0.0, 0.1),
    "visib = 3 on a tenth": Drift("fill", ("visib",), 3.0, 0.1),
}
"""The last is in the range of a feature that varies: not to be found among natural days."""


class FlightFigures(msgspec.Struct, frozen=True):
    """Each pair is the default rule with the learnt null, and without it (sampling alone).

    cross_validated: each day of January to March against the other 89. alarming: its days that alarm with the learnt
    null. split: 60 random days learnt from, the other 30 judged, over some splits. later: by month, learnt from all of
    January to March. autumn_after_nine_months: October to December, learnt from January to September; None in a quick
    run. bugs_found: share of the judged days of one split on which the injected feature alarms with the
    learnt null. blizzard_paged: 8 and 9 February. snow_of_march_8_found: whether that day alarms.
    """

    cross_validated_learnt: DayFigures
    cross_validated_sampling: DayFigures
    alarming: tuple[AlarmingDay, ...]
    blizzard_paged: bool
    snow_of_march_8_found: bool
    split_learnt: DayFigures
    split_sampling: DayFigures
    later_learnt: dict[str, DayFigures]
    later_sampling: dict[str, DayFigures]
    autumn_after_nine_months: DayFigures | None
    bugs_found: dict[str, float]


def flights(seed: int, splits: int, nine_months: bool, say: Say) -> FlightFigures:
    """Measure it all, or without the nine months."""
    calendar = Calendar(seed)
    crossed = {name: _cross_validated(calendar, rule) for name, rule in RULES.items()}
    days = alarming(crossed["learnt"])
    crossed_figures = {name: figures(found) for name, found in crossed.items()}
    say("each day of January to March against the other 89")
    for name, found in crossed_figures.items():
        say(
            f"  {name:9} {found.alarm_days:3} of {found.days} days alarm ({found.alarm_share:.1%}), {found.pages} pages"
        )
    for line in lines(days):
        say(line)
    split = {name: _of_splits(calendar, rule, seed, splits) for name, rule in RULES.items()}
    say(f"\n{LEARNT_DAYS} random days learnt, the others judged, {splits} splits")
    for name, found in split.items():
        say(f"  {name:9} {found.alarm_share:6.1%} of {found.days} days alarm")
    later = _later(calendar, say)
    autumn = _autumn(seed, say) if nine_months else None
    bugs = _bugs(calendar, seed)
    say("\nbugs injected into the days judged of one split: share of days found with the learnt null")
    for name, share in bugs.items():
        say(f"  {name:28}{share:7.1%}")
    paged = {day.date for day in days if day.paged}
    return FlightFigures(
        cross_validated_learnt=crossed_figures["learnt"],
        cross_validated_sampling=crossed_figures["sampling"],
        alarming=tuple(days),
        blizzard_paged=bool(paged & {"2013-02-08", "2013-02-09"}),
        snow_of_march_8_found=any(day.date == "2013-03-08" for day in days),
        split_learnt=split["learnt"],
        split_sampling=split["sampling"],
        later_learnt=later["learnt"],
        later_sampling=later["sampling"],
        autumn_after_nine_months=autumn,
        bugs_found=bugs,
    )


def _cross_validated(calendar: Calendar, rule: DecisionRule) -> list[Judged]:
    found = []
    for i, day in enumerate(calendar.known):
        others = calendar.known[:i] + calendar.known[i + 1 :]
        found.append(Judged(day, judged(_of(calendar, others, [day], rule), day, rule)))
    return found


def _of(calendar: Calendar, days: Sequence[Day], left_out: Sequence[Day], rule: DecisionRule) -> Baseline:
    baseline = without(calendar.baseline, left_out)
    return learnt(baseline, days) if rule.natural else baseline


def _split(calendar: Calendar, seed: Sequence[int]) -> tuple[list[Day], list[Day]]:
    """Days to learn from and days to judge."""
    order = np.random.default_rng(seed).permutation(len(calendar.known))
    days = [calendar.known[i] for i in order]
    return days[:LEARNT_DAYS], days[LEARNT_DAYS:]


def _of_splits(calendar: Calendar, rule: DecisionRule, seed: int, splits: int) -> DayFigures:
    found = []
    for number in range(splits):
        learn_from, left_out = _split(calendar, [seed, number])
        baseline = _of(calendar, learn_from, left_out, rule)
        found += [Judged(day, judged(baseline, day, rule)) for day in left_out]
    return figures(found, in_order=False)


def _later(calendar: Calendar, say: Say) -> dict[str, dict[str, DayFigures]]:
    taught = learnt(calendar.baseline, calendar.known)
    months = {month: calendar.later(month) for month in MONTHS_AFTER}
    found = {
        name: {
            f"{month:02}": figures([Judged(day, judged(taught, day, rule)) for day in days])
            for month, days in months.items()
        }
        for name, rule in RULES.items()
    }
    say("\nlearnt from January to March; share of days that alarm (pages)")
    say("  month    " + "".join(f"{month:>11}" for month in found["learnt"]))
    for name, by_month in found.items():
        say(f"  {name:9}" + "".join(f"{one.alarm_share:6.0%} ({one.pages:2})" for one in by_month.values()))
    return found


def _autumn(seed: int, say: Say) -> DayFigures:
    calendar = Calendar(seed, NINE_MONTHS)
    taught = learnt(calendar.baseline, calendar.known)
    days = [day for month in AUTUMN for day in calendar.later(month)]
    found = [Judged(day, judged(taught, day, CALIBRATED)) for day in days]
    say(f"\nlearnt from January to September: {figures(found).alarm_share:.0%} of the days to December alarm")
    for line in lines(alarming(found)):
        say(line)
    return figures(found)


def _bugs(calendar: Calendar, seed: int) -> dict[str, float]:
    learn_from, left_out = _split(calendar, [seed, 0])
    baseline, dates = _of(calendar, learn_from, left_out, CALIBRATED), {day.date for day in left_out}
    shares = {}
    for name, bug in BUGS.items():

        def broken(rows: pd.DataFrame, bug: Drift = bug) -> pd.DataFrame:
            return inject(rows, bug, seed)

        reports = [judged(baseline, day, CALIBRATED) for day in calendar.known_with(broken) if day.date in dates]
        shares[name] = round(sum(bug.features[0] in report.alarms for report in reports) / len(reports), 4)
    return shares
