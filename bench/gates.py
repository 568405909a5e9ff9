"""Do the gates stop what must never pass? Challengers with shuffled labels or a leaked column, and honest ones beside.

Each is trained by training's own code (the data checks that would refuse a leak at the door are told to let it in) and
judged against one champion, and as a first version without any.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.offline import dataset_of
from bench.versions import judged, samples_of, trained
from contracts.schema import Feature
from training.configuration.config import Checks, Config, EstimatorChoice
from training.data.description import Description
from training.data.samples import Samples
from training.gate import GateReport

ROWS, LEAKED = 12_000, "settled"
ENOUGH_POSITIVES = 200
"""Of the test rows: below, the interval of a difference is wider than the margin however alike two versions are."""
Poison = Callable[[Samples, np.random.Generator], Samples]


class GateFigures(msgspec.Struct, frozen=True):
    """poisoned: challengers with shuffled labels or a leaked column; *_passed: how many of them the gates let through,
    beside a champion and as a first version. honest: the same of challengers with nothing wrong. positives: fewest of
    an honest one's test rows. stopped_by, honest_stopped_by: gate -> challengers that it stopped beside a champion.
    """

    poisoned: int
    poisoned_passed: int
    poisoned_passed_as_first: int
    honest: int
    honest_passed: int
    honest_passed_as_first: int
    positives: int
    stopped_by: dict[str, int]
    honest_stopped_by: dict[str, int]
    seconds: float

    @property
    def held(self) -> bool:
        """Nothing poisoned passes, and what is honest may; beside a champion, where there are rows enough to tell."""
        poisoned = self.poisoned_passed + self.poisoned_passed_as_first
        telling = self.honest_passed > 0 or self.positives < ENOUGH_POSITIVES
        return not poisoned and self.honest_passed_as_first > 0 and telling


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
        self.champion = trained(samples_of(self._description, table.iloc[order[:ROWS]]), _config(seed), "1")

    def samples(self, draw: np.random.Generator) -> Samples:
        """Rows of the world, drawn anew."""
        return samples_of(self._description, self._table.iloc[draw.choice(len(self._table), ROWS, replace=False)])


def _config(seed: int) -> Config:
    checks = Checks(leakage_auc=1.0, duplicates=1.0, overlap=1.0)
    choice = EstimatorChoice(params={"max_iter": 50})  # a quarter of the trees, in a quarter of the time
    return Config(model="bench", data=".", seed=seed, folds=3, jobs=1, checks=checks, estimator=choice)


def run(options: Options, say: Say) -> GateFigures:
    """Measure it. Raises BenchError."""
    began = time.perf_counter()
    bench = Bench(options.data, options.seed)
    poisons: list[Poison | None] = [*POISONS, *POISONS] if not options.quick else [shuffled, hinted]
    honest = 2 if options.quick else 10
    stopped: dict[str, Counter[str]] = {"poisoned": Counter(), "honest": Counter()}
    positives = ROWS
    passed: Counter[str] = Counter()
    for number, poison in enumerate([*poisons, *[None] * honest]):
        draw = np.random.default_rng([options.seed, 1 + number])
        samples = bench.samples(draw)
        wanted = samples if poison is None else poison(samples, draw)
        challenger = trained(wanted, _config(options.seed + number), "2")
        report, first = judged(challenger.beside(bench.champion)), judged(challenger.evidence)
        kind = "honest" if poison is None else "poisoned"
        passed[kind] += report.may_go_on
        passed[f"{kind} first"] += first.may_go_on
        stopped[kind].update(report.failed)
        if poison is None:
            positives = min(positives, int(challenger.evidence.labels.sum()))
        name = "honest" if poison is None else poison.__name__
        say(f"{name:12} {_said(report)}; as a first version {_said(first)}")
    return GateFigures(
        poisoned=len(poisons),
        poisoned_passed=passed["poisoned"],
        poisoned_passed_as_first=passed["poisoned first"],
        honest=honest,
        honest_passed=passed["honest"],
        honest_passed_as_first=passed["honest first"],
        positives=positives,
        stopped_by=dict(stopped["poisoned"].most_common()),
        honest_stopped_by=dict(stopped["honest"].most_common()),
        seconds=round(time.perf_counter() - began, 1),
    )


def _said(report: GateReport) -> str:
    return f"stopped by {', '.join(report.failed)}" if report.failed else "passed"


GATES_BENCH = Benchmark(
    "gates",
    "challengers with shuffled labels or a leaked column, and honest ones: how many pass the gates",
    run,
    takes=("data",),
    held=lambda figures: bool(figures.held),
    lasts="2 min; --quick: 20 s",
)
