"""Labels for the integration tests, and what must be reported of them, counted in the plainest way."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from contracts.baseline import Baseline
from contracts.labels import Label, encode_label
from contracts.performance import PerformanceReport, decode_performance
from contracts.times import milliseconds
from contracts.topics import LABELS, PERFORMANCE, partition_of
from stream_app.performance.counting import OutcomeCounts
from stream_app.performance.report import report
from stream_app.performance.rule import PerformanceRule
from stream_app.windowing.tumbling import window_start
from tests.streams import Stream

PARTITIONS = 8


def random_labels(count: int, start: datetime, per_second: float, seed: int = 0) -> list[Label]:
    """Labels of predictions that are evenly over event time; one in four says something of a former one again, half of
    these another truth. Each is given a second after the newest prediction.
    """
    rng = random.Random(seed)
    labels: list[Label] = []
    for i in range(count):
        now = start + timedelta(seconds=i / per_second)
        former = rng.choice(labels[-400:]) if labels and rng.random() < 0.25 else None
        truth = float(rng.random() < 0.3)
        if former is not None:
            truth = former.truth if rng.random() < 0.5 else 1.0 - former.truth
        score = rng.random()
        labels.append(
            Label(
                prediction_id=former.prediction_id if former else f"s{seed}-{i}",
                event_time=former.event_time if former else now,
                labelled_at=now + timedelta(seconds=1),
                model="flights",
                model_version="1",
                score=former.score if former else score,
                truth=truth,
                decision=former.decision if former else score >= 0.5,
            )
        )
    return labels


def behind_all(labels: Iterable[Label], seconds: float) -> list[Label]:
    """One label a partition, given so long after all of these, of predictions of then: time passes everywhere."""
    late = max(label.labelled_at for label in labels) + timedelta(seconds=seconds)
    ids: dict[int, str] = {}
    i = 0
    while len(ids) < PARTITIONS:
        ids.setdefault(partition_of(b"end-%d" % i, PARTITIONS), f"end-{i}")
        i += 1
    return [
        Label(
            prediction_id=id_,
            event_time=late,
            labelled_at=late,
            model="flights",
            model_version="1",
            score=0.5,
            truth=1.0,
        )
        for id_ in ids.values()
    ]


async def send(stream: Stream, labels: Iterable[Label | bytes]) -> int:
    """To the partition of their prediction, in order, acknowledged."""
    name, acks = stream.topic(LABELS), []
    for label in labels:
        key = label.prediction_id.encode() if isinstance(label, Label) else b"?"
        value = encode_label(label) if isinstance(label, Label) else label
        acks.append(await stream.producer.send(name, value, key=key, partition=partition_of(key, PARTITIONS)))
    for ack in acks:
        await ack
    return len(acks)


async def revisions(stream: Stream) -> list[PerformanceReport]:
    """Everything on `performance`; what has the same id must say the same."""
    found = [decode_performance(record.value) for record in await stream.records(PERFORMANCE)]
    by_id: dict[str, PerformanceReport] = {}
    for one in found:
        known = by_id.setdefault(one.id, one)
        assert (known.labelled, known.positives, known.replaced, known.metrics) == (
            one.labelled,
            one.positives,
            one.replaced,
            one.metrics,
        )
    return found


async def highest(stream: Stream) -> dict[datetime, PerformanceReport]:
    """Of each window the report with the highest revision, by its start."""
    newest: dict[datetime, PerformanceReport] = {}
    for one in await revisions(stream):
        known = newest.get(one.window_start)
        if known is None or known.revision < one.revision:
            newest[one.window_start] = one
    return newest


def expected(
    labels: Sequence[Label], baseline: Baseline, found: dict[datetime, PerformanceReport], rule: PerformanceRule
) -> dict[datetime, PerformanceReport]:
    """What the reports of these labels must say. Revision, offsets, coverage and finality are taken from `found`."""
    last: dict[str, Label] = {}
    replaced: dict[str, int] = {}
    for label in labels:
        if label.prediction_id in last and last[label.prediction_id].truth != label.truth:
            replaced[label.prediction_id] = replaced.get(label.prediction_id, 0) + 1
        last[label.prediction_id] = label
    windows: dict[datetime, PerformanceReport] = {}
    for start, known in found.items():
        size = milliseconds(known.window_end) - milliseconds(start)
        mine = [
            label
            for label in last.values()
            if window_start(milliseconds(label.event_time), size) == milliseconds(start)
        ]
        counts = OutcomeCounts(baseline)
        counts.add([x.score for x in mine], [x.truth for x in mine], [bool(x.decision) for x in mine])
        changes = sum(replaced.get(label.prediction_id, 0) for label in mine)
        assert known.revision == 4 * (len(mine) + changes) + 2 * known.final + (known.predictions is not None)
        windows[start] = report(
            baseline,
            counts,
            window_start=milliseconds(start),
            window_end=milliseconds(known.window_end),
            revision=known.revision,
            predictions=known.predictions,
            replaced=changes,
            final=known.final,
            partitions=known.partitions,
            rule=rule,
        )
    return windows
