"""Quiet data through everything that decides on a retraining, without servers: nothing may come of it.

Each window of a run is drawn anew from rows that were held out; their truth comes a window later. Drift and
performance reports, alerts, what `watch` knows and what it decides are made by the code that runs live. Where it
decides to retrain, the version is made, and the gates have the last word.

A run is long: watch retrains only when several windows' labels are of the time since something spoke for it, so in a
run of few windows nothing could come of anything.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
from msgspec.structs import replace

from bench.benchmark import BenchError
from bench.loop.seeds import CONFIG, retrained
from bench.offline import WINDOW_MS, OfflineModel
from bench.versions import Trained, judged, samples_of, trained
from contracts.baseline import Baseline
from contracts.performance import PerformanceReport
from demo.datasets.dataset import Dataset
from stream_app.alerting.policy import decide as page
from stream_app.alerting.policy_config import PolicyConfig
from stream_app.alerting.policy_state import PolicyState
from stream_app.performance.counting import OutcomeCounts
from stream_app.performance.report import report as performance_report
from training.data.columns import Labels, labels_of
from training.evaluation.measures import Scores
from training.fitting.fit import Fitted
from training.retraining.known import Known, hear_alert, hear_performance, hear_report
from training.retraining.policy import Rules, decide


class QuietRun(msgspec.Struct, frozen=True):
    """One run. decisions: kind of decision -> windows after which it was taken; held: something spoke for retraining,
    but not for long enough yet. degraded: windows called so. pages: alerts. reason: of the retraining that was decided,
    "" where none was. promoted: the gates let it through.
    """

    windows: int
    decisions: dict[str, int]
    degraded: int
    pages: int = 0
    reason: str = ""
    promoted: bool = False


class Champion(OfflineModel):
    """A version that can be watched, and compared with another by the gates."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        super().__init__(dataset, seed)
        self.seed = seed
        self.config = replace(CONFIG, seed=seed)
        self.reference, self.pool = dataset.reference(seed), dataset.quiet(seed)

    @cached_property
    def version(self) -> Trained:
        """As training makes it."""
        return trained(samples_of(self.dataset.description, self.reference), self.config, "1")

    @cached_property
    def fitted(self) -> Fitted:
        """Its model."""
        return self.version.fitted

    @cached_property
    def baseline(self) -> Baseline:
        """Its baseline."""
        return self.version.baseline


def quiet_run(champion: Champion, windows: int, size: int, seed: list[int]) -> QuietRun:
    """The champion watched for so many windows of `size` rows. Raises BenchError."""
    if len(champion.pool) < size:
        raise BenchError(f"{len(champion.pool)} quiet rows for windows of {size}: choose another data set")
    draw, pool = np.random.default_rng(seed), champion.rows(champion.pool)
    truths = labels_of(champion.pool, str(champion.dataset.description.label))
    known = Known(model=champion.baseline.model, version=champion.baseline.version)
    policy, state = PolicyConfig(), PolicyState()
    decisions: Counter[str] = Counter()
    degraded, pages, drawn = 0, 0, list[npt.NDArray[np.intp]]()
    for number in range(windows):
        drawn.append(draw.choice(len(champion.pool), size, replace=False))
        drift = champion.report(pool.take(drawn[-1]), number)
        state, alerts = page(state, drift, policy)
        known = hear_report(known, drift)
        for alert in alerts:
            known = hear_alert(known, alert)
        pages += len(alerts)
        if number:  # the truth of the window before
            before = drawn[-2]
            report = _performance(champion.baseline, pool.scores[before], truths[before], number - 1)
            degraded += report.status == "degraded"
            known = hear_performance(known, report)
        decision = decide(known, Rules())
        decisions[decision.kind] += 1
        if decision.kind == "retrain":
            labelled = champion.pool.iloc[np.unique(np.concatenate(drawn[:-1]))]
            promoted = _promoted(champion, labelled)
            return QuietRun(number + 1, dict(decisions), degraded, pages, decision.reason, promoted)
    return QuietRun(windows, dict(decisions), degraded, pages)


def exchanged(champion: Champion) -> Champion:
    """The same champion and rows, their truths exchanged among them: what must be noticed, and is worth no version."""
    label, other = str(champion.dataset.description.label), copy(champion)
    truths = np.random.default_rng(champion.seed).permutation(champion.pool[label].to_numpy())
    other.pool = champion.pool.assign(**{label: truths})
    return other


def _promoted(champion: Champion, labelled: pd.DataFrame) -> bool:
    """Whether the gates would let a retraining through; the rollout may stop it still. labelled: each row once."""
    challenger = retrained(champion.dataset, None, labelled, champion.config)
    return judged(challenger.beside(champion.version)).may_go_on


def _performance(baseline: Baseline, scores: Scores, truths: Labels, number: int) -> PerformanceReport:
    counts = OutcomeCounts(baseline)
    counts.add(scores, truths)
    start, end = number * WINDOW_MS, (number + 1) * WINDOW_MS
    return performance_report(
        baseline, counts, window_start=start, window_end=end, revision=1, predictions=len(scores), final=True
    )
