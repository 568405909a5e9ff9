"""Live load at a steady rate: `python -m bench.latency.load FILE`, where FILE holds a `Plan` as JSON.

Each event has its own moment, `begin + i / rate`: its event time, and what delays are counted from. Like the API it is
sent with what has come up to 20 ms later. When the process is starved it catches up, and what that costs is part of
the delays; `behind` says how much. Each model's traffic drifts in every second window, so that every window of
every model ends in an alert: raised in one, resolved in the next.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from aiokafka import AIOKafkaProducer

from bench.stream.material import Material, event_id, iso, wire
from contracts.headers import PREDICTION_MADE, cloud_event
from contracts.topics import partition_of

FEATURES, MODELS = 20, 1
_LINGER_SECONDS = 0.02
"""The API's default."""
_SOURCE, _API = b"bench.live", "/tidemark/api"


class Plan(msgspec.Struct, frozen=True):
    """begin: seconds since the epoch. rate: events/s. file: where `Sent` is written to."""

    bootstrap: str
    topic: str
    partitions: int
    begin: float
    seconds: float
    rate: float
    window_ms: int
    seed: int
    file: str


class Sent(NamedTuple):
    """Arrays of the same length, by event. moment: when it was due, seconds since the epoch. behind: of each group that
    was sent, seconds that it was late."""

    partition: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    moment: npt.NDArray[np.float64]
    behind: npt.NDArray[np.float64]

    @classmethod
    def read(cls, file: Path) -> Sent:
        """What a load has written."""
        with np.load(file) as found:
            return cls(*(found[name] for name in cls._fields))


def materials(seed: int) -> list[Material]:
    """The models of the load."""
    return [Material(FEATURES, seed + i, model=f"bench-{i}") for i in range(MODELS)]


def drifts(model: int, window: int) -> bool:
    """Whether a model's traffic has drifted in a window, counted from the epoch."""
    return (model + window) % 2 == 0


async def send(plan: Plan) -> Sent:
    """Send it all; returns when all is acknowledged."""
    models, rng = materials(plan.seed), np.random.default_rng(plan.seed)
    total = round(plan.rate * plan.seconds)
    moments = plan.begin + np.arange(total) / plan.rate
    rows = rng.integers(len(models[0].rows), size=total).tolist()
    groups: list[tuple[int, list[int], asyncio.Future[Any]]] = []
    behind: list[float] = []
    producer = AIOKafkaProducer(bootstrap_servers=plan.bootstrap, enable_idempotence=True, max_batch_size=1 << 20)
    await producer.start()
    try:
        due, done = plan.begin + _LINGER_SECONDS, 0
        while done < total:
            await asyncio.sleep(due - time.time())
            until = int(np.searchsorted(moments, time.time(), side="right"))
            batches: dict[int, tuple[Any, list[int]]] = {}
            for i in range(done, until):
                number, id_, value, time_text = _event(plan, models, rows[i], float(moments[i]), i)
                if number not in batches:
                    batches[number] = producer.create_batch(), []
                batch, members = batches[number]
                headers = cloud_event(PREDICTION_MADE, id_.decode(), _API, time=time_text)
                if batch.append(key=id_, value=value, timestamp=None, headers=headers) is None:
                    raise RuntimeError(f"{len(members)} events of one group do not fit into a batch")
                members.append(i)
            for number, (batch, members) in batches.items():
                groups.append((number, members, await producer.send_batch(batch, plan.topic, partition=number)))
            behind.append(max(0.0, time.time() - due))
            done, due = until, max(due + _LINGER_SECONDS, time.time())
        return await _sent(groups, moments, behind)
    finally:
        await producer.stop()


def _event(plan: Plan, models: list[Material], row: int, moment: float, i: int) -> tuple[int, bytes, bytes, str]:
    """Partition, id, value and event time of the i-th event."""
    model, time_ms = i % len(models), int(moment * 1000)
    material = models[model]
    rows = material.drifted if drifts(model, time_ms // plan.window_ms) else material.rows
    id_, text = event_id(_SOURCE, int(plan.begin * 1000), i), iso(time_ms)
    return partition_of(id_, plan.partitions), id_, wire(rows[row], id_, text), text.decode()


async def _sent(
    groups: list[tuple[int, list[int], asyncio.Future[Any]]], moments: npt.NDArray[np.float64], behind: list[float]
) -> Sent:
    partition, offset = np.zeros(len(moments), np.int64), np.zeros(len(moments), np.int64)
    for number, members, acknowledged in groups:
        first = (await acknowledged).offset
        partition[members] = number
        offset[members] = first + np.arange(len(members))
    return Sent(partition, offset, moments, np.array(behind))


if __name__ == "__main__":
    told = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    result = asyncio.run(send(told))
    np.savez(told.file, **result._asdict())
