"""Windows of held-out rows of a real model, drifted in a known way: what a report states, and what is true.

The data broke: one feature is changed and the rows are scored again. The world moved: whole rows are drawn, so that one
feature drifts and the others move along with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from bench.detection.drifts import Drift, level_drifts, numeric_drifts
from bench.detection.features import Column, Rng
from bench.offline import OfflineModel, Rows
from contracts.findings import ScoreChange
from contracts.model_files import FRAME_DTYPES
from contracts.reports import FeatureVerdict
from stream_app.drift.effect import is_harmless
from training.data.columns import feature_frame
from training.fitting.pipeline import scores_of

WINDOW_ROWS = 9_600
_SWAPPED = (0.33, 1.0)
_TILTS = (1.0, 2.0, 4.0)

Apply = Callable[[Sequence[Column], Rng], Sequence[Column]]


@dataclass(frozen=True)
class Injection:
    """A drift of one feature, or two that are swapped. apply: their columns, drifted."""

    name: str
    features: tuple[str, ...]
    apply: Apply


@dataclass(frozen=True)
class Outcome:
    """A window with a drift that alarmed. true: what became of the answers when the same rows were scored again. broke,
    world, headline: what the report states of the drifted feature; of two their sum. harmless: what it calls so; small:
    whether its numbers alone are."""

    name: str
    true: ScoreChange
    broke: ScoreChange
    world: ScoreChange
    headline: float
    harmless: bool
    small: bool


class EffectWindows:
    """The held-out rows of one data set. Every window is drawn from them without replacement."""

    def __init__(self, model: OfflineModel, seed: int, rows: int = WINDOW_ROWS) -> None:
        self._model, self._window_rows = model, rows
        frame = model.dataset.quiet(seed)
        self._schema = model.dataset.description.schema
        self._frame = feature_frame(frame, self._schema)
        self._rows = model.rows(frame)
        self._at = {feature.name: i for i, feature in enumerate(self._schema.monitored)}

    def injections(self) -> Iterator[Injection]:
        """Every kind of drift of every monitored feature, and swaps of neighbouring numeric ones."""
        numeric = [feature.name for feature in self._schema.monitored if feature.kind == "numeric"]
        for name, i in self._at.items():
            column = self._rows.columns[i]
            for drift in numeric_drifts(column) if name in numeric else level_drifts(column):
                yield Injection(f"{name} {drift.name}", (name,), _alone(drift))
        for first, second in pairwise(numeric):
            for share in _SWAPPED:
                yield Injection(f"{first} <-> {second} on {share:.0%}", (first, second), swap(share))

    def broken(self, injection: Injection, generator: Rng) -> Outcome | None:
        """What one drift does; None where it does not alarm."""
        chosen = generator.choice(len(self._rows), self._window_rows, replace=False)
        rows, frame = self._rows.take(chosen), self._frame.iloc[chosen].reset_index(drop=True)
        places = [self._at[name] for name in injection.features]
        columns = list(rows.columns)
        for place, drifted in zip(places, injection.apply([columns[i] for i in places], generator), strict=True):
            feature = self._schema.monitored[place]
            columns[place] = drifted
            frame[feature.name] = pd.Series(drifted, dtype=FRAME_DTYPES[feature.kind])
        with threadpool_limits(limits=1, user_api="openmp"):  # see training.fitting.fit
            scores = scores_of(self._model.fitted.pipeline, frame)
        verdicts = self._verdicts(Rows(tuple(columns), scores), injection.features)
        if not verdicts:
            return None
        effects = [verdict.model_effect for verdict in verdicts if verdict.model_effect is not None]
        broke = [effect.if_data_broke for effect in effects if effect.if_data_broke is not None]
        return Outcome(
            injection.name,
            self._change(rows.scores, scores),
            _sum(broke),
            _sum([effect.if_world_moved for effect in effects]),
            sum(effect.expected.score for effect in effects if effect.expected is not None),
            all(verdict.harmless for verdict in verdicts),
            all(is_harmless(effect) for effect in effects),
        )

    def moved(self, generator: Rng) -> Outcome | None:
        """What a random drift of a random feature does when whole rows are drawn; None where it does not alarm."""
        name = str(generator.choice(list(self._at)))
        tilt = float(generator.choice(_TILTS)) * float(generator.choice((-1, 1)))
        weights = np.exp(tilt * heights(self._rows.columns[self._at[name]], generator))
        chosen = generator.choice(len(self._rows), self._window_rows, p=weights / weights.sum())
        rows = self._rows.take(chosen)
        for verdict in self._verdicts(rows, (name,)):
            effect = verdict.model_effect
            if effect is None or effect.if_data_broke is None or effect.expected is None:
                continue
            true = self._change(self._rows.scores, rows.scores)
            broke, world = effect.if_data_broke, effect.if_world_moved
            return Outcome(name, true, broke, world, effect.expected.score, verdict.harmless, is_harmless(effect))
        return None

    def _verdicts(self, rows: Rows, names: Sequence[str]) -> list[FeatureVerdict]:
        report = self._model.report(rows, 0)
        return [verdict for verdict in report.features if verdict.feature in names and verdict.alarm]

    def _change(self, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> ScoreChange:
        threshold = self._model.fitted.threshold
        positives = float((after >= threshold).mean() - (before >= threshold).mean())
        return ScoreChange(float(after.mean() - before.mean()), positives)


def _alone(drift: Drift) -> Apply:
    return lambda columns, generator: [drift.apply(columns[0], generator)]


def swap(share: float) -> Apply:
    """Two features change places in a random share of the rows."""

    def apply(columns: Sequence[Column], generator: Rng) -> Sequence[Column]:
        first, second = columns
        hit = generator.random(len(first)) < share
        return np.where(hit, second, first), np.where(hit, first, second)

    return apply


def heights(column: Column, generator: Rng) -> npt.NDArray[np.float64]:
    """0 to 1 for each row: the rank of its value; of levels, 1 for those of one frequent level."""
    if column.dtype == object:
        levels, counts = np.unique([str(value) for value in column], return_counts=True)
        level = generator.choice(levels[np.argsort(-counts)][:5])
        return np.array([float(str(value) == level) for value in column])
    heights = np.full(column.size, 0.5)
    known = ~np.isnan(column)
    heights[known] = np.argsort(np.argsort(column[known], kind="stable"), kind="stable") / max(1, known.sum() - 1)
    return heights


def _sum(changes: Sequence[ScoreChange]) -> ScoreChange:
    return ScoreChange(sum(change.score for change in changes), sum(change.positives or 0.0 for change in changes))
