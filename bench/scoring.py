"""What a row's score costs the API: by the model itself on a frame, and by its compiled form.

Processor time on one thread, the best of several rounds, so that it says the same while other programs run. Every
estimator of training, fitted to the 23 features of the payments; the rows of a batch are structs, as a request's are.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from api.models.compiled import CompiledRows
from api.models.scorer import FrameScorer, Scorer
from bench.benchmark import BenchError, Benchmark, Options, Say
from contracts.compiled import Compiled
from contracts.compiled_scorer import CompiledScorer
from contracts.schema import FeatureSchema
from demo.datasets.catalogue import dataset_named
from training.compiled.export import export
from training.compiled.poison import rows_of
from training.data.columns import feature_frame, labels_of
from training.fitting.pipeline import ESTIMATORS, build_pipeline

BATCHES = (1, 8, 64, 1_000)
FITTED_ROWS, QUICK_FITTED_ROWS = 40_000, 5_000
ROUNDS, QUICK_ROUNDS = 7, 3
ROWS = 4_000
CALLS, FAST_CALLS = 40, 1_000
"""In a round of batches of one row, of the model itself and of its compiled form; fewer of larger batches."""


class Costs(msgspec.Struct, frozen=True):
    """Microseconds of processor time a row, by rows in a batch. ratio: how many times as much the model itself takes.

    difference: the largest between the scores of both. file_kb: in 1,000 bytes. load_ms: to read and check the tables.
    """

    sklearn_us: dict[str, float]
    ours_us: dict[str, float]
    ratio: dict[str, float]
    difference: float
    file_kb: float
    load_ms: float


class ScoringFigures(msgspec.Struct, frozen=True):
    """costs: by estimator."""

    features: int
    costs: dict[str, Costs]


def run(options: Options, say: Say) -> ScoringFigures:
    """Measure it. Raises BenchError."""
    dataset = dataset_named("payments")
    schema, label = dataset.description.schema, dataset.description.label
    reference = dataset.reference(options.seed)
    if label is None:
        raise BenchError("the payments name no label")
    fitted = slice(QUICK_FITTED_ROWS if options.quick else FITTED_ROWS)
    features, labels = feature_frame(reference, schema)[fitted], labels_of(reference, label)[fitted]
    say(f"{'':10}{'rows':>6}{'predict_proba':>16}{'compiled':>12}{'ratio':>8}")
    costs = {}
    with threadpool_limits(1):
        for estimator in ESTIMATORS:
            pipeline = build_pipeline(estimator.name, schema, options.seed).fit(features, labels)
            found = export(pipeline, schema, features, model="payments", version="1", seed=options.seed)
            if found.compiled is None:
                raise BenchError(f"{estimator.name} has {found.said}")
            rows = structs(rows_of(features.head(ROWS), schema), schema)
            rounds = QUICK_ROUNDS if options.quick else ROUNDS
            costs[estimator.name] = compare(FrameScorer(pipeline, schema), found.compiled.to_bytes(), rows, rounds)
            for line in table(estimator.name, costs[estimator.name]):
                say(line)
    return ScoringFigures(len(schema.features), costs)


def structs(rows: list[Any], schema: FeatureSchema) -> list[msgspec.Struct]:
    """Rows as a decoded request holds them."""
    made = schema.features_type(strict=True)
    return [made(**{f"f{i}": value for i, value in enumerate(row)}) for row in rows]


def compare(own: Scorer, compiled: bytes, rows: list[msgspec.Struct], rounds: int) -> Costs:
    """own: the model itself."""
    began = time.process_time()
    ours = CompiledRows(CompiledScorer(Compiled.from_bytes(compiled)))
    load = time.process_time() - began
    theirs = {str(size): cost(own, rows, size, CALLS, rounds) for size in BATCHES}
    costs = {str(size): cost(ours, rows, size, FAST_CALLS, rounds) for size in BATCHES}
    return Costs(
        sklearn_us={size: round(spent, 2) for size, spent in theirs.items()},
        ours_us={size: round(spent, 2) for size, spent in costs.items()},
        ratio={size: round(theirs[size] / spent, 1) for size, spent in costs.items()},
        difference=float(np.abs(own.score(rows) - ours.score(rows)).max()),
        file_kb=round(len(compiled) / 1000, 1),
        load_ms=round(load * 1000, 1),
    )


def cost(scorer: Scorer, rows: list[msgspec.Struct], size: int, calls: int, rounds: int) -> float:
    """Microseconds of processor time a row, the least of the rounds.

    Every batch holds other rows than the one before: a processor that has just scored the same rows foretells the way
    through the trees, and takes half as long.
    """
    batches = itertools.cycle([rows[i : i + size] for i in range(0, len(rows) - size + 1, size)])
    spent = []
    for _ in range(rounds):
        chosen = list(itertools.islice(batches, max(3, calls // size)))
        began = time.process_time_ns()
        for batch in chosen:
            scorer.score(batch)
        spent.append((time.process_time_ns() - began) / len(chosen))
    return min(spent) / 1000 / size


def table(name: str, costs: Costs) -> list[str]:
    """The figures in words."""
    lines = [
        f"{name if size == '1' else '':10}{size:>6}{costs.sklearn_us[size]:13.1f} us{costs.ours_us[size]:9.2f} us"
        f"{costs.ratio[size]:8.1f}"
        for size in costs.ratio
    ]
    end = f"scores differ by up to {costs.difference:.0e}; {costs.file_kb:,.0f} kB, read in {costs.load_ms:.0f} ms"
    return [*lines, f"{'':10}{end}", ""]


SCORING = Benchmark(
    "scoring",
    "processor time a row of the model itself and of its compiled form, in batches of 1 to 1,000",
    run,
    lasts="40 s, --quick: 15 s",
)
