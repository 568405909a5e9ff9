"""Verdict: whether every window has one report, which says exactly what counting the acknowledged events says. Pure.

Two comparisons, by independent ways: the first report of each id against a report computed from the truth, field by
field; and the parts that stage 1 sent, the newest of each source partition merged, against the truth's histograms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from bench.nemesis.truth import Truth, Window
from contracts.histogram import Histogram
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
        counts = truth.windows[window]
        merged = _merged(newest.get(window, {}), counts)
        few, many = _surplus(counts, merged)
        if id_ not in reports:
            differences.append(f"{id_}: no report; {counts.rows} rows{_where(truth, window, newest)}")
            few = counts.rows
        else:
            first = reports[id_][0]
            few, many = max(few, counts.rows - first.rows), max(many, first.rows - counts.rows)
            if wrong := _wrong(counts, merged, first, window):
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


def _merged(parts: Mapping[int, PartialAggregate], like: WindowCounts) -> WindowCounts:
    merged = WindowCounts(like.baseline)
    for part in parts.values():
        merged.merge(WindowCounts.of(part, like.baseline))
    return merged


def _histograms(counts: WindowCounts) -> dict[str, Histogram]:
    features = [feature.name for feature in counts.baseline.schema.monitored]
    return {"score": counts.score, **dict(zip(features, counts.features, strict=True))}


def _surplus(truth: WindowCounts, found: WindowCounts) -> tuple[int, int]:
    """The greatest number, over the features, of values that are too few, and too many."""
    few = many = 0
    pairs = zip(_histograms(truth).values(), _histograms(found).values(), strict=True)
    for mine, theirs in pairs:
        more = np.append(theirs.counts - mine.counts, theirs.missing - mine.missing)
        few, many = max(few, int(-more[more < 0].sum())), max(many, int(more[more > 0].sum()))
    return few, many


def _wrong(counts: WindowCounts, merged: WindowCounts, found: DriftReport, window: Window) -> list[str]:
    length = round((found.window_end - found.window_start).total_seconds() * 1000)
    expected = report(
        counts.baseline,
        counts,
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
    theirs = _histograms(merged)
    names = [
        name
        for name, mine in _histograms(counts).items()
        if not np.array_equal(mine.counts, theirs[name].counts)
        or (mine.missing, mine.minimum, mine.maximum)
        != (theirs[name].missing, theirs[name].minimum, theirs[name].maximum)
    ]
    if names or (merged.rows, merged.positives, merged.decided) != (counts.rows, counts.positives, counts.decided):
        wrong.append(f"merged parts have {merged.rows} rows, {counts.rows} are right, and differ in {', '.join(names)}")
    return wrong


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
