"""How exact the statistics are: counted in a stream against counted at once, and KS on bins against KS on the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.detection.drifts import numeric_drifts
from bench.detection.features import FEATURES, SCORE, NumericFeature, columns
from bench.detection.power import Trial
from bench.detection.reference import SAMPLE_ROWS
from bench.detection.windows import counted
from contracts.histogram import Histogram
from contracts.partials import PartialAggregate, decode_partial, encode_partial
from contracts.window import WindowCounts
from stream_app.drift.ks import Ks
from stream_app.drift.panel import Panel, PanelCounts

ROWS = 2_000
_CUTS = 7


@dataclass(frozen=True)
class Exactness:
    """streamed: largest difference of any statistic, streamed against at once. binned: largest error of KS, and of
    which feature and drift; of how many comparisons.
    """

    streamed: float
    binned: float
    worst: str
    windows: int
    comparisons: int


def exactness(trials: Sequence[Trial], seed: int, windows: int) -> Exactness:
    """windows: cut into a stream, of each trial; KS is held against scipy's for every numeric feature and drift."""
    streamed, errors = 0.0, list[tuple[float, str]]()
    for number, trial in enumerate(trials):
        rng = np.random.default_rng([seed, number, 2])
        for _ in range(windows):
            streamed = max(streamed, _streamed(trial, rng))
        errors += _binned(trial, rng)
    largest, worst = max(errors)
    return Exactness(streamed, largest, worst, windows * len(trials), len(errors))


def _streamed(trial: Trial, rng: np.random.Generator) -> float:
    baseline = trial.reference.baseline
    drawn, scores = columns(rng, ROWS), SCORE.column(rng, ROWS)
    at_once = counted(baseline, drawn, scores)
    merged = WindowCounts(baseline)
    order = rng.permutation(ROWS)
    for number, rows in enumerate(np.array_split(order, np.sort(rng.integers(ROWS, size=_CUTS)))):
        part = counted(baseline, tuple(column[rows] for column in drawn), scores[rows])
        sent = decode_partial(encode_partial(part.partial(window_start=0, window_end=1, partition=number, offset=0)))
        assert isinstance(sent, PartialAggregate)
        merged.merge(WindowCounts.of(sent, baseline))
    return max(
        abs(a.value - b.value)
        for one, other in zip(
            trial.windows.report(at_once).features, trial.windows.report(merged).features, strict=True
        )
        for a, b in zip(one.statistics, other.statistics, strict=True)
    )


def _binned(trial: Trial, rng: np.random.Generator) -> list[tuple[float, str]]:
    errors = []
    for feature in FEATURES:
        if not isinstance(feature, NumericFeature):
            continue
        before = trial.reference.by_name[feature.name]
        panel = Panel("numeric", [trial.reference.baseline.features[feature.name]])
        on_bins = Ks(panel)
        for drift in numeric_drifts(before[:SAMPLE_ROWS]):
            after = drift.apply(feature.column(rng, ROWS), rng)
            known = after[~np.isnan(after)]
            if known.size:
                exact = stats.ks_2samp(before[~np.isnan(before)], known, method="asymp").statistic
                window = Histogram(panel.references[0].bins)
                window.add(after)
                binned = on_bins.measure(PanelCounts(panel, [window])).value[0]
                errors.append((abs(float(exact) - float(binned)), f"{feature.name}, {drift.name}"))
    return errors
