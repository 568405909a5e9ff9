"""How many rows a reference needs: false alarms and power against references of 10 to 5,000 rows.

Each line of the table draws many references and, for each, windows in which nothing changed or one of two normal
features is shifted. A reference is counted as training counts it, with fewer draws for its null tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from bench.benchmark import Benchmark, Options, Say
from bench.detection.features import FEATURES, Column, Rng
from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from contracts.histogram import Histogram
from stream_app.drift.decision import Measurement, decide, questions
from stream_app.drift.ks import fit_bridge
from stream_app.drift.metrics import METRICS
from stream_app.drift.panel import Panel, PanelCounts, PanelKind
from stream_app.drift.rule import CALIBRATED

KNOWN = (10, 50, 200, 500, 1_000, 5_000)
WINDOWS = (200, 1_000, 10_000)
SHIFTS = (0.5, 1.0)
"""In standard deviations."""
REFERENCES, QUICK_REFERENCES = 200, 40
_SHIFTED = {"normal": 1.0, "fahrenheit": 15.0}
_DRAWS = 4_000


class Known(msgspec.Struct, frozen=True):
    """Against references of `rows` rows, by rows of the window: share of quiet windows that alarm, share of windows in
    which the feature shifted by half a standard deviation, or by one, is found."""

    rows: int
    false_alarms: dict[int, float]
    found_half: dict[int, float]
    found_one: dict[int, float]


class ReferencesFigures(msgspec.Struct, frozen=True):
    """references: drawn for each line."""

    references: int
    lines: list[Known]


def run(options: Options, say: Say) -> ReferencesFigures:
    """Measure it."""
    references = QUICK_REFERENCES if options.quick else REFERENCES
    say(f"{references} references a line, {len(FEATURES)} features; in windows of {WINDOWS} rows")
    say(f"{'reference':>10}  {'quiet windows that alarm':26}  {'+.5 sd found':24}  +1 sd found")
    lines = []
    for rows in KNOWN:
        lines.append(_known(rows, references, np.random.default_rng([options.seed, rows])))
        columns = (lines[-1].false_alarms, lines[-1].found_half, lines[-1].found_one)
        say(f"{rows:10}  " + "  ".join(" ".join(f"{share:7.1%}" for share in each.values()) for each in columns))
    return ReferencesFigures(references, lines)


def _known(rows: int, references: int, rng: Rng) -> Known:
    counted = {(size, shift): 0 for size in WINDOWS for shift in (0.0, *SHIFTS)}
    for number in range(references):
        panels = _panels(rows, rng)
        moved = list(_SHIFTED)[number % 2]
        for size, shift in counted:
            alarms = _alarms(panels, size, moved, shift, rng)
            counted[size, shift] += moved in alarms if shift else bool(alarms)
    quiet, half, one = ({size: counted[size, shift] / references for size in WINDOWS} for shift in (0.0, *SHIFTS))
    return Known(rows, quiet, half, one)


def _panels(rows: int, rng: Rng) -> list[Panel]:
    kinds: tuple[PanelKind, PanelKind] = ("numeric", "categorical")
    return [
        Panel(kind, [_reference(feature.column(rng, rows)) for feature in FEATURES if _kind(feature.kind) == kind])
        for kind in kinds
    ]


def _kind(kind: str) -> PanelKind:
    return "numeric" if kind == "numeric" else "categorical"


def _reference(column: Column) -> Reference:
    if column.dtype != object:
        histogram = Histogram(Bins.fit(column))
        histogram.add(column)
        return Reference.of(histogram, fit_bridge(histogram.counts, 0, _DRAWS))
    levels = column.tolist()
    histogram = Histogram(Levels.fit(levels))
    histogram.add(levels)
    _, amounts = np.unique([str(level) for level in levels if level is not None], return_counts=True)
    return msgspec.structs.replace(Reference.of(histogram), singles=int((amounts == 1).sum()))


def _alarms(panels: Sequence[Panel], rows: int, moved: str, shift: float, rng: Rng) -> set[str]:
    """Names of the features that alarm in one window."""
    asked, names = [], []
    for panel in panels:
        features = [feature for feature in FEATURES if _kind(feature.kind) == panel.kind]
        histograms = []
        for feature, reference in zip(features, panel.references, strict=True):
            column = feature.column(rng, rows)
            if shift and feature.name == moved:
                column = column + shift * _SHIFTED[moved]
            histograms.append(Histogram(reference.bins))
            histograms[-1].add(column.tolist())
        counts = PanelCounts(panel, histograms)
        metrics = [metric(panel) for metric in METRICS if panel.kind in metric.kinds]
        asked.append(questions([Measurement(m.name, m.finding, m.measure(counts)) for m in metrics], CALIBRATED))
        names.append([feature.name for feature in features])
    decided = decide(asked, CALIBRATED)
    return {
        name
        for own, decisions in zip(names, decided, strict=True)
        for decision in decisions
        for name, alarm in zip(own, decision.alarm.tolist(), strict=True)
        if alarm
    }


REFERENCES_NEEDED = Benchmark(
    "references",
    "false alarms and power by the number of rows that a reference has",
    run,
    lasts="3 minutes; --quick: 30 s",
)
