"""Days of one reference: taken out of it, learnt from, judged; and what is said of those that alarm."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from bench.benchmark import BenchError, Options
from bench.days.calendar import Day, judged, learnt, without
from bench.days.flights import SAMPLING
from bench.days.made_up import Source
from bench.days.run import run
from bench.days.verdicts import Judged, alarming, figures, lines
from contracts.baseline import Baseline
from contracts.window import WindowCounts
from stream_app.drift.rule import CALIBRATED
from tests.builders import a_baseline, a_schema, reference_columns

DAYS, ROWS = 30, 300
FIRST = date(2013, 2, 1)


def days_of_a_month(effect: float) -> tuple[Baseline, list[Day]]:
    """A baseline of thirty days of which each moves the first number by its own N(0, effect sd); and these days."""
    rng, schema = np.random.default_rng(2), a_schema()
    columns = reference_columns(schema, DAYS * ROWS)
    first = schema.monitored[0].name
    moved = np.repeat(rng.normal(0, effect, DAYS), ROWS) * np.std(columns[first])
    columns[first] = np.asarray(columns[first]) + moved
    scores = rng.random(DAYS * ROWS)
    baseline, days = a_baseline(schema=schema, columns=columns, scores=scores, rows=DAYS * ROWS), []
    for number in range(DAYS):
        window, at = WindowCounts(baseline), slice(number * ROWS, (number + 1) * ROWS)
        window.add_columns(
            [columns[feature.name][at] for feature in schema.monitored], scores[at], (scores[at] >= 0.5).tolist()
        )
        days.append(Day(FIRST + timedelta(days=number), 0.1, window))
    return baseline, days


def test_a_baseline_without_some_days_has_the_counts_of_the_others() -> None:
    baseline, days = days_of_a_month(0)
    rest = without(baseline, days[:10])
    assert rest.rows == 20 * ROWS
    assert rest.positives is not None
    assert rest.positives.rows == 20 * ROWS
    for i, feature in enumerate(baseline.schema.monitored):
        counts = sum(day.window.features[i].counts for day in days[10:])
        assert rest.features[feature.name].counts == tuple(np.asarray(counts).tolist())


def test_days_that_vary_alarm_by_sampling_and_not_by_what_was_learnt() -> None:
    baseline, days = days_of_a_month(0.6)
    alarms = {"sampling": 0, "learnt": 0}
    for i, day in enumerate(days[:15]):
        rest = without(baseline, [day])
        alarms["sampling"] += judged(rest, day, SAMPLING).status == "alarm"
        taught = learnt(rest, days[:i] + days[i + 1 :])
        alarms["learnt"] += judged(taught, day, CALIBRATED).status == "alarm"
    assert alarms["sampling"] >= 10
    assert alarms["learnt"] <= 2


def test_alarming_days_are_told_with_their_findings_and_the_page() -> None:
    baseline, days = days_of_a_month(0)
    first = baseline.schema.monitored[0].name
    found = []
    for day in days:
        if day.date in (date(2013, 2, 8), date(2013, 2, 9)):
            day.window.features[0].counts[:] = 0
            day.window.features[0].missing = ROWS
        found.append(Judged(day, judged(without(baseline, []), day, CALIBRATED)))
    told = alarming(found)
    assert [day.date for day in told] == ["2013-02-08", "2013-02-09"]
    assert [day.paged for day in told] == [False, True]
    assert told[0].features == {first: ("missing",)}
    assert figures(found).alarm_days == 2
    assert figures(found).pages == 1
    assert lines(told)[1] == f"  2013-02-09  PAGE    10% late  {first} (missing)   [blizzard]"


def test_made_up_windows_are_learnt_from_as_training_does_it() -> None:
    source = Source(np.random.default_rng(0), 0, ("normal",))
    assert source.baseline.natural is not None
    assert (source.baseline.natural.windows, source.baseline.natural.learnt) == (60, True)
    varying = {name for name, reference in source.baseline.features.items() if reference.natural["missing"].windows}
    assert len(varying) == 20
    assert source.baseline.features["normal"].natural["ks"].varies
    assert not source.baseline.features["reading"].natural["ks"].varies
    assert source.report(source.window(np.random.default_rng(1), 1_000)).compared_rows == 1_000


def test_other_data_and_unknown_parts_are_refused() -> None:
    with pytest.raises(BenchError, match="only flights has days"):
        run(Options(data="payments"), print)
    with pytest.raises(BenchError, match="choose of flights, made-up"):
        run(Options(only=("weather",)), print)
