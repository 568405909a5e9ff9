"""One odd value in a window must not alarm, but be counted; a column that has gone empty must alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.detection.drifts import Drift, harmless_accidents, missing
from bench.detection.features import FEATURES, Column, NumericFeature, Rng
from bench.detection.power import Trial
from bench.detection.share import Share
from contracts.reports import FeatureVerdict

ROWS = 1_000


@dataclass(frozen=True)
class Accident:
    """alarms: of the feature in windows with it. before: in the same windows without. counted: a quality counter moved.

    named: the cause is `missing`, of the windows that alarm; asked of the empty column only.
    """

    name: str
    features: int
    before: Share
    alarms: Share
    counted: Share
    named: Share | None = None


def accidents(trials: Sequence[Trial], seed: int, windows: int) -> list[Accident]:
    """Every accident on every feature that it can befall. windows: of each feature and each trial."""
    numeric, levels = (
        [f for f in FEATURES if isinstance(f, NumericFeature) is is_number] for is_number in (True, False)
    )
    outlier, no_number = harmless_accidents(numeric=True)
    unseen, no_level = harmless_accidents(numeric=False)
    empty = missing(1.0)
    found = []
    for name, befalls in (
        (outlier.name, [(f.name, outlier) for f in numeric]),
        (no_number.name, [(f.name, no_number) for f in numeric] + [(f.name, no_level) for f in levels]),
        (unseen.name, [(f.name, unseen) for f in levels]),
        ("column gone empty", [(f.name, empty) for f in FEATURES]),
    ):
        found.append(_accident(trials, seed, windows, name, befalls))
    return found


def _accident(
    trials: Sequence[Trial], seed: int, windows: int, name: str, befalls: Sequence[tuple[str, Drift]]
) -> Accident:
    pairs: list[tuple[FeatureVerdict, FeatureVerdict]] = []
    for number, trial in enumerate(trials):
        rng = np.random.default_rng([seed, number, *name.encode()])
        for feature, drift in befalls:
            for i in range(windows):
                column = next(f for f in FEATURES if f.name == feature).column(rng, ROWS)
                state = rng.bit_generator.state
                pair = []
                for values in (column, drift.apply(column, rng)):
                    rng.bit_generator.state = state  # the other features are the same with and without
                    pair.append(_verdict(trial, rng, feature, values, i))
                pairs.append((pair[0], pair[1]))
    alarmed = [after for _, after in pairs if after.alarm]
    return Accident(
        name,
        len(befalls),
        before=Share.of_all(before.alarm for before, _ in pairs),
        alarms=Share.of_all(after.alarm for _, after in pairs),
        counted=Share.of_all(_quality(after) > _quality(before) for before, after in pairs),
        named=Share.of_all(verdict.cause is not None and verdict.cause.kind == "missing" for verdict in alarmed)
        if name == "column gone empty"
        else None,
    )


def _verdict(trial: Trial, rng: Rng, feature: str, column: Column, number: int) -> FeatureVerdict:
    found = trial.windows.report(trial.windows.quiet(rng, ROWS, {feature: column}), number).verdict(feature)
    assert found is not None
    return found


def _quality(verdict: FeatureVerdict) -> int:
    return verdict.missing + verdict.out_of_range + verdict.unseen
