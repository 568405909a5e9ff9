"""`training.collecting` on a real broker: what was predicted and labelled there becomes a data set to train on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from contracts.events import PredictionEvent, encode_event
from contracts.labels import Label, encode_label
from contracts.performance import encode_performance
from contracts.topics import LABELS, MODEL_EVENTS, PERFORMANCE, PREDICTIONS
from tests.builders import NOON, a_schema, reference_columns
from tests.gated import a_candidate
from tests.performance import a_covered_window
from tests.servers.verbs import Broker
from training.__main__ import app
from training.collecting.collect import Wish, collect
from training.data.samples import load
from training.errors import CollectError, PublishError
from training.topics.model_events import ModelEvents

ROWS = 400
MINUTE = timedelta(minutes=1)
SCHEMA = a_schema()
WISH = Wish("flights", SCHEMA, NOON, NOON + ROWS * MINUTE)
TOPICS = (PREDICTIONS, LABELS, PERFORMANCE)
WINDOW = 100
"""Rows, and minutes. Of four windows the first three are final; the labels of the last one still come."""


async def _fill(kafka: Broker, namespace: str) -> dict[str, Any]:
    columns = reference_columns(SCHEMA, ROWS)
    columns["truth"] = (np.random.default_rng(3).random(ROWS) < 0.3).astype(float)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    try:
        for i in range(ROWS):
            features = {name: np.asarray(columns[name][i]).item() for name in SCHEMA.names}
            shared: dict[str, Any] = {"event_time": NOON + i * MINUTE, "model": "flights", "model_version": "1"}
            event = PredictionEvent(id=f"p{i}", score=0.5, features=features, **shared)
            label = Label(
                prediction_id=f"p{i}",
                score=0.5,
                labelled_at=NOON + 9999 * MINUTE,
                truth=float(columns["truth"][i]),
                **shared,
            )
            for topic, value in ((PREDICTIONS, encode_event(event)), (LABELS, encode_label(label))):
                if topic is PREDICTIONS or i % 4:  # a quarter is not labelled
                    await producer.send(topic.named(namespace), value, key=f"p{i}".encode())
        await producer.send(PREDICTIONS.named(namespace), b"no event")
        for window in range(ROWS // WINDOW):
            start, labelled = NOON + window * WINDOW * MINUTE, WINDOW * 3 // 4
            span: dict[str, Any] = {"window_start": start, "window_end": start + WINDOW * MINUTE}
            report = a_covered_window(0, labelled=labelled, predictions=WINDOW, final=window < 3, **span)
            await producer.send(PERFORMANCE.named(namespace), encode_performance(report))
    finally:
        await producer.stop()
    return columns


async def test_what_was_predicted_and_labelled_becomes_a_data_set(
    kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    for topic in TOPICS:
        await fresh_topic(topic.name, partitions=3)
    columns = await _fill(kafka, namespace)
    collected = await collect(WISH, tmp_path / "new", kafka.bootstrap, namespace)

    labelled = [i for i in range(3 * WINDOW) if i % 4]
    assert (collected.predictions, collected.labelled, collected.rows) == (3 * WINDOW, len(labelled), len(labelled))
    assert (collected.coverage, collected.incomplete, collected.unreadable) == (0.75, WINDOW, 1)
    samples = load(tmp_path / "new", timed=True)
    assert samples.labels.tolist() == columns["truth"][labelled].tolist()
    assert samples.features["distance"].tolist() == columns["distance"][labelled].tolist()
    assert samples.digest == collected.digest == json.loads((tmp_path / "new/collected.json").read_text())["digest"]

    again = await collect(WISH, tmp_path / "again", kafka.bootstrap, namespace)
    assert again == collected

    base = replace(WISH, base=tmp_path / "new")
    twice = await collect(base, tmp_path / "twice", kafka.bootstrap, namespace)
    assert (twice.rows, twice.base_rows) == (2 * len(labelled), len(labelled))
    assert load(tmp_path / "twice").labels.tolist() == samples.labels.tolist() * 2

    early = await collect(replace(WISH, incomplete=True), tmp_path / "early", kafka.bootstrap, namespace)
    assert (early.labelled, early.incomplete, early.complete_only) == (ROWS * 3 // 4, 0, False)

    with pytest.raises(CollectError, match="is there already"):
        await collect(WISH, tmp_path / "new", kafka.bootstrap, namespace)


async def test_nothing_to_collect_is_said_with_what_was_seen(
    kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    for topic in TOPICS:
        await fresh_topic(topic.name, partitions=1)
    with pytest.raises(CollectError, match=r"no labelled prediction of flights .* 0 predictions there"):
        await collect(WISH, tmp_path / "none", kafka.bootstrap, namespace)
    assert not (tmp_path / "none").exists()


async def test_a_topic_that_is_not_there_is_named(kafka: Broker, namespace: str, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=f"has no topic '{namespace}performance'.*stream_app topics"):
        await collect(WISH, tmp_path / "none", kafka.bootstrap, namespace)


async def test_a_broker_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        await collect(WISH, tmp_path / "none", "127.0.0.1:1", "")


async def test_the_command_leaves_an_event_that_says_what_was_collected(
    kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    for topic in (*TOPICS, MODEL_EVENTS):
        await fresh_topic(topic.name, partitions=1)
    await _fill(kafka, namespace)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    await asyncio.to_thread(a_candidate, uri, alias="champion")

    def run() -> Result:
        settings = {
            "TRAINING_TRACKING_URI": uri,
            "TRAINING_BOOTSTRAP": kafka.bootstrap,
            "TRAINING_TOPIC_PREFIX": namespace,
        }
        span = ("--since", NOON.isoformat(), "--until", (NOON + ROWS * MINUTE).isoformat())
        return CliRunner().invoke(app, ["collect", "--out", str(tmp_path / "new"), "--by", "ann", *span], env=settings)

    done = await asyncio.to_thread(run)
    assert done.exit_code == 0, done.output
    digest = load(tmp_path / "new", timed=True).digest
    assert f"digest {digest}" in done.output
    steps = await asyncio.to_thread(ModelEvents(kafka.bootstrap, namespace, 15.0).read, "flights")
    told = [step.event for step in steps if step.event.kind == "collected"]
    assert [(event.by, event.version, event.details["digest"]) for event in told] == [("ann", "1", digest)]
