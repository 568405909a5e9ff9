"""Train: fit, register a version, attach its baseline and its compiled form, announce it, and only then let the alias
point to it.

Two ways to fit: fit() with the defaults of the command line, or tune() with a training.yaml, which also leaves an
evaluation and the test rows with the version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from contracts.baseline import Baseline
from training.baselines.histograms import Origin
from training.baselines.natural import Scored, with_natural_variation
from training.baselines.outcomes import with_outcomes
from training.compiled.export import Export, export
from training.configuration.config import Config
from training.data.samples import Samples, load
from training.evaluation.record import EVALUATION_FOLDER, Evaluation
from training.fitting.estimators import check_choice
from training.fitting.fit import Fitted, fit
from training.fitting.pipeline import estimator_named
from training.fitting.stopwatch import Audience, Stopwatch
from training.fitting.tune import Tuned, prepare, tune
from training.making.announced import alias_for, announced
from training.making.evaluated import evaluation_files, evaluation_of, held_out
from training.making.recorded import WORK_TAG, recorded, registered_event, with_tuning
from training.pictures.pictured import pictured
from training.registry.records import Version
from training.registry.registered import Registered
from training.registry.store import Registry
from training.reports.card import Known
from training.reports.card_files import attach_card
from training.topics.baselines import Publisher
from training.topics.model_events import ModelEvents


@dataclass(frozen=True)
class Plan:
    """What to train. data: a folder with a dataset.toml, or that file. model: the registered model's name.

    threshold: decide positively at this score; None: where F1 is best on the validation rows. alias: what the new
    version becomes, `champion` only where there is none; None: that, else the challenger. now: the baseline's date.
    window: length in milliseconds of the windows that natural variation is learnt from, None: it is not. config: the
    training.yaml, whose fields the others were taken from; None: without one. work: the retraining that it is for.
    """

    data: Path
    model: str
    estimator: str
    seed: int
    threshold: float | None
    alias: str | None
    code_revision: str
    now: datetime
    window: int | None = None
    config: Config | None = None
    work: str = ""


@dataclass(frozen=True)
class Trained:
    """What came of it. alias: what the version has become. compiled: said of the compiled form. seconds: step -> how
    long it took. tuned, evaluation: where there was a training.yaml.
    """

    version: Version
    alias: str
    samples: Samples
    fitted: Fitted
    baseline: Baseline
    compiled: str
    seconds: dict[str, float]
    tuned: Tuned | None = None
    evaluation: Evaluation | None = None


def train(
    plan: Plan,
    registry: Registry,
    publisher: Publisher | None,
    audience: Audience | None = None,
    steps: ModelEvents | None = None,
    by: str = "",
) -> Trained:
    """Do it all. Raises TrainingError; whatever fails, the alias still points where it did before.

    audience: is told how it goes on. steps: the topic on which the new version is told, by whom.
    """
    watch = Stopwatch(audience)
    config = plan.config
    if config is None:  # what is wrong with the request is said before anything is opened
        estimator_named(plan.estimator)
    else:
        check_choice(config.estimator, config.prepare, config.search)
    if publisher is not None:
        publisher.check()
        if steps is not None:
            steps.check()
        watch.lap("look for Kafka")
    watch.begin("read")
    if config is None:
        samples = load(plan.data, timed=plan.window is not None)
    else:
        samples = load(plan.data, timed=True if plan.window is not None else None, segments=config.segments)
    watch.lap("read")
    prepared = None if config is None else prepare(samples, config, watch)
    watch.begin("open the registry")
    registry.open(
        to_register=True
    )  # not in a thread beside the fit: both wait for the interpreter, and lose more than they win
    registered = Registered(registry, plan.model)
    alias_for(plan.alias, registered)
    watch.lap("open the registry")
    tuned = None if config is None or prepared is None else tune(samples, config, prepared, watch)
    fitted = fit(samples, plan.estimator, plan.seed, plan.threshold, watch) if tuned is None else tuned.fitted
    pictures = None if config is None or tuned is None else pictured(samples, config, tuned, watch)
    watch.begin("log and register")
    run = recorded(
        samples,
        fitted,
        estimator=plan.estimator,
        seed=plan.seed,
        threshold=plan.threshold,
        code_revision=plan.code_revision,
    )
    if config is not None and tuned is not None and pictures is not None:
        run = with_tuning(run, config, tuned, pictures, plan.data)
    if plan.work:
        run = replace(run, tags={**run.tags, WORK_TAG: plan.work})
    version = registry.log_version(plan.model, run)
    watch.lap("log and register")
    baseline = _baseline(plan, version, samples, fitted)
    registry.attach_baseline(version, baseline)
    watch.begin("compile and compare")
    exported = export(
        fitted.pipeline, samples.schema, samples.features, model=plan.model, version=version.version, seed=plan.seed
    )
    if exported.compiled is not None:
        registry.attach_compiled(version, exported.compiled)
    watch.lap("compile and compare")
    evaluation = None
    if config is not None and tuned is not None and pictures is not None:
        evaluation = _evaluated(plan, config, registered, version, samples, tuned, exported, watch, pictures.importance)
        attach_card(registered, version, Known(evaluation, baseline))
        watch.lap("attach the evaluation")
    event = registered_event(
        version,
        estimator=plan.estimator,
        rows=len(samples.labels),
        data=samples.description.name,
        digest=samples.digest,
        code_revision=plan.code_revision,
        auc=fitted.metrics["auc"],
        at=plan.now,
        by=by,
    )
    alias = announced(registered, version, baseline, event, plan.alias, publisher, steps)
    watch.lap("attach and publish the baseline, set the alias")
    return Trained(version, alias, samples, fitted, baseline, exported.said, watch.laps, tuned, evaluation)


def _baseline(plan: Plan, version: Version, samples: Samples, fitted: Fitted) -> Baseline:
    origin = Origin(version.model, version.version, plan.now, samples.digest, plan.code_revision)
    baseline = fitted.references.baseline(origin, fitted.threshold, fitted.positives, fitted.metrics)
    baseline = with_outcomes(baseline, fitted.scores, fitted.labels)
    if plan.config is not None:
        baseline = msgspec.structs.replace(baseline, costs=plan.config.costs)
    if samples.times is None or plan.window is None:
        return baseline
    scored = Scored(fitted.scores, fitted.validation_rows, fitted.labels)
    return with_natural_variation(baseline, samples.features, scored, samples.times, plan.window, fitted.counted)


def _evaluated(
    plan: Plan,
    config: Config,
    registered: Registered,
    version: Version,
    samples: Samples,
    tuned: Tuned,
    exported: Export,
    watch: Stopwatch,
    importance: dict[str, float],
) -> Evaluation:
    """Made and attached."""
    evaluation = evaluation_of(
        version,
        samples,
        config,
        tuned,
        exported,
        now=plan.now,
        code_revision=plan.code_revision,
        seconds=watch.laps,
        importance=importance,
    )
    files = evaluation_files(evaluation, held_out(samples, tuned))
    registered.attach(version, EVALUATION_FOLDER, files)
    return evaluation
