"""Beside the champion: is the version at least as good on the same rows, and did it learn from the same world?"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.reports import FeatureVerdict
from contracts.window import WindowCounts
from stream_app.drift.report import compare
from training.data.columns import countable
from training.evaluation.record import Evaluation
from training.gates.evidence import NO_CHAMPION, Champion, Evidence, Verdict, failed, verdict
from training.gates.resampling import resampled
from training.gates.rules import Rules

_SEED, _NAMED = 0, 5


def no_degradation(evidence: Evidence, rules: Rules) -> Verdict:
    """The interval of (challenger less champion), from resamples of the same rows, does not reach below the margin.

    So a version that may be worse fails as well as one that is worse: few rows speak for nobody.
    """
    rule, champion = rules.no_degradation, evidence.champion
    if champion is None:
        return NO_CHAMPION
    if champion.scores is None:
        return failed(f"champion {champion.version} cannot score the test rows: {champion.refused}")
    fewest = int(min(evidence.labels.sum(), (1 - evidence.labels).sum()))
    if fewest < rule.rows_per_class:
        return failed(f"{fewest} test rows of one class, at least {rule.rows_per_class} are needed to compare")
    found = resampled(evidence.labels, [evidence.scores, champion.scores], rule.resamples, _SEED)
    wrong, said = [], []
    figures: dict[str, float] = {}
    margins = (
        ("AUC", "auc", rule.auc_margin),
        ("average precision", "average_precision", rule.average_precision_margin * float(found.values[1, 1])),
    )
    for measure, (title, name, margin) in enumerate(margins):
        gain = found.difference(measure, rule.confidence)
        own = float(found.values[0, measure])
        text = f"{title} {own:.3f}, {gain.value:+.4f} against version {champion.version}"
        text += f" ({gain.low:+.4f} to {gain.high:+.4f})"
        said.append(text)
        if gain.low < -margin:
            wrong.append(f"{text}: it may be worse by more than {margin:.3g}")
        figures |= {name: own, f"{name}_gain": gain.value, f"{name}_low": gain.low, f"{name}_high": gain.high}
    if champion.fitted_on:
        favours = f"version {champion.version} was fitted on rows of this test, which favours it: {champion.fitted_on}"
        said.append(favours)
        wrong += [favours] if wrong else []
    return verdict(wrong, "; ".join(said), **figures)


def training_data(evidence: Evidence, rules: Rules) -> Verdict:
    """The challenger's rows, held against the champion's baseline as the stream holds a window.

    A world that has moved is why a model is trained anew: it is said, and stops nobody unless the rules limit it. Rows
    that look broken (a unit, a fill value, missing values) must be repaired, not learnt.
    """
    rule, champion = rules.training_data, evidence.champion
    if champion is None:
        return NO_CHAMPION
    watched = champion.baseline.schema.monitored
    kinds = {feature.name: feature.kind for feature in evidence.baseline.schema.features}
    other = [feature.name for feature in watched if kinds.get(feature.name) != feature.kind]
    if other:
        return failed(f"cannot be compared: {_some(other)}, which version {champion.version} takes, is not so here")
    drifted = [one for one in _verdicts(evidence, champion) if one.alarm]
    share = len(drifted) / len(watched) if watched else 0.0
    broken = [
        one
        for one in drifted
        if one.cause is not None and one.cause.of_data and (one.cause.share or 0.0) > rule.broken_share
    ]
    wrong = [f"looks broken: {_sentence(one)}" for one in broken]
    moved = f"{len(drifted)} of {len(watched)} features have moved since version {champion.version}"
    if share > rule.drifted:
        wrong.append(f"{moved}: {share:.0%}, at most {rule.drifted:.0%} may")
    names = f": {_some([one.feature for one in drifted])}" if drifted else ""
    return verdict(wrong, moved + names, drifted=share, broken=len(broken))


def fitted_on_the_test(digest: str, champion: Evaluation | None, challenger: Evaluation) -> str:
    """Why the champion was fitted on rows of the challenger's test; "" where no record says so (other data may hold the
    same rows: its digest does not tell). digest: of the champion's data. champion: None: it has no evaluation.
    """
    if digest != challenger.data_digest:
        return ""
    if champion is None:
        return "the same data, of which it held no test back"
    its, here = champion.rows["test"].rows, challenger.rows["test"].rows
    if champion.split == challenger.split == "time":
        return "" if its >= here else f"the same data, of which it held back the last {its:,} rows, here {here:,}"
    if champion.split != challenger.split:
        return f"the same data, split by {champion.split} there and by {challenger.split} here"
    if champion.seed != challenger.seed:
        return (
            f"the same data, split with seed {champion.seed} there and {challenger.seed} here: train with seed "
            f"{champion.seed}, and the test rows are those that it has not seen"
        )
    return "" if its == here else f"the same data, of which it held back {its:,} other rows, here {here:,}"


def _verdicts(evidence: Evidence, champion: Champion) -> Sequence[FeatureVerdict]:
    """On the champion's features alone: its score of these rows may well be another, and no_degradation judges it."""
    window = WindowCounts(champion.baseline)
    columns = [countable(evidence.features[f.name], f) for f in champion.baseline.schema.monitored]
    rows = len(evidence.features)
    window.add_columns(columns, evidence.scores if champion.scores is None else champion.scores, [None] * rows)
    return [one for one in compare(champion.baseline, window) if one.feature in champion.baseline.features]


def _sentence(one: FeatureVerdict) -> str:
    return f"{one.feature}: {'' if one.cause is None else one.cause.sentence}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
