"""Train: fit, register a version, attach its baseline and its compiled form, publish the baseline, and only then let
the alias point to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contracts.baseline import Baseline
from training.baseline import Origin
from training.data import Samples, load
from training.export import export
from training.figures import figures
from training.fit import Fitted, fit
from training.natural import Scored, with_natural_variation
from training.pipeline import estimator_named
from training.publish import Publisher
from training.records import DataSource, Run, Version
from training.registry import Registry
from training.stopwatch import Stopwatch

_EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Plan:
    """What to train. data: a folder with a dataset.toml, or that file. model: the registered model's name.

    threshold: decide positively at this score; None: where F1 is best on the validation rows. alias: what the new
    version becomes. now: the baseline's date. window: length in milliseconds of the windows that natural variation is
    learnt from, None: it is not.
    """

    data: Path
    model: str
    estimator: str
    seed: int
    threshold: float | None
    alias: str
    code_revision: str
    now: datetime
    window: int | None = None


@dataclass(frozen=True)
class Trained:
    """What came of it. compiled: said of the compiled form. seconds: step -> how long it took."""

    version: Version
    samples: Samples
    fitted: Fitted
    baseline: Baseline
    compiled: str
    seconds: dict[str, float]


def train(plan: Plan, registry: Registry, publisher: Publisher | None) -> Trained:
    """Do it all. Raises TrainingError; whatever fails, the alias still points where it did before."""
    watch = Stopwatch()
    estimator_named(plan.estimator)  # what is wrong with the request is said before anything is opened
    if publisher is not None:
        publisher.check()
        watch.lap("look for Kafka")
    samples = load(plan.data, timed=plan.window is not None)
    watch.lap("read")
    registry.open()  # not in a thread beside the fit: both wait for the interpreter, and lose more than they win
    watch.lap("open the registry")
    fitted = fit(samples, plan.estimator, plan.seed, plan.threshold, watch)
    version = registry.log_version(plan.model, _run(plan, samples, fitted))
    watch.lap("log and register")
    baseline = _baseline(plan, version, samples, fitted)
    registry.attach_baseline(version, baseline)
    exported = export(
        fitted.pipeline, samples.schema, samples.features, model=plan.model, version=version.version, seed=plan.seed
    )
    if exported.compiled is not None:
        registry.attach_compiled(version, exported.compiled)
    watch.lap("compile and compare")
    if publisher is not None:
        publisher.publish(baseline)
    registry.set_alias(version, plan.alias)
    watch.lap("attach and publish the baseline, set the alias")
    return Trained(version, samples, fitted, baseline, exported.said, watch.laps)


def _run(plan: Plan, samples: Samples, fitted: Fitted) -> Run:
    return Run(
        pipeline=fitted.pipeline,
        schema=samples.schema,
        example=samples.features.head(_EXAMPLE_ROWS),
        data=DataSource(samples.description.name, samples.file, samples.digest, len(samples.labels)),
        params={
            "estimator": plan.estimator,
            "seed": str(plan.seed),
            "threshold": repr(fitted.threshold),
            "threshold_chosen_by": "best F1 on the validation rows" if plan.threshold is None else "the caller",
            "fitted_rows": str(fitted.fitted_rows),
            "validation_rows": str(len(fitted.labels)),
            **{name: str(value) for name, value in fitted.pipeline["classify"].get_params().items()},
        },
        metrics=fitted.metrics,
        tags={
            "data": samples.description.name,
            "data_digest": samples.digest,
            "code_revision": plan.code_revision,
        },
        figures=figures(fitted.labels, fitted.scores, fitted.threshold),
    )


def _baseline(plan: Plan, version: Version, samples: Samples, fitted: Fitted) -> Baseline:
    origin = Origin(version.model, version.version, plan.now, samples.digest, plan.code_revision)
    baseline = fitted.references.baseline(origin, fitted.threshold, fitted.positives, fitted.metrics)
    if samples.times is None or plan.window is None:
        return baseline
    scored = Scored(fitted.scores, fitted.validation_rows)
    return with_natural_variation(baseline, samples.features, scored, samples.times, plan.window)
