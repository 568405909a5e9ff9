"""What a training takes: training.yaml of the sources on the flights, from the file to the registered version.

Seconds depend on what else runs on the machine; processor time, that of the search's processes included, does not.
"""

from __future__ import annotations

import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]
from msgspec.structs import replace

from bench.benchmark import BenchError, Benchmark, Options, Say
from demo.datasets.catalogue import dataset_named
from demo.datasets.write import write
from training.configuration.config import read_config
from training.making.train import Plan, train
from training.registry.store import Registry

CONFIG = Path(__file__).parents[1] / "training.yaml"
JOBS = 2
QUICK_CANDIDATES = 3
LIMIT_SECONDS = 90.0
"""Of 65,000 flights and 27 candidates on two cores that nobody else uses."""


class TrainingFigures(msgspec.Struct, frozen=True):
    """candidates: of the search. seconds, cpu_seconds: of everything, on `jobs` processes. steps: seconds of each.
    auc: of the test rows. test_rows: how many. scores: digest of their scores: the same for the same data and code.
    """

    rows: int
    features: int
    candidates: int
    jobs: int
    seconds: float
    cpu_seconds: float
    steps: dict[str, float]
    auc: float
    test_rows: int
    scores: str

    @property
    def held(self) -> bool:
        """A quick run has less to do, and no more time."""
        return self.seconds <= LIMIT_SECONDS


class _Told:
    """Says each step."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def begins(self, step: str) -> None: ...

    def says(self, detail: str) -> None:
        self._say(f"  {detail}")

    def ends(self, step: str, seconds: float) -> None:
        self._say(f"{step:48}{seconds:8.1f} s")


def run(options: Options, say: Say) -> TrainingFigures:
    """Measure it. Raises BenchError."""
    config = replace(read_config(CONFIG), jobs=options.workers or JOBS, seed=options.seed)
    if config.search is None:
        raise BenchError(f"{CONFIG.name} has no search: there is nothing to measure")
    if options.quick:
        config = replace(config, search=replace(config.search, candidates=QUICK_CANDIDATES))
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        data = write(dataset_named("flights"), Path(folder, "data"), options.seed)
        registry = Registry(f"sqlite:///{folder}/mlflow.db", Path(folder, "artifacts"), "bench")
        plan = Plan(
            data=data,
            model=config.model,
            estimator=config.estimator.name,
            seed=config.seed,
            threshold=None,
            alias=config.alias,
            code_revision="bench",
            now=datetime.now(UTC),
            config=config,
        )
        began, spent = time.perf_counter(), _processor_seconds()
        trained = train(plan, registry, None, _Told(say))
        seconds = time.perf_counter() - began
        get_reusable_executor().shutdown(wait=True)  # the time of its processes counts once they have ended
        cpu = _processor_seconds() - spent
    evaluation = trained.evaluation
    if evaluation is None or evaluation.search is None:
        raise BenchError("the version has no evaluation")
    auc = evaluation.metrics["auc"]
    say(f"\n{seconds:.1f} s, {cpu:.1f} s of processor time, {config.jobs} processes; AUC {auc:.4f}")
    return TrainingFigures(
        rows=len(trained.samples.labels),
        features=len(trained.samples.schema.features),
        candidates=evaluation.search.candidates,
        jobs=config.jobs,
        seconds=round(seconds, 2),
        cpu_seconds=round(cpu, 2),
        steps={step: round(taken, 2) for step, taken in trained.seconds.items()},
        auc=round(auc, 5),
        test_rows=evaluation.rows["test"].rows,
        scores=evaluation.scores_digest,
    )


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


TRAINING = Benchmark(
    "training",
    "seconds from the data to a registered version, with a search (at most 90)",
    run,
    takes=("workers",),
    held=lambda figures: bool(figures.held),
    lasts="2 minutes; --quick: 3 candidates, 40 s",
)
