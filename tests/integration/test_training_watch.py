"""`python -m training watch` on a real broker and a real registry: from two bad windows to a new champion."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer

from contracts.alerts import AlertFeature, DriftAlert, encode_alert
from contracts.events import PredictionEvent, encode_event
from contracts.findings import Cause
from contracts.labels import Label, encode_label
from contracts.performance import PerformanceReport, encode_performance, performance_id
from contracts.topics import BASELINES, DRIFT_ALERTS, DRIFT_REPORTS, LABELS, MODEL_EVENTS, PERFORMANCE, PREDICTIONS
from demo.stack.processes import ServiceProcess
from tests.builders import NOON, a_schema
from tests.gated import a_candidate, registered_at, risks
from tests.played_api import answering
from tests.registered import reference_frame
from tests.servers.verbs import Broker
from tests.waiting import eventually
from training.topics.model_events import ModelEvents

ROWS = 1_500
HOUR = timedelta(hours=1)
CONFIG = """
model: flights
data: data
split: {by: time}
folds: 3
estimator: {name: logistic, params: {}}
checks: {duplicates: 1, overlap: 1}
"""
LOOP = """
retraining: {minimum_labelled: 500}
rollout:
  steps: {shadow_seconds: 0.5, shadow_events: 50, shares: [50, 100], seconds: 0.5, events: 50}
  limits: {positive_change: 1, score_distance: 1}
"""
# The champion of the tests knows one feature; any other that matters ranks better than it.
GATES = "{no_degradation: {resamples: 200}, leak: {beside_champion: 1}, calibration: {error: 0.2}}"


class Place:
    """A broker with predictions, labels and what was said of them; a registry with a champion."""

    def __init__(self, kafka: Broker, namespace: str, folder: Path) -> None:
        self.bootstrap, self.prefix, self.folder = kafka.bootstrap, namespace, folder
        uri = f"sqlite:///{folder}/mlflow.db"
        a_candidate(uri, alias="champion")
        self.registered = registered_at(uri)
        self.events = ModelEvents(self.bootstrap, self.prefix, 15.0)
        for name, text in (("training.yaml", CONFIG), ("loop.yaml", LOOP), ("gates.yaml", GATES)):
            (folder / name).write_text(text)
        self.settings = {
            "TRAINING_TRACKING_URI": uri,
            "TRAINING_ARTIFACTS": str(folder / "artifacts"),
            "TRAINING_BOOTSTRAP": self.bootstrap,
            "TRAINING_TOPIC_PREFIX": self.prefix,
            "TRAINING_WORK": str(folder / "work"),
        }
        files = [f"--{name}={folder / name}.yaml" for name in ("loop", "gates")]
        self.command = ("training", "watch", f"--config={folder / 'training.yaml'}", *files)

    @property
    def champion(self) -> str | None:
        return self.registered.marks().champion

    def told(self) -> list[tuple[str, Any]]:
        return [(step.event.kind, step.event.details.get("outcome")) for step in self.events.read("flights")]


@pytest.fixture
async def place(
    kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Place]:
    for topic in (PREDICTIONS, LABELS, DRIFT_ALERTS, DRIFT_REPORTS, PERFORMANCE, MODEL_EVENTS, BASELINES):
        await fresh_topic(topic.name, partitions=1, message_timestamp_type="LogAppendTime")
    made = await asyncio.to_thread(Place, kafka, namespace, tmp_path)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    try:
        await _fill(producer, namespace)
        yield made
    finally:
        await producer.stop()


async def _fill(producer: AIOKafkaProducer, prefix: str) -> None:
    """Predictions of three hours with their labels, and two windows that say how bad they were."""
    schema = a_schema()
    features = reference_frame(schema, ROWS)
    truths = np.random.default_rng(2).random(ROWS) < risks(features)
    for i, row in enumerate(features.to_dict("records")):
        shared: dict[str, Any] = {
            "event_time": NOON + i * 3 * HOUR / ROWS,
            "model": "flights",
            "model_version": "1",
            "score": 0.5,
        }
        event = PredictionEvent(id=f"p{i}", features=row, **shared)
        label = Label(prediction_id=f"p{i}", labelled_at=NOON + 9 * HOUR, truth=float(truths[i]), **shared)
        await producer.send(PREDICTIONS.named(prefix), encode_event(event))
        await producer.send(LABELS.named(prefix), encode_label(label))
    for window in range(2):
        start = NOON + window * HOUR
        report = PerformanceReport(
            id=performance_id("flights", "1", start, 1),
            model="flights",
            version="1",
            baseline="0" * 16,
            window_start=start,
            window_end=start + HOUR,
            revision=1,
            labelled=500,
            predictions=500,
            positives=150,
            status="degraded",
            metrics=(),
            degraded=("auc",),
            summary=f"window {window}: auc fell",
        )
        await producer.send_and_wait(PERFORMANCE.named(prefix), encode_performance(report))


async def test_two_bad_windows_become_a_new_champion(place: Place, run_service: Callable[..., ServiceProcess]) -> None:
    async with answering(place.registered, place.bootstrap, place.prefix):
        watch = await asyncio.to_thread(run_service, "watch", *place.command, "--once", **place.settings)
        assert await asyncio.to_thread(watch.wait, 180) == 0, watch.tail(30)
    assert place.champion == "2"
    kinds = await asyncio.to_thread(place.told)
    assert kinds[0] == ("retraining-decided", None)
    assert kinds[-1] == ("retraining-ended", "promoted")
    steps = ["collected", "registered", "gated", *["rollout-changed"] * 3, "claimed", "promoted"]
    assert [kind for kind, _ in kinds[1:-1]] == steps
    assert "retrain: 2 windows in a row below the reference; the last: window 1: auc fell" in watch.log.read_text()


async def test_killed_in_the_middle_it_goes_on_behind_the_last_step(
    place: Place, run_service: Callable[..., ServiceProcess]
) -> None:
    async with answering(place.registered, place.bootstrap, place.prefix):
        first = await asyncio.to_thread(run_service, "first", *place.command, "--once", **place.settings)
        await eventually(lambda: "train: flights" in first.log.read_text(), 120, "training to begin")
        await asyncio.to_thread(first.kill)
        second = await asyncio.to_thread(run_service, "second", *place.command, "--once", **place.settings)
        assert await asyncio.to_thread(second.wait, 180) == 0, second.tail(30)
    said = second.log.read_text()
    assert "was cut short: it goes on" in said
    assert "collect:" not in said
    kinds = [kind for kind, _ in await asyncio.to_thread(place.told)]
    assert [kinds.count(kind) for kind in ("retraining-decided", "collected", "promoted", "retraining-ended")] == [
        1
    ] * 4
    assert place.champion != "1"


async def test_broken_data_is_not_learnt(place: Place, run_service: Callable[..., ServiceProcess]) -> None:
    start = NOON + HOUR
    unit = Cause(kind="unit", sentence="33 % of rows look multiplied by 1.61", factor=1.61)
    feature = AlertFeature(
        feature="distance", findings=("values",), p_value=1e-9, effect=0.3, since=NOON, new=True, cause=unit
    )
    alert = DriftAlert(
        id="a",
        incident="i",
        transition="raise",
        severity="critical",
        model="flights",
        version="1",
        window_start=start,
        window_end=start + HOUR,
        report="r",
        features=(feature,),
        summary="distance moved",
    )
    producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap)
    await producer.start()
    await producer.send_and_wait(DRIFT_ALERTS.named(place.prefix), encode_alert(alert))
    await producer.stop()
    watch = await asyncio.to_thread(run_service, "watch", *place.command, **place.settings)
    await eventually(lambda: "held: " in watch.log.read_text(), 120, "a decision")
    os.kill(watch.pid, signal.SIGTERM)
    assert await asyncio.to_thread(watch.wait, 30) == 0
    assert "not learnt: distance: 33 % of rows look multiplied by 1.61" in watch.log.read_text()
    assert await asyncio.to_thread(place.told) == []
    assert place.champion == "1"
