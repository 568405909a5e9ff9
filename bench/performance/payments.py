"""Payments whose fraud turns into another pattern: no feature moves, and only labels tell that the model is worse.

The same model on payments whose inputs moved: there the estimate, made before any label, is right.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.offline import OfflineModel, Rows
from contracts.histogram import Histogram
from demo.datasets.payments import Payments, World, payments
from stream_app.performance.counting import OutcomeCounts
from stream_app.performance.estimate import estimated
from stream_app.performance.report import report
from training.baselines.outcomes import with_outcomes
from training.data.columns import labels_of

WORLDS: dict[str, World] = {
    "as the reference": World(),
    "amounts x1.6": World(amount_factor=1.6),
    "credit scores +.5 sd": World(bureau_shift=0.5),
    "a quarter of the concept": World(concept=0.25),
    "half of the concept": World(concept=0.5),
    "all of the concept": World(concept=1.0),
}
_HOUR_MS = 3_600_000


class OfWorld(msgspec.Struct, frozen=True):
    """auc, average_precision: of all rows' labels; estimated ones: of their scores alone, and for the reference.
    drifting: share of windows in which any feature or the score alarms. degraded: share of windows whose labels say
    degraded, of those with labels enough to compare (compared)."""

    world: str
    auc: float
    estimated_auc: float
    reference_auc: float
    average_precision: float
    estimated_average_precision: float
    drifting: float
    degraded: float
    compared: float


def worlds(
    seed: int, rows: int, rows_per_window: int, names: Sequence[str] = tuple(WORLDS), learnt: Payments | None = None
) -> list[OfWorld]:
    """Each of these worlds, `rows` payments in windows of so many. learnt: whose reference the model has learnt."""
    model = OfflineModel(learnt or Payments(), seed)
    baseline = with_outcomes(model.baseline, model.fitted.scores, model.fitted.labels)
    found = []
    for number, (name, world) in enumerate(WORLDS.items()):
        if name not in names:
            continue
        # in random order: windows of a few days would differ in their hours, which is not what is asked here
        frame = payments(rows, [seed, 50 + number], world).sample(frac=1.0, random_state=seed)
        scored, truths = model.rows(frame), labels_of(frame, "fraud")
        windows = [slice(at, at + rows_per_window) for at in range(0, rows - rows_per_window + 1, rows_per_window)]
        drifting = [bool(model.report(scored.take(part), i).alarms) for i, part in enumerate(windows)]
        reports = []
        for i, part in enumerate(windows):
            counts = OutcomeCounts(baseline)
            counts.add(scored.scores[part], truths[part])
            reports.append(
                report(
                    baseline,
                    counts,
                    window_start=i * _HOUR_MS,
                    window_end=(i + 1) * _HOUR_MS,
                    revision=1,
                    predictions=rows_per_window,
                    final=True,
                )
            )
        compared = [each for each in reports if each.status != "insufficient"]
        all_of_them = OutcomeCounts(baseline)
        all_of_them.add(scored.scores, truths)
        truth = report(
            baseline, all_of_them, window_start=0, window_end=_HOUR_MS, revision=1, predictions=rows, final=True
        )
        real = {metric.name: metric.value for metric in truth.metrics}
        expected = estimated(baseline, _histogram(model, scored))
        assert expected is not None
        found.append(
            OfWorld(
                world=name,
                auc=round(real["auc"], 4),
                estimated_auc=round(expected.values["auc"], 4),
                reference_auc=round(expected.reference["auc"], 4),
                average_precision=round(real["average_precision"], 4),
                estimated_average_precision=round(expected.values["average_precision"], 4),
                drifting=round(sum(drifting) / len(drifting), 3),
                degraded=round(sum(each.status == "degraded" for each in compared) / max(len(compared), 1), 3),
                compared=round(len(compared) / len(reports), 3),
            )
        )
    return found


def _histogram(model: OfflineModel, scored: Rows) -> Histogram:
    histogram = Histogram(model.baseline.score.bins)
    histogram.add(scored.scores)
    return histogram
