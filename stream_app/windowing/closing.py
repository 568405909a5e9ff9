"""Closing: one window ready to be compared, with the thin windows before it that were too small to compare alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contracts.baseline import Baseline
from contracts.errors import InvalidMessage
from contracts.partials import PartialAggregate
from contracts.window import WindowCounts

Parts = Sequence[PartialAggregate]


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What the report of a window is made of.

    rows: events of this window alone; other_rows: those of them not compared, because they were counted against
    another baseline than most. counts: this window's and, where their baseline is the same, those of the thin windows
    before it (merged_windows of them); counts.rows are the rows compared. sufficient: whether they are enough; if not,
    the report says `insufficient` and compares nothing. partitions: source partition -> last offset counted.
    """

    model: str
    version: str
    baseline: Baseline
    window_start: int
    window_end: int
    rows: int
    other_rows: int
    counts: WindowCounts
    merged_windows: int
    sufficient: bool
    partitions: dict[int, int]


def closing_of(
    parts: Parts, thin: Sequence[Parts], baselines: Mapping[str, Baseline], *, minimum_rows: int
) -> Closing | None:
    """Put a window together. parts: all of its parts, at least one. thin: of the thin windows before it, oldest first.

    It is compared with the baseline that most of its rows were counted against, the smaller digest in a tie; when
    none of them is known any more, with the newest baseline of its version, and then it compares no row of its own.
    None when the version has no baseline at all.
    """
    first = parts[0]
    baseline = _baseline_of(parts, baselines)
    if baseline is None:
        return None
    counts = _merged(parts, baseline)
    compared = counts.rows
    merged = 0
    for earlier in thin:
        more = _merged(earlier, baseline)
        if more.rows:
            counts.merge(more)
            merged += 1
    rows = sum(part.rows for part in parts)
    partitions: dict[int, int] = {}
    for part in parts:
        partitions[part.partition] = max(part.offset, partitions.get(part.partition, -1))
    return Closing(
        model=first.model,
        version=first.version,
        baseline=baseline,
        window_start=first.window_start,
        window_end=first.window_end,
        rows=rows,
        other_rows=rows - compared,
        counts=counts,
        merged_windows=merged,
        sufficient=counts.rows >= minimum_rows,
        partitions=dict(sorted(partitions.items())),
    )


def fits(part: PartialAggregate, baseline: Baseline) -> WindowCounts | None:
    """The counts of a part, None when they were not made with this baseline."""
    try:
        return WindowCounts.of(part, baseline)
    except InvalidMessage:
        return None


def _baseline_of(parts: Parts, baselines: Mapping[str, Baseline]) -> Baseline | None:
    rows: dict[str, int] = {}
    for part in parts:
        if part.baseline in baselines:
            rows[part.baseline] = rows.get(part.baseline, 0) + part.rows
    if rows:
        return baselines[min(rows, key=lambda digest: (-rows[digest], digest))]
    version = parts[0].model, parts[0].version
    own = [baseline for baseline in baselines.values() if (baseline.model, baseline.version) == version]
    return max(own, key=lambda baseline: (baseline.created, baseline.digest), default=None)


def _merged(parts: Iterable[PartialAggregate], baseline: Baseline) -> WindowCounts:
    total = WindowCounts(baseline)
    for part in parts:
        counts = fits(part, baseline)
        if counts is not None:
            total.merge(counts)
    return total
