"""The judge of the nemesis: what is exact passes, and each kind of fault is found, counted and named with its place."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import numpy as np
import pytest

from bench.nemesis.load import Chunk, Load, Plan
from bench.nemesis.models import baselines
from bench.nemesis.truth import Truth, Window
from bench.nemesis.verdict import judge
from contracts.events import decode_event, event_decoder, event_time_ms
from contracts.partials import PartialAggregate
from contracts.reports import DriftReport
from contracts.window import WindowCounts
from stream_app.drift.report import report
from stream_app.drift.rule import CALIBRATED

PLAN = Plan(seed=1, seconds=8, start_ms=1_800_000_000_000, rate=300, partitions=3, late_every=25, repeat_every=30)
BASELINES = baselines(1, rows=500)
DECODERS = {(b.model, b.version): event_decoder(b.schema) for b in BASELINES}


class Counted:
    """The load counted once more, by plain code: each record by itself, in its order."""

    def __init__(self) -> None:
        self.truth = Truth(PLAN, BASELINES)
        self.windows: dict[tuple[Window, int], WindowCounts] = {}
        self.last: dict[tuple[Window, int], int] = {}
        self.late = 0
        self._next: dict[int, int] = defaultdict(int)
        self._newest: dict[int, int] = {}
        for chunk in Load(PLAN).chunks():
            self._take(chunk)

    def _take(self, chunk: Chunk) -> None:
        offsets = []
        for value, partition in zip(chunk.values, chunk.partition, strict=True):
            offset = self._next[partition]
            self._next[partition] += 1
            offsets.append(offset)
            plain = decode_event(value)
            baseline = next(b for b in BASELINES if (b.model, b.version) == (plain.model, plain.model_version))
            event = DECODERS[baseline.model, baseline.version].decode(value)
            time = event_time_ms(event)
            start = time // PLAN.window_ms * PLAN.window_ms
            newest = self._newest[partition] = max(time, self._newest.get(partition, time))
            if start + PLAN.window_ms <= newest - PLAN.lateness_ms:
                self.late += 1
                continue
            key = Window(baseline.model, baseline.version, start), partition
            self.windows.setdefault(key, WindowCounts(baseline)).add_events([event])
            self.last[key] = offset
        self.truth.acknowledged(chunk, offsets, wall=float(chunk.number))

    def parts(self) -> list[PartialAggregate]:
        return [
            counts.partial(
                window_start=window.start,
                window_end=window.start + PLAN.window_ms,
                partition=partition,
                offset=self.last[window, partition],
            )
            for (window, partition), counts in self.windows.items()
        ]

    def reports(self) -> dict[str, list[DriftReport]]:
        merged: dict[Window, WindowCounts] = {}
        for (window, _), counts in self.windows.items():
            merged.setdefault(window, WindowCounts(counts.baseline)).merge(counts)
        found = [
            report(
                counts.baseline,
                counts,
                window_start=window.start,
                window_end=window.start + PLAN.window_ms,
                rows=counts.rows,
                merged_windows=0,
                partitions={0: 1},
                rule=msgspec.structs.replace(CALIBRATED, n_min=1),
            )
            for window, counts in merged.items()
        ]
        return {one.id: [one] for one in found}


@pytest.fixture(scope="module")
def counted() -> Counted:
    return Counted()


def test_the_truth_is_what_counting_record_by_record_gives(counted: Counted) -> None:
    verdict = judge(counted.truth, counted.reports(), counted.parts())
    assert verdict.differences == ()
    assert (verdict.lost, verdict.double, verdict.repeated_reports) == (0, 0, 0)
    assert verdict.counted + counted.truth.late == counted.truth.produced
    assert counted.truth.late == counted.late > 0


def test_events_are_out_of_order_and_one_partition_falls_idle_and_wakes(counted: Counted) -> None:
    idle = [
        chunk.number for chunk in Load(PLAN).chunks() if PLAN.idle_partition not in PLAN.active(min(chunk.number, 79))
    ]
    assert 0 < len(idle) < PLAN.chunks
    assert max(idle) < PLAN.chunks - 1


def test_a_window_without_a_report_is_lost_and_named(counted: Counted) -> None:
    reports = counted.reports()
    id_, (gone,) = reports.popitem()
    verdict = judge(counted.truth, reports, counted.parts())
    assert verdict.lost == gone.rows
    assert verdict.differences == (f"{id_}: no report; {gone.rows} rows",)


def test_a_part_with_an_event_too_few_is_named_with_its_partition_and_offsets(counted: Counted) -> None:
    parts = counted.parts()
    short = parts[0]
    parts[0] = msgspec.structs.replace(short, rows=short.rows - 1)
    verdict = judge(counted.truth, counted.reports(), parts)
    (difference,) = verdict.differences
    assert f"partition {short.partition} has {short.rows - 1} of {short.rows} rows (offsets " in difference


def test_a_histogram_with_a_value_too_many_is_double_and_its_feature_is_named(counted: Counted) -> None:
    parts = counted.parts()
    fat = parts[0]
    first = fat.features[0]
    parts[0] = msgspec.structs.replace(
        fat, features=(msgspec.structs.replace(first, missing=first.missing + 1), *fat.features[1:])
    )
    verdict = judge(counted.truth, counted.reports(), parts)
    assert (verdict.lost, verdict.double) == (0, 1)
    (difference,) = verdict.differences
    name = next(b for b in BASELINES if b.digest == fat.baseline).schema.monitored[0].name
    assert difference.split("differ in ")[1].startswith(name)


def test_a_fault_of_the_products_binning_is_found_though_parts_and_reports_agree_on_it() -> None:
    """Every number is counted one bin too high, by all that the product counts with: in parts and in reports alike."""
    counted = Counted()
    for counts in counted.windows.values():
        for histogram, feature in zip(counts.features, counts.baseline.schema.monitored, strict=True):
            if feature.kind == "numeric":
                histogram.counts = np.roll(histogram.counts, 1)
    verdict = judge(counted.truth, counted.reports(), counted.parts())
    assert len(verdict.differences) == len(counted.truth.windows) > 3
    assert all("and differ in " in difference for difference in verdict.differences)
    assert verdict.lost > 0
    assert verdict.double > 0


def test_a_report_that_is_repeated_and_says_something_else_is_named(counted: Counted) -> None:
    reports = counted.reports()
    id_, (one,) = next(iter(reports.items()))
    reports[id_] = [one, msgspec.structs.replace(one, rows=one.rows + 1)]
    verdict = judge(counted.truth, reports, counted.parts())
    assert verdict.repeated_reports == 1
    assert verdict.differences == (f"{id_}: 2 reports that differ: rows {[one.rows, one.rows + 1]}",)


def test_a_report_that_is_repeated_and_says_the_same_is_no_difference(counted: Counted) -> None:
    reports = {id_: found * 2 for id_, found in counted.reports().items()}
    verdict = judge(counted.truth, reports, counted.parts())
    assert verdict.differences == ()
    assert verdict.repeated_reports == len(reports)
