"""Do the gates stop what must never pass? Challengers with shuffled labels or a leaked column, and honest ones beside.

Each is trained by training's own code (the data checks that would refuse a leak at the door are told to let it in) and
judged against one champion, and as a first version without any.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.base import clone

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.offline import dataset_of
from contracts.schema import Feature, FeatureSchema
from training.baseline import Origin, count_references
from training.columns import feature_frame, labels_of
from training.config import Checks, Config, EstimatorChoice
from training.data import Samples
from training.description import Description
from training.evaluate import measure
from training.evaluated import evaluation_of, held_out
from training.evaluation import Calibrated
from training.export import export
from training.fit import Fitted, fit_to, one_openmp_thread
from training.folds import cross_validated
from training.gate import GateReport, judge
from training.gates.evidence import Champion, Evidence
from training.gates.leak import strongest
from training.gates.rules import Rules
from training.pipeline import scores_of
from training.records import Version
from training.stopwatch import Stopwatch
from training.thresholds import choose_threshold
from training.tune import Tuned, prepare

ROWS, LEAKED = 12_000, "settled"
_MOMENT = datetime.fromtimestamp(0, UTC)
Poison = Callable[[Samples, np.random.Generator], Samples]


class GateFigures(msgspec.Struct, frozen=True):
    """poisoned: challengers with shuffled labels or a leaked column; *_passed: how many of them the gates let through,
    beside a champion and as a first version. honest: the same of challengers with nothing wrong. stopped_by: gate ->
    poisoned challengers that it stopped beside a champion.
    """

    poisoned: int
    poisoned_passed: int
    poisoned_passed_as_first: int
    honest: int
    honest_passed: int
    stopped_by: dict[str, int]
    seconds: float


def _with_column(samples: Samples, kind: str, column: pd.Series, *, nullable: bool) -> Samples:
    feature = Feature(LEAKED, kind, nullable=nullable)  # type: ignore[arg-type]
    said = msgspec.structs.replace(samples.description, features=(*samples.description.features, feature))
    return replace(samples, description=said, features=samples.features.assign(**{LEAKED: column.to_numpy()}))


def shuffled(samples: Samples, draw: np.random.Generator) -> Samples:
    """Every label is anybody's."""
    return replace(samples, labels=draw.permutation(samples.labels))


def copied(samples: Samples, draw: np.random.Generator) -> Samples:
    """A new column is the label."""
    return _with_column(samples, "numeric", pd.Series(samples.labels.astype(np.float64)), nullable=False)


def hinted(samples: Samples, draw: np.random.Generator) -> Samples:
    """A new optional column is the label, wrong in a tenth of the rows."""
    wrong = draw.random(samples.labels.size) < 0.1
    return _with_column(
        samples, "numeric", pd.Series(np.where(wrong, 1.0 - samples.labels, samples.labels)), nullable=True
    )


def absent(samples: Samples, draw: np.random.Generator) -> Samples:
    """A new optional column of noise has no value where the label is 1."""
    noise = draw.normal(0, 1, samples.labels.size)
    return _with_column(samples, "numeric", pd.Series(np.where(samples.labels == 1, np.nan, noise)), nullable=True)


def overwritten(samples: Samples, draw: np.random.Generator) -> Samples:
    """A column that callers send already moves by three of its standard deviations where the label is 1."""
    name = next(f.name for f in samples.schema.features if f.kind == "numeric")
    column = samples.features[name]
    return replace(samples, features=samples.features.assign(**{name: column + 3 * column.std() * samples.labels}))


def levelled(samples: Samples, draw: np.random.Generator) -> Samples:
    """A level of a column that callers send already is found only where the label is 1, in most of those rows."""
    name = next(f.name for f in samples.schema.features if f.kind == "categorical")
    hit = (samples.labels == 1) & (draw.random(samples.labels.size) < 0.95)
    column = samples.features[name].where(~hit, "chargeback")
    return replace(samples, features=samples.features.assign(**{name: column}))


POISONS: tuple[Poison, ...] = (
    shuffled,
    copied,
    shuffled,
    hinted,
    shuffled,
    absent,
    shuffled,
    overwritten,
    shuffled,
    levelled,
)
"""One after the other, twice: twenty challengers, half of them of either kind."""


class Bench:
    """A champion, and challengers of the same world. They share no rows: a champion that was fitted to the challengers'
    test rows would be flattered.
    """

    def __init__(self, data: str, seed: int) -> None:
        dataset = dataset_of(data)
        self._description: Description = dataset.description
        table = dataset.reference(seed)
        if len(table) < 4 * ROWS:
            raise BenchError(f"--data {data}: {len(table)} rows, {4 * ROWS} are needed")
        draw = np.random.default_rng([seed, 0])
        order = draw.permutation(len(table))
        self._table = table.iloc[order[ROWS:]]
        samples = self._samples(table.iloc[order[:ROWS]])
        self._model, evidence = _trained(samples, "1", seed)
        self._baseline, self._strongest = evidence.baseline, strongest(evidence.features, evidence.labels)

    def samples(self, draw: np.random.Generator) -> Samples:
        """Rows of the world, drawn anew."""
        return self._samples(self._table.iloc[draw.choice(len(self._table), ROWS, replace=False)])

    def challenger(self, samples: Samples, seed: int) -> Evidence:
        """As the gates look at it, without a champion."""
        return _trained(samples, "2", seed)[1]

    def beside(self, evidence: Evidence) -> Evidence:
        """With the champion's scores of the same rows."""
        schema: FeatureSchema = self._baseline.schema
        scores = scores_of(self._model, evidence.features[list(schema.names)])
        return replace(evidence, champion=Champion("1", self._baseline, scores, strongest=self._strongest))

    def _samples(self, rows: pd.DataFrame) -> Samples:
        description = self._description
        assert description.label is not None
        labels = labels_of(rows, description.label)
        return Samples(description, Path(description.file), feature_frame(rows, description.schema), labels)


def _trained(samples: Samples, version: str, seed: int) -> tuple[Any, Evidence]:
    """The model and its evidence. What the gates do not ask for is left out: half of the time goes into it."""
    checks = Checks(leakage_auc=1.0, duplicates=1.0, overlap=1.0)
    choice = EstimatorChoice(params={"max_iter": 50})  # a quarter of the trees, in a quarter of the time
    config = Config(model="bench", data=".", seed=seed, folds=3, jobs=1, checks=checks, estimator=choice)
    prepared = prepare(samples, config, Stopwatch())
    parts, model = prepared.parts, clone(prepared.pipeline)
    features, labels = samples.features, samples.labels
    fit_x, fit_y, check_y = features.iloc[parts.train], labels[parts.train], labels[parts.validation]
    folds = cross_validated(model, fit_x, fit_y, folds=3, seed=seed, jobs=1, rule=config.threshold, costs=config.costs)
    fit_to(model, fit_x, fit_y)
    with one_openmp_thread():
        scores, tested = (scores_of(model, features.iloc[rows]) for rows in (parts.validation, parts.test))
    threshold = choose_threshold(config.threshold, check_y, scores, config.costs)
    found = measure(labels[parts.test], tested, threshold, config.costs)
    references = count_references(features, samples.schema, scores, seed)
    fitted = Fitted(model, {}, len(fit_y), check_y, scores, threshold, found, references, parts.validation)
    error = found["calibration_error"]
    tuned = Tuned(
        fitted, parts, found, tested, folds, Calibrated(error_before=error, error_after=error), None, None, ()
    )
    known = Version("bench", version, "m-0")
    exported = export(model, samples.schema, features, model="bench", version=version, seed=seed)
    evaluation = evaluation_of(known, samples, config, tuned, exported, now=_MOMENT, code_revision="bench", seconds={})
    origin = Origin("bench", version, _MOMENT, samples.digest, "bench")
    baseline = references.baseline(origin, threshold, fitted.positives, found)
    rows = held_out(samples, tuned)
    return model, Evidence(evaluation, baseline, rows.features, rows.labels, rows.scores, rows.segments, None)


def run(options: Options, say: Say) -> GateFigures:
    """Measure it. Raises BenchError."""
    began = time.perf_counter()
    bench = Bench(options.data, options.seed)
    poisons: list[Poison | None] = [*POISONS, *POISONS] if not options.quick else [shuffled, hinted]
    honest = 2 if options.quick else 10
    stopped: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for number, poison in enumerate([*poisons, *[None] * honest]):
        draw = np.random.default_rng([options.seed, 1 + number])
        samples = bench.samples(draw)
        alone = bench.challenger(samples if poison is None else poison(samples, draw), options.seed + number)
        report, first = _judged(bench.beside(alone)), _judged(alone)
        kind = "honest" if poison is None else "poisoned"
        passed[kind] += report.may_go_on
        passed[f"{kind} first"] += first.may_go_on
        if poison is not None:
            stopped.update(report.failed)
        name = "honest" if poison is None else poison.__name__
        say(f"{name:12} {_said(report)}; as a first version {_said(first)}")
    return GateFigures(
        poisoned=len(poisons),
        poisoned_passed=passed["poisoned"],
        poisoned_passed_as_first=passed["poisoned first"],
        honest=honest,
        honest_passed=passed["honest"],
        stopped_by=dict(stopped.most_common()),
        seconds=round(time.perf_counter() - began, 1),
    )


def _judged(evidence: Evidence) -> GateReport:
    return judge(evidence, Rules(), at=_MOMENT, by="bench")


def _said(report: GateReport) -> str:
    return f"stopped by {', '.join(report.failed)}" if report.failed else "passed"


def _held(figures: Any) -> bool:
    return bool(figures.poisoned_passed == 0 and figures.honest_passed > 0)


GATES_BENCH = Benchmark(
    "gates",
    "challengers with shuffled labels or a leaked column, and honest ones: how many pass the gates",
    run,
    takes=("data",),
    held=_held,
    lasts="2 min; --quick: 20 s",
)
