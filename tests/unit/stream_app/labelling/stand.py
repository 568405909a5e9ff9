"""Labels as the tests of both stages need them, and the truth about them, counted in the plainest way."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from contracts.baseline import Baseline
from contracts.label_partials import LabelPartial
from contracts.labels import Label, encode_label
from contracts.times import milliseconds, moment
from stream_app.labelling.decoding import LabelLimits, LabelReader
from stream_app.labelling.partition import Counted, LabelConfig, LabelPartition
from stream_app.performance.counting import OutcomeCounts
from stream_app.windowing.tumbling import window_start
from tests.builders import NOON, NOON_MS, a_baseline
from tests.unit.stream_app.agents.stand import Record

BASELINE = a_baseline()
CONFIG = LabelConfig(size_ms=10_000, delay_ms=60_000, lateness_ms=2_000)
LIMITS = LabelLimits(max_future_ms=10**9, max_age_ms=10**9)


def a_label(number: int = 0, *, truth: float = 1.0, at: float = 0.0, after: float = 1.0, **more: Any) -> Label:
    """at: seconds of the prediction after noon; after: of the label after the prediction."""
    fields: dict[str, Any] = {
        "prediction_id": f"p-{number}",
        "event_time": NOON + timedelta(seconds=at),
        "labelled_at": NOON + timedelta(seconds=at + after),
        "model": "flights",
        "model_version": "1",
        "score": (number % 97) / 97,
        "truth": truth,
        "decision": None,
    }
    return Label(**{**fields, **more})


def records(labels: Iterable[Label | bytes], first: int = 0, partition: int = 0) -> list[Record]:
    values = [label if isinstance(label, bytes) else encode_label(label) for label in labels]
    return [
        Record(first + i, value, topic="labels", partition=partition, timestamp=NOON_MS)
        for i, value in enumerate(values)
    ]


class Stage1:
    """A partition of `labels` on a store that survives it."""

    def __init__(self, config: LabelConfig = CONFIG, *baselines: Baseline, number: int = 0) -> None:
        self.config, self.number = config, number
        self.baselines = list(baselines) or [BASELINE]
        self.store: dict[bytes, bytes] = {}
        self.partition = LabelPartition(number, config)

    def reader(self) -> LabelReader:
        by_version = {(baseline.model, baseline.version): baseline for baseline in self.baselines}
        by_digest = {baseline.digest: baseline for baseline in self.baselines}
        return LabelReader(by_version, by_digest, self.partition.coded_by, LIMITS, self.config.size_ms)

    def count(self, batch: Sequence[Record], writes: int | None = None) -> Counted:
        """Count and store; with `writes` only so many records reach the store."""
        decoded = self.reader().read(batch, final=True)
        first = self.partition.next_offset
        counted = self.partition.apply(decoded, batch[0].offset if first is None else first, batch[-1].offset)
        for key, value in self.partition.stored(counted.keys)[:writes]:
            self.store[key] = value
        return counted

    def crash(self) -> None:
        """Only what is stored is left."""
        self.partition = LabelPartition.restore(self.number, self.config, self.store.items())

    def send(self, parts: Sequence[LabelPartial]) -> list[LabelPartial]:
        for key in self.partition.sent(parts):
            self.store.pop(key, None)
        return list(parts)


def random_labels(rng: random.Random, number: int, *, seconds: float = 40.0) -> list[Label]:
    """Some said twice, some with another truth."""
    labels: list[Label] = []
    for i in range(number):
        if labels and rng.random() < 0.25:
            former = rng.choice(labels)
            truth = former.truth if rng.random() < 0.5 else 1.0 - former.truth
            at = (former.event_time - NOON).total_seconds()
            labels.append(a_label(int(former.prediction_id[2:]), truth=truth, at=at, after=5 + i * 0.01))
        else:
            labels.append(
                a_label(i, truth=float(rng.random() < 0.4), at=rng.random() * seconds, after=rng.random() * 5)
            )
    return labels


def truth_of(labels: Iterable[Label], size_ms: int = CONFIG.size_ms) -> dict[int, tuple[int, int, Any]]:
    """By window's start: labelled, replaced, and the outcomes of the last truth of each prediction. Nothing is late."""
    last: dict[str, Label] = {}
    replaced: dict[int, int] = {}
    for label in labels:
        start = window_start(milliseconds(label.event_time), size_ms)
        former = last.get(label.prediction_id)
        replaced.setdefault(start, 0)
        if former is not None and former.truth != label.truth:
            replaced[start] += 1
        last[label.prediction_id] = label
    found = {}
    for start, changes in replaced.items():
        mine = [x for x in last.values() if window_start(milliseconds(x.event_time), size_ms) == start]
        counts = OutcomeCounts(BASELINE)
        counts.add([x.score for x in mine], [x.truth for x in mine])
        found[start] = (len(mine), changes, counts.value())
    return found


def seconds(ms: int) -> float:
    return (moment(ms) - NOON).total_seconds()
