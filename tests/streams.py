"""An installation of the stream for one test: its topics, worker processes, producer and readers, on a real broker."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter, decode_dead_letter
from contracts.events import PredictionEvent, encode_event
from contracts.reports import DriftReport, decode_report
from contracts.topics import BASELINES, DEAD_LETTERS, DRIFT_REPORTS, PREDICTIONS, Topic
from demo.stack.processes import ServiceProcess
from tests.waiting import eventually

T = TypeVar("T")
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
            # tests lay their own event times; those of the two limits' tests are set there
            "max_future_seconds": 10 * 365 * 86400,
            "max_age_seconds": 10 * 365 * 86400,
            **settings,
        }
        self.env = {f"STREAM_{name.upper()}": str(value) for name, value in settings.items()}
        self.workers: list[ServiceProcess] = []
        self._offsets: dict[tuple[str, int], int] = {}

    async def __aenter__(self) -> Stream:
        await self.command("topics")
        self.producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True, linger_ms=5)
        await self.producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.producer.stop()
        for worker in self.workers:
            await asyncio.to_thread(worker.kill)

    def topic(self, topic: Topic) -> str:
        return topic.named(self.namespace)

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

    def worker(self, **settings: Any) -> ServiceProcess:
        """A started worker; see `ready`."""
        name = f"worker-{len(self.workers)}"
        env = {**self.env, **{f"STREAM_{key.upper()}": str(value) for key, value in settings.items()}}
        process = ServiceProcess(
            name, [sys.executable, "-m", "stream_app", "worker"], self.directory / f"{name}.log", env=env
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
        async with AIOKafkaConsumer(
            self.topic(topic), bootstrap_servers=self.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            found: list[ConsumerRecord] = []
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += records
        return found

    async def reports(self) -> list[DriftReport]:
        """Every report once, in the order of their windows; a repeated one must say the same."""
        by_id: dict[str, DriftReport] = {}
        for report in [decode_report(record.value) for record in await self.records(DRIFT_REPORTS)]:
            assert by_id.setdefault(report.id, report) == report
        return sorted(by_id.values(), key=lambda report: (report.model, report.version, report.window_start))

    async def reported(self, rows: int, within: float = 30) -> list[DriftReport]:
        """The reports, once they hold so many rows together."""

        async def enough() -> Sequence[DriftReport]:
            reports = await self.reports()
            return reports if sum(report.rows for report in reports) >= rows else []

        reports: list[DriftReport] = await eventually(enough, within, f"reports of {rows} rows")
        assert sum(report.rows for report in reports) == rows
        return reports

    async def dead_letters(self, count: int, within: float = 20) -> list[DeadLetter]:
        """The dead letters by origin, once there are so many; a repeated one counts once."""

        async def enough() -> list[DeadLetter]:
            letters = {}
            for record in await self.records(DEAD_LETTERS):
                letter = decode_dead_letter(record.value)
                letters[letter.id] = letter
            return list(letters.values()) if len(letters) >= count else []

        letters: list[DeadLetter] = await eventually(enough, within, f"{count} dead letters")
        return letters
