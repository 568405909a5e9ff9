"""Labels/s of one `python -m stream_app performance` on a real broker, from a preloaded topic, everything on.

Two shapes: labels that come in the order of their predictions, and labels scattered over a day's windows, where every
batch touches hundreds of them. Each run checks that every label is counted once, by the process and by its state.
"""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.stream.material import Material
from bench.stream.observing import busy_span, load_between
from bench.stream.server import local_kafka
from bench.stream.worker import Worker, count_all, running
from contracts.baseline import Baseline
from contracts.labels import Label, encode_label
from contracts.times import moment
from contracts.topics import BASELINES, LABELS, partition_of
from demo.stack.errors import StackError
from demo.stack.kafka import KafkaServer
from stream_app import admin
from stream_app.audit.label_reading import audit_labels
from stream_app.errors import StreamError
from stream_app.present import present
from stream_app.settings import StreamSettings

TARGET = 10_000.0
"""Labels/s that one process must do."""
SHAPES = {"in order": 3600, "scattered": 86_400}
"""Seconds of event time that the labels are over."""
LABELS_GIVEN, QUICK_LABELS = 400_000, 100_000
ROUNDS, QUICK_ROUNDS = 3, 1
WINDOW_SECONDS = 60
_LIMIT_SECONDS, _BYTES = 600.0, 600


class ShapeFigures(msgspec.Struct, frozen=True):
    """Medians over the rounds. per_cpu_second: labels a second of the process's processor time. state_bytes: of its
    state topic's records, a label, segments written anew included. others: cores that others used meanwhile.
    """

    shape: str
    windows: int
    labels_per_second: float
    per_cpu_second: float
    times_target: float
    state_bytes: float
    others: float


class LabelFigures(msgspec.Struct, frozen=True):
    """cores: of this machine."""

    labels: int
    cores: int
    shapes: list[ShapeFigures]


def run(options: Options, say: Say) -> LabelFigures:
    """Measure it. Raises BenchError."""
    labels = options.events or (QUICK_LABELS if options.quick else LABELS_GIVEN)
    found = []
    try:
        with local_kafka("labelling", len(SHAPES) * labels * _BYTES) as kafka:
            for shape, seconds in SHAPES.items():
                settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=f"{shape.replace(' ', '-')}.")
                asyncio.run(_preload(settings, labels, seconds, options.seed, scattered=shape == "scattered"))
                rounds = [_round(kafka, settings, n, labels) for n in range(QUICK_ROUNDS if options.quick else ROUNDS)]
                rate, per_cpu, size, others = (float(value) for value in np.median(np.array(rounds), axis=0))
                windows = seconds // WINDOW_SECONDS
                found.append(
                    ShapeFigures(
                        shape=shape,
                        windows=windows,
                        labels_per_second=round(rate),
                        per_cpu_second=round(per_cpu),
                        times_target=round(rate / TARGET, 1),
                        state_bytes=round(size, 1),
                        others=round(others, 2),
                    )
                )
                say(
                    f"{shape:10} {windows:5} windows  {rate:9,.0f} labels/s ({rate / TARGET:.1f} times the target)  "
                    f"{per_cpu:9,.0f} a CPU second  {size:.1f} bytes of state a label"
                )
    except (StackError, StreamError) as error:
        raise BenchError(str(error)) from error
    return LabelFigures(labels=labels, cores=os.cpu_count() or 1, shapes=found)


def _round(kafka: KafkaServer, settings: StreamSettings, number: int, labels: int) -> tuple[float, float, float, float]:
    """Labels/s, labels a CPU second, bytes of state a label, cores of others; by a group that has counted nothing."""
    settings = settings.model_copy(update={"app_id": f"run-{next(_NUMBERS)}-{number}"})
    asyncio.run(_create(settings))
    env = {
        "STREAM_BOOTSTRAP": settings.bootstrap,
        "STREAM_TOPIC_PREFIX": settings.topic_prefix,
        "STREAM_APP_ID": settings.app_id,
        "STREAM_METRICS_PORT": "0",
        "STREAM_LOG_LEVEL": "info",
        "OMP_NUM_THREADS": "1",
    }
    worker = Worker(f"labels-{settings.app_id}", Path(kafka.directory).parent, env, labels=True)
    with running([worker]):
        readings, _ = count_all([worker], kafka.pid, labels, _LIMIT_SECONDS)
    size = asyncio.run(_checked(settings, labels))
    span = busy_span(readings)
    if span is None:
        raise BenchError(f"{labels:,} labels are over too soon to be timed: take more --events")
    load = load_between(readings, span.begin, span.end, span.cpu_seconds)
    return span.events / (span.end - span.begin), span.events / span.cpu_seconds, size / labels, load.others


async def _create(settings: StreamSettings) -> None:
    async with admin.connected(settings, print) as client:
        await admin.create(client, settings)


async def _checked(settings: StreamSettings, labels: int) -> int:
    """Bytes of the state topic's records. Raises BenchError when the state does not say the same."""
    found = await audit_labels(settings)
    counted = 0 if found is None else sum(part.counted for part in found.partitions)
    if found is None or not found.balanced or counted != labels:
        raise BenchError(f"{counted:,} of {labels:,} labels are counted by the stored state")
    async with present(settings.bootstrap, settings.labels_topic) as now:
        return sum([sum(len(record.value or b"") for record in batch) async for batch in now.batches])


async def _preload(settings: StreamSettings, labels: int, seconds: int, seed: int, *, scattered: bool) -> None:
    await _create(settings)
    baseline = Material(20, seed).baseline
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap, enable_idempotence=True, linger_ms=20)
    await producer.start()
    try:
        await producer.send_and_wait(settings.topic(BASELINES), baseline.to_bytes(), key=baseline.key.encode())
        await _fill(producer, settings.topic(LABELS), baseline, labels, seconds, seed, scattered=scattered)
    finally:
        await producer.stop()


async def _fill(
    producer: AIOKafkaProducer, topic: str, baseline: Baseline, labels: int, seconds: int, seed: int, *, scattered: bool
) -> None:
    rng, now = np.random.default_rng(seed), time.time_ns() // 1_000_000
    ages = np.linspace(seconds * 1000, 0, labels).astype(np.int64)
    if scattered:
        rng.shuffle(ages)
    scores, truths = rng.random(labels).tolist(), (rng.random(labels) < 0.2).tolist()
    last = None
    for i, (age, score, truth) in enumerate(zip(ages.tolist(), scores, truths, strict=True)):
        id_ = f"bench.00-{now:012x}-{i:010x}"
        label = Label(
            prediction_id=id_,
            event_time=moment(now - age),
            labelled_at=moment(now),
            model=baseline.model,
            model_version=baseline.version,
            score=score,
            truth=float(truth),
            decision=score >= 0.5,
        )
        number = partition_of(id_.encode(), LABELS.partitions)
        last = await producer.send(topic, encode_label(label), key=id_.encode(), partition=number)
    if last is not None:
        await producer.flush()


_NUMBERS = count()

LABELS_STREAM = Benchmark(
    "labels-stream",
    "labels/s of a process that counts them into performance windows, on a real broker",
    run,
    takes=("events",),
    lasts="6 minutes; --quick: 1 minute",
)
