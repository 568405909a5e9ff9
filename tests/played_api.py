"""The API's part in a rollout, played: answers of the champion, and whatever the rollout's tag asks of its version."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from contracts.events import encode_event
from contracts.model_events import ModelEvent, encode_model_event
from contracts.rollout import ROLLOUT_TAG, Rollout, decode_rollout
from contracts.topics import MODEL_EVENTS, PREDICTIONS
from tests.builders import NOON, an_event, an_event_id
from training.registry.registered import Registered

Scores = Callable[[Any], float]


def alike(draw: Any) -> float:
    return float(draw.beta(2, 5))


@asynccontextmanager
async def answering(
    registered: Registered, bootstrap: str, prefix: str, *, challenger: Scores = alike, failures: int = 0
) -> AsyncIterator[None]:
    """While inside: some 200 answers a second of the champion, as many of the version on its way, in its role.

    failures: rows that the version could not score, said on `model-events` once for each step.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
    await producer.start()
    playing = asyncio.create_task(_play(producer, registered, prefix, challenger, failures))
    try:
        yield
        if playing.done():
            playing.result()
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        await producer.stop()


async def _play(
    producer: AIOKafkaProducer, registered: Registered, prefix: str, challenger: Scores, failures: int
) -> None:
    draw, told = np.random.default_rng(1), None
    for sequence in itertools.count(0, 2):
        if sequence % 40 == 0:
            marks = await asyncio.to_thread(registered.marks)
            rollout = decode_rollout(marks.tags.get(ROLLOUT_TAG))
        answers = [(marks.champion, "champion", alike(draw))]
        if rollout is not None:
            answers.append((rollout.version, rollout.stage, challenger(draw)))
        for i, (version, role, score) in enumerate(answers):
            event = an_event(
                sequence=sequence + i, model_version=str(version), role=role, score=score, decision=score >= 0.5
            )
            await producer.send(PREDICTIONS.named(prefix), encode_event(event), key=an_event_id(sequence + i).encode())
        if failures and rollout is not None and rollout != told:
            told = rollout
            await producer.send(MODEL_EVENTS.named(prefix), encode_model_event(_trouble(rollout, failures)))
        await asyncio.sleep(0.005)


def _trouble(rollout: Rollout, failures: int) -> ModelEvent:
    return ModelEvent(
        id=f"trouble/{rollout.since.isoformat()}",
        kind="rollout-trouble",
        at=NOON,
        model="flights",
        version=rollout.version,
        by="api",
        reason="rows that the version could not score",
        details={"failures": float(failures), "role": rollout.stage},
    )
