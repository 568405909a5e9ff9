"""Closing: one window ready to be compared, with the thin windows before it that were too small to compare alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from contracts.baseline import Baseline
from contracts.window import WindowCounts
from stream_app.windowing.summing import summed
from stream_app.windowing.typed import Version
from stream_app.windowing.waiting_window import WaitingWindow


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What the report of a window is made of.

    rows: events of this window alone; shadow_rows: those of them that a shadow scored; other_rows: those not compared,
    because they were counted against another baseline than most. counts: this window's and, where their baseline is the
    same, those of the thin windows before it (merged_windows of them); counts.rows are the rows compared. sufficient:
    whether they are enough; if not, the report says `insufficient` and compares nothing, and counts are of this window
    alone. partitions: source partition -> last offset counted.
    """

    model: str
    version: str
    baseline: Baseline
    window_start: int
    window_end: int
    rows: int
    shadow_rows: int
    other_rows: int
    counts: WindowCounts
    merged_windows: int
    sufficient: bool
    partitions: dict[int, int]


def closing_of(
    version: Version,
    start: int,
    window: WaitingWindow,
    thin: Iterable[WaitingWindow],
    baselines: Mapping[str, Baseline],
    *,
    minimum_rows: int,
    announced: str = "",
) -> Closing | None:
    """Put a window together. window: with at least one part. thin: the thin windows before it, oldest first.

    It is compared with the baseline that most of its rows were counted against, the smaller digest in a tie; when
    none of them is known any more, with the newest baseline of its version, and then it compares no row of its own.
    None when the version has no baseline at all. announced: digest of the baseline that its report was announced with,
    which is taken again if it is still there, whatever has come since.
    """
    baseline = baselines.get(announced) or _baseline_of(version, window, baselines)
    if baseline is None:
        return None
    counts = summed(window.decoded(baseline.digest), baseline)
    rows, compared = window.rows, counts.rows
    before = [earlier for earlier in thin if earlier.rows_by_baseline().get(baseline.digest)]
    merged = len(before)
    sufficient = compared + sum(earlier.rows_by_baseline()[baseline.digest] for earlier in before) >= minimum_rows
    if sufficient:  # else nobody looks at them, and to add them up at each thin window would take most of its close
        added = [summed(earlier.decoded(baseline.digest), baseline) for earlier in before]
        # Fewer than they say they are, where the bins of a part are not the baseline's.
        merged = sum(earlier.rows > 0 for earlier in added)
        sufficient = compared + sum(earlier.rows for earlier in added) >= minimum_rows
        for earlier in added if sufficient else ():
            counts.merge(earlier)
    return Closing(
        model=version[0],
        version=version[1],
        baseline=baseline,
        window_start=start,
        window_end=window.end,
        rows=rows,
        shadow_rows=window.shadow_rows,
        other_rows=rows - compared,
        counts=counts,
        merged_windows=merged,
        sufficient=sufficient,
        partitions={partition: part.offset for partition, part in sorted(window.parts.items())},
    )


def _baseline_of(version: Version, window: WaitingWindow, baselines: Mapping[str, Baseline]) -> Baseline | None:
    rows = {digest: rows for digest, rows in window.rows_by_baseline().items() if digest in baselines}
    if rows:
        return baselines[min(rows, key=lambda digest: (-rows[digest], digest))]
    own = [baseline for baseline in baselines.values() if (baseline.model, baseline.version) == version]
    return max(own, key=lambda baseline: (baseline.created, baseline.digest), default=None)
