"""What training tells the person who started it: a few plain lines."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.baseline import Baseline
from stream_app.drift.notes import few_rows
from stream_app.performance.measures import reference_measures
from stream_app.performance.summary import number, words
from training.baselines.natural import natural_lines
from training.data.infer import Guess
from training.data.times import Times
from training.evaluation.record import Evaluation
from training.making.train import Plan, Trained


def trained_lines(trained: Trained, plan: Plan, registry: str, published: str | None) -> list[str]:
    """What came of a training. published: where the baseline went, None when no broker is configured."""
    samples, fitted, metrics = trained.samples, trained.fitted, trained.fitted.metrics
    chosen = "best F1 on these rows" if plan.threshold is None else "as asked"
    if trained.evaluation is not None:
        chosen = trained.evaluation.threshold_rule
    steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in trained.seconds.items())
    return [
        f"data        {samples.description.name}: {len(samples.labels):,} rows, {len(samples.schema.features)} "
        f"features, {samples.labels.mean():.1%} positive, digest {samples.digest[:12]}",
        f"fit         {plan.estimator} on {fitted.fitted_rows:,} rows, seed {plan.seed}",
        *([] if trained.evaluation is None else _tuned_lines(trained.evaluation)),
        *_judged_lines("validation", len(fitted.labels), metrics),
        f"threshold   {fitted.threshold:.4f} ({chosen}): {metrics['positive_rate']:.1%} decided positively",
        *([] if trained.evaluation is None else _test_lines(trained.evaluation)),
        f"registered  {trained.version.model}/{trained.version.version} in {registry}, alias {trained.alias}",
        f"baseline    {trained.baseline.digest}: {_watched(trained.baseline)}; "
        + (f"published to {published}" if published else "not published: TRAINING_BOOTSTRAP is not set"),
        f"compiled    {trained.compiled}",
        *_few_lines(trained.baseline),
        *_effect_lines(trained.baseline),
        *natural_lines(trained.baseline, samples.times, fitted.counted),
        *_chance_lines(trained.baseline),
        f"took        {sum(trained.seconds.values()):.1f} s: {steps}",
    ]


def _tuned_lines(evaluation: Evaluation) -> list[str]:
    """What was searched and how it varies."""
    lines = [f"warning     {said}" for said in evaluation.warnings]
    lines += search_lines(evaluation)
    folds = [fold["auc"] for fold in evaluation.folds]
    mean = sum(folds) / len(folds)
    lines.append(f"folds       {len(folds)}: AUC {mean:.4f}, standard deviation {evaluation.spread('auc'):.4f}")
    return lines


def search_lines(evaluation: Evaluation) -> list[str]:
    """What was searched, and the parameters that the model has: of the best candidate, or those that stayed."""
    found = evaluation.search
    if found is None:
        return []
    best = ", ".join(f"{name} {_shown(value)}" for name, value in found.params.items())
    first = f"search      {found.candidates} candidates, best {found.scoring} {found.score:.4f}"
    if found.default is None:
        return [first, f"            {best}"]
    first += f", the configuration's own parameters {found.default:.4f}: "
    if found.score > found.default:
        return [f"{first}the best is used", f"            {best}"]
    own = ", ".join(f"{name} {evaluation.params.get(name, '?')}" for name in found.params)
    return [f"{first}those stay", f"            {own} (the best candidate: {best})"]


def calibrated_line(evaluation: Evaluation) -> str:
    """How scores were made probabilities, and what a row costs."""
    found, cost = evaluation.calibration, f"cost of a row {evaluation.metrics['cost']:.4f}"
    if found.method == "none":
        return f"calibrated  not (calibration: none): error {found.error_after:.4f}; {cost}"
    return f"calibrated  {found.method}: error {found.error_before:.4f} before, {found.error_after:.4f} after; {cost}"


def _test_lines(evaluation: Evaluation) -> list[str]:
    return [
        *_judged_lines("test", evaluation.rows["test"].rows, evaluation.metrics),
        calibrated_line(evaluation),
        f"scorer      {evaluation.scorer.kind}: {evaluation.scorer.bytes:,} bytes, {evaluation.scorer.one_row:.0f} us "
        f"for one row, {evaluation.scorer.batch_row:.1f} us a row of many",
    ]


def _judged_lines(part: str, rows: int, metrics: dict[str, float]) -> list[str]:
    return [
        f"{part:11} {rows:,} rows: AUC {metrics['auc']:.4f}, "
        f"average precision {metrics['average_precision']:.4f}, log loss {metrics['log_loss']:.4f}",
        *(
            f"            class {value}: precision {metrics[f'precision_{value}']:.3f}, "
            f"recall {metrics[f'recall_{value}']:.3f}"
            for value in (0, 1)
        ),
    ]


def _shown(value: float | str | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def guess_lines(guesses: Iterable[Guess]) -> list[str]:
    """What columns were taken for, as a table; nothing when a description said it."""
    rows = [(guess.column, guess.kind or "left out", guess.why) for guess in guesses]
    if not rows:
        return []
    first, second = (max(len(row[i]) for row in rows) for i in (0, 1))
    table = [f"  {name:{first}}  {kind:{second}}  {why}" for name, kind, why in rows]
    return ["No --schema was given; the columns were taken for:", *table, "Wrong? Describe them in a dataset.toml."]


def baseline_lines(baseline: Baseline, destinations: list[str], times: Times | None = None) -> list[str]:
    """What a baseline holds and where it went. times: that its natural variation was learnt by."""
    score = f"{baseline.score.histogram.rows:,} scores" if baseline.score.histogram.rows else "no scores: not monitored"
    return [
        f"baseline    {baseline.digest} of {baseline.key}: {baseline.rows:,} rows, {_watched(baseline)}; {score}",
        *_few_lines(baseline),
        *_performance_lines(baseline),
        *_effect_lines(baseline),
        *natural_lines(baseline, times),
        *_chance_lines(baseline),
        *destinations,
    ]


def _performance_lines(baseline: Baseline) -> list[str]:
    """What the performance of windows is held against, or how to have it."""
    known = reference_measures(baseline)
    if not known:
        return ["performance no reference: name the truths with --label-column, and labels can be compared with them"]
    return ["performance " + ", ".join(f"{words(name)} {number(each.value)}" for name, each in known.items())]


def _chance_lines(baseline: Baseline) -> list[str]:
    """That windows are held against chance alone, where labels will be compared and nobody asked for more."""
    if baseline.natural is not None or not reference_measures(baseline):
        return []
    return [
        "natural     variation of performance: not learnt, which takes times and --window; windows are held against "
        "chance alone"
    ]


def _watched(baseline: Baseline) -> str:
    tied = sum(reference.bridge is not None for reference in baseline.features.values())
    return f"{len(baseline.features)} features monitored, {tied} with ties"


def _few_lines(baseline: Baseline) -> list[str]:
    return [f"warning     {said}"] if (said := few_rows(baseline.rows)) else []


def _effect_lines(baseline: Baseline) -> list[str]:
    """What reports will say of drift's effect on the score, and a line for each thing that it refuses."""
    told = {name: reference.dependence for name, reference in baseline.features.items()}
    known = {name: dependence for name, dependence in told.items() if dependence is not None}
    if not known:
        return ["effect      on the score: not known, there are no scores (--score-column, or --attach without it)"]
    refused: dict[str, list[str]] = {}
    for name, dependence in known.items():
        if dependence.refused:
            refused.setdefault(dependence.refused, []).append(name)
    lines = [f"            the model refuses, of {_some(names)}: {why}" for why, names in refused.items()]
    asked = sum(dependence.partial is not None for dependence in known.values())
    if not asked and not refused:
        return ["effect      on the score: known if the world moves; not if data breaks, there was no model to ask"]
    return [f"effect      on the score: known if the world moves; the model was asked about {asked} features", *lines]


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
