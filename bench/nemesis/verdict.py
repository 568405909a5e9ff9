"""Verdict: whether every window has one report, which says exactly what counting the acknowledged events says. Pure.

Two comparisons. The parts that stage 1 sent, the newest of each source partition added up, against the truth's
histograms: both sides by naive.py, so nothing that counts in the product counts here. And the first report of each id
against a report on the truth's histograms, field by field: its statistics are the product's own on both sides, so this
one finds what was lost or mixed up between count and report, not a statistic that is wrong; the drift tests do that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from bench.nemesis.naive import Counted
from bench.nemesis.truth import Truth, Window, bins_of
from contracts.baseline import Baseline
from contracts.partials import PartialAggregate
from contracts.reports import DriftReport, report_id
from contracts.window import WindowCounts
from stream_app.drift.report import report
from stream_app.drift.rule import CALIBRATED

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Parts = Mapping[Window, Mapping[int, PartialAggregate]]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """lost, double: rows that the reports, or a feature's histogram, have too few or too many of. repeated_reports:
    further reports of an id. differences: a sentence for each thing that is not as it must be."""

    counted: int
    lost: int
    double: int
    repeated_reports: int
    windows: int
    differences: tuple[str, ...]


def judge(truth: Truth, reports: Mapping[str, Sequence[DriftReport]], parts: Iterable[PartialAggregate]) -> Verdict:
    """Compare. reports: every report by its id, in the order of the topic."""
    differences: list[str] = []
    lost = double = counted = 0
    newest = _newest(parts)
    named = {id_of(window): window for window in truth.windows}
    for id_, found in reports.items():
        if any(other != found[0] for other in found[1:]):
            differences.append(f"{id_}: {len(found)} reports that differ: rows {[other.rows for other in found]}")
        if id_ not in named:
            double += found[0].rows
            differences.append(f"{id_}: a report of {found[0].rows} rows, no event belongs there")
        counted += found[0].rows
    for id_, window in sorted(named.items()):
        counts, baseline = truth.windows[window], truth.baselines[window.model, window.version]
        merged = _merged(newest.get(window, {}), baseline)
        few, many = _surplus(counts, merged)
        if id_ not in reports:
            differences.append(f"{id_}: no report; {counts.rows} rows{_where(truth, window, newest)}")
            few = counts.rows
        else:
            first = reports[id_][0]
            few, many = max(few, counts.rows - first.rows), max(many, first.rows - counts.rows)
            if wrong := _wrong(counts, merged, first, window, baseline):
                differences.append(f"{id_}: {', '.join(wrong)}{_where(truth, window, newest)}")
        lost, double = lost + few, double + many
    return Verdict(
        counted=counted,
        lost=lost,
        double=double,
        repeated_reports=sum(len(found) - 1 for found in reports.values()),
        windows=len(truth.windows),
        differences=tuple(differences),
    )


def id_of(window: Window) -> str:
    """The id of a window's report."""
    return report_id(window.model, window.version, _EPOCH + timedelta(milliseconds=window.start))


def _newest(parts: Iterable[PartialAggregate]) -> Parts:
    newest: dict[Window, dict[int, PartialAggregate]] = {}
    for part in parts:
        mine = newest.setdefault(Window(part.model, part.version, part.window_start), {})
        if part.partition not in mine or part.offset > mine[part.partition].offset:
            mine[part.partition] = part
    return newest


def _merged(parts: Mapping[int, PartialAggregate], baseline: Baseline) -> Counted:
    merged = Counted(bins_of(baseline))
    for part in parts.values():
        if part.baseline != baseline.digest:
            continue  # no other was published: its rows will be missing
        for tally, found in zip(merged.tallies.values(), (part.score, *part.features), strict=True):
            tally.add_counts(found.counts, found.missing, found.minimum, found.maximum)
        merged.rows += part.rows
        merged.positives += part.positives
        merged.decided += part.decided
    return merged


def _surplus(truth: Counted, found: Counted) -> tuple[int, int]:
    """The greatest number, over the features, of values that are too few, and too many."""
    few = many = 0
    for name, mine in truth.tallies.items():
        theirs = found.tallies[name]
        pairs = zip([*theirs.counts, theirs.missing], [*mine.counts, mine.missing], strict=True)
        more = [found - right for found, right in pairs]
        few, many = max(few, -sum(min(n, 0) for n in more)), max(many, sum(max(n, 0) for n in more))
    return few, many


def _wrong(counts: Counted, merged: Counted, found: DriftReport, window: Window, baseline: Baseline) -> list[str]:
    length = round((found.window_end - found.window_start).total_seconds() * 1000)
    expected = report(
        baseline,
        _window_counts(counts, baseline),
        window_start=window.start,
        window_end=window.start + length,
        rows=counts.rows,
        merged_windows=0,
        partitions=found.partitions,
        rule=msgspec.structs.replace(CALIBRATED, n_min=1),
    )
    wrong = []
    if found.rows != counts.rows:
        wrong.append(f"{found.rows} rows reported, {counts.rows} are right")
    elif found != expected:
        pairs = zip(found.features, expected.features, strict=False)
        features = [mine.feature for mine, right in pairs if mine != right]
        wrong.append(f"the report differs in {', '.join(features) or 'its head'}")
    names = [
        name
        for name, mine in counts.tallies.items()
        if (mine.counts, mine.missing, mine.range)
        != ((theirs := merged.tallies[name]).counts, theirs.missing, theirs.range)
    ]
    if names or (merged.rows, merged.positives, merged.decided) != (counts.rows, counts.positives, counts.decided):
        wrong.append(f"merged parts have {merged.rows} rows, {counts.rows} are right, and differ in {', '.join(names)}")
    return wrong


def _window_counts(counted: Counted, baseline: Baseline) -> WindowCounts:
    """The truth in the form that report() takes."""
    counts = WindowCounts(baseline)
    counts.rows, counts.positives, counts.decided = counted.rows, counted.positives, counted.decided
    for histogram, tally in zip((counts.score, *counts.features), counted.tallies.values(), strict=True):
        histogram.counts += np.array(tally.counts, dtype=np.int64)
        histogram.missing = tally.missing
        histogram.minimum, histogram.maximum = tally.range
    return counts


def _where(truth: Truth, window: Window, newest: Parts) -> str:
    """Which source partitions have another number of rows, and where on the topic those are."""
    found = newest.get(window, {})
    places = []
    for number in sorted({*truth.rows[window], *found}):
        right, rows = truth.rows[window][number], found[number].rows if number in found else 0
        if right != rows:
            between = truth.offsets[window].get(number)
            places.append(
                f"partition {number} has {rows} of {right} rows"
                + (f" (offsets {between.first} to {between.last})" if between else "")
                + (f", counted to {found[number].offset}" if number in found else "")
            )
    return f"; {'; '.join(places)}" if places else ""
