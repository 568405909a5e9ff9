"""An installation of the stream for one test: its topics, worker processes, producer and readers, on a real broker."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer, ConsumerRecord

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter, decode_dead_letter
from contracts.events import PredictionEvent, encode_event, event_decoder, event_time_ms
from contracts.reports import DriftReport, decode_report
from contracts.topics import BASELINES, DEAD_LETTERS, DRIFT_REPORTS, PREDICTIONS, Topic
from contracts.window import WindowCounts
from demo.stack.processes import ServiceProcess
from stream_app import admin, present
from stream_app.audit.checks import Audit
from stream_app.audit.reading import audit
from stream_app.drift.report import report
from stream_app.drift.rule import CALIBRATED
from stream_app.settings import StreamSettings
from tests.builders import an_event, an_event_id
from tests.waiting import eventually

READY = re.compile(r"ready: counting partitions \[(.*?)\]")


class Stream:
    """`async with Stream(bootstrap, namespace, directory, idle_seconds=2) as stream`: topics made, producer started.

    settings: STREAM_* by their field's name. The workers end with the context.
    """

    def __init__(self, bootstrap: str, namespace: str, directory: Path, **settings: Any) -> None:
        self.bootstrap, self.namespace, self.directory = bootstrap, namespace, directory
        settings = {
            "bootstrap": bootstrap,
            "topic_prefix": namespace,
            "window_seconds": 10,
            "lateness_seconds": 2,
            "idle_seconds": 1.5,
            "session_timeout_seconds": 6,
            "max_future_seconds": 3600,
            "max_age_seconds": 30 * 86400,
            "n_min": 100,
            **settings,
        }
        self.settings = StreamSettings(**settings)
        self.env = {f"STREAM_{name.upper()}": str(value) for name, value in settings.items()}
        self.workers: list[ServiceProcess] = []
        self.window = timedelta(seconds=settings["window_seconds"])
        self._hours = count(int(time.time()) // 3600 - 24)

    async def __aenter__(self) -> Stream:
        async with admin.connected(self.settings, print) as client:
            await admin.create(client, self.settings)
        self.producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True, linger_ms=5)
        await self.producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.producer.stop()
        for worker in self.workers:
            await asyncio.to_thread(worker.kill)

    def fresh_hour(self) -> datetime:
        """An hour of event time behind all that were given before: events in it are not late for another test's."""
        return datetime.fromtimestamp(next(self._hours) * 3600, UTC)

    def topic(self, topic: Topic) -> str:
        return self.settings.topic(topic)

    async def command(self, *words: str, status: int = 0) -> str:
        """Run `python -m stream_app ...`; its standard output. The status must be as expected."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stream_app", *words),
            env={**os.environ, **self.env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == status, (out.decode(), err.decode())
        return out.decode() if status == 0 else out.decode() + err.decode()

    def worker(self, command: str = "worker", **settings: Any) -> ServiceProcess:
        """A started worker, or another command that runs until it is told to stop; see `ready`."""
        name = f"{command}-{len(self.workers)}"
        env = {**self.env, **{f"STREAM_{key.upper()}": str(value) for key, value in settings.items()}}
        process = ServiceProcess(
            name, [sys.executable, "-m", "stream_app", command], self.directory / f"{name}.log", env=env
        )
        process.start()
        self.workers.append(process)
        return process

    async def ready(self, worker: ServiceProcess, partitions: int | None = None, within: float = 30) -> None:
        """Until the worker counts; with `partitions`, until it counts so many."""

        def state() -> bool:
            assert worker.alive(), "\n".join(worker.tail())
            found = READY.findall("\n".join(worker.tail(200)))
            return bool(found) and (partitions is None or len(re.findall(r"\d+", found[-1])) == partitions)

        await eventually(state, within, f"{worker.name} ready with {partitions or 'its'} partitions")

    async def publish_baseline(self, baseline: Baseline) -> None:
        await self.producer.send_and_wait(self.topic(BASELINES), baseline.to_bytes(), key=baseline.key.encode())

    async def send(
        self, events: Iterable[PredictionEvent[Any]], partition: Callable[[int], int] = lambda i: i % 8
    ) -> int:
        """Events, the i-th to partition(i); acknowledged. Returns how many."""
        return await self.send_raw([encode_event(event) for event in events], partition)

    async def send_raw(self, values: Iterable[bytes], partition: Callable[[int], int] = lambda i: i % 8) -> int:
        name = self.topic(PREDICTIONS)
        acks = [
            await self.producer.send(name, value, key=b"%d" % i, partition=partition(i))
            for i, value in enumerate(values)
        ]
        await asyncio.gather(*acks)
        return len(acks)

    async def records(self, topic: Topic) -> list[ConsumerRecord]:
        """All that is on a topic now."""
        return await self.records_of(self.topic(topic))

    async def records_of(self, name: str) -> list[ConsumerRecord]:
        """As `records`, of a topic by its full name."""
        return [record async for record in present.records(self.bootstrap, name)]

    async def reports(self, model: str = "flights") -> list[DriftReport]:
        """Every report of a model once, in the order of their windows; a repeated one must say the same."""
        by_id: dict[str, DriftReport] = {}
        for found in [decode_report(record.value) for record in await self.records(DRIFT_REPORTS)]:
            if found.model == model:
                assert by_id.setdefault(found.id, found) == found
        return sorted(by_id.values(), key=lambda report: (report.version, report.window_start))

    async def reported(self, rows: int, model: str = "flights", within: float = 30) -> list[DriftReport]:
        """The reports of a model, once they hold so many rows together (and no more)."""

        async def enough() -> Sequence[DriftReport]:
            reports = await self.reports(model)
            return reports if sum(report.rows for report in reports) >= rows else []

        reports: list[DriftReport] = await eventually(enough, within, f"reports of {rows} rows of {model}")
        assert sum(report.rows for report in reports) == rows
        return reports

    async def audit(self) -> Audit:
        """The accounts; everything must balance, and agree with `predictions` counted again."""
        result = await audit(self.settings, recount=True)
        assert result.balanced, result.differences
        return result

    async def dead_letters(
        self, key: Callable[[DeadLetter], bool], number: int, within: float = 20
    ) -> list[DeadLetter]:
        """The dead letters that `key` picks, once there are so many; a repeated one counts once."""

        async def enough() -> list[DeadLetter]:
            letters = [decode_dead_letter(record.value) for record in await self.records(DEAD_LETTERS)]
            picked = {letter.id: letter for letter in letters if key(letter)}
            return list(picked.values()) if len(picked) >= number else []

        letters: list[DeadLetter] = await eventually(enough, within, f"{number} dead letters")
        return letters


def random_events(
    count: int, start: datetime, per_second: float, *, model: str = "flights", seed: int = 0
) -> list[PredictionEvent[Any]]:
    """Events like the reference of `a_baseline()`, evenly over event time; one in 125 lacks its distance.

    Their ids are those of one API process for each model and seed.
    """
    rng = np.random.default_rng(seed)
    distance, seats, score = rng.normal(100, 10, count), rng.normal(110, 10, count), rng.random(count)
    carrier = rng.choice(["a", "b", "c"], count, p=[0.6, 0.3, 0.1])
    return [
        an_event(
            id=an_event_id(i, source=f"{model}.{seed}"),
            model=model,
            event_time=start + timedelta(seconds=i / per_second),
            score=float(score[i]),
            decision=bool(score[i] >= 0.5),
            features={
                "distance": None if i % 125 == 0 else float(distance[i]),
                "seats": float(seats[i]),
                "carrier": str(carrier[i]),
            },
        )
        for i in range(count)
    ]


def expected_reports(
    events: Iterable[PredictionEvent[Any]], baseline: Baseline, reports: Sequence[DriftReport], n_min: int = 100
) -> list[DriftReport]:
    """What the reports on these events must say, counted here in one go. The last offsets are taken from `reports`."""
    decoder = event_decoder(baseline.schema)
    decoded = [decoder.decode(encode_event(event)) for event in events]
    rule, expected = msgspec.structs.replace(CALIBRATED, n_min=n_min), []
    for known in reports:
        start, end = (round(time.timestamp() * 1000) for time in (known.window_start, known.window_end))
        counts = WindowCounts(baseline)
        counts.add_events([event for event in decoded if start <= event_time_ms(event) < end])
        expected.append(
            report(
                baseline,
                counts,
                window_start=start,
                window_end=end,
                rows=counts.rows,
                merged_windows=0,
                partitions=known.partitions,
                rule=rule,
            )
        )
    return expected
