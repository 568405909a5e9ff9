"""One trial: a rate, with a worker, a sink and a receiver of its own."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from bench.benchmark import BenchError
from bench.latency.figures import RateFigures
from bench.latency.load import MODELS, Plan, Sent, materials
from bench.latency.moments import counted, delay_of, passed, since_passed
from bench.latency.watching import Key, Seen, Watch, milliseconds
from bench.stream.observing import Reading, load_between, read
from contracts.errors import InvalidMessage
from contracts.topics import BASELINES, PREDICTIONS
from demo.receiver import Receiver
from demo.stack.kafka import KafkaServer
from demo.stack.processes import ServiceProcess
from stream_app import admin
from stream_app.settings import StreamSettings

PARTITIONS, WINDOW_SECONDS, LATENESS_SECONDS = 8, 2, 0.5
WARM_SECONDS = 2.0 * WINDOW_SECONDS
"""Not measured: the first calls of everything."""
_READY_SECONDS, _AHEAD_SECONDS, _REST_SECONDS, _PAUSE_SECONDS = 60.0, 4.0, 3.0, 0.1
_ROOT = Path(__file__).parents[2]


class Trial:
    """prefix: of its topics. rate: events/s."""

    def __init__(self, kafka: KafkaServer, prefix: str, rate: float, seconds: float, seed: int) -> None:
        self._kafka, self._rate, self._seconds, self._seed = kafka, rate, seconds, seed
        self._directory = kafka.directory.parent / prefix
        self._directory.mkdir()
        self._env = {
            "STREAM_BOOTSTRAP": kafka.bootstrap,
            "STREAM_TOPIC_PREFIX": prefix,
            "STREAM_WINDOW_SECONDS": str(WINDOW_SECONDS),
            "STREAM_LATENESS_SECONDS": str(LATENESS_SECONDS),
            # one alert a window and model: raised by the first window that drifts, resolved by the first that does not
            "STREAM_PAGE_AFTER": "1",
            "STREAM_PAGE_OF_LAST": "1",
            "STREAM_RESOLVE_AFTER": "1",
            "STREAM_METRICS_PORT": "0",
            "SINK_WEBHOOK_SECRET": "whsec_" + b64encode(secrets.token_bytes(24)).decode(),
            "SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true",
            "OMP_NUM_THREADS": "1",
        }
        self._settings = StreamSettings(bootstrap=kafka.bootstrap, topic_prefix=prefix)

    async def run(self) -> RateFigures:
        """Measure it. Raises BenchError."""
        await self._prepare()
        file = self._directory / "alerts.jsonl"
        with Receiver("127.0.0.1", 0, self._env["SINK_WEBHOOK_SECRET"], file) as receiver:
            self._env["SINK_WEBHOOK_URL"] = receiver.url
            worker, sink = self._service("worker", "worker"), self._service("sink", "sink", "webhook")
            for process in (worker, sink):
                process.start()
            try:
                watch = Watch(self._settings)
                async with watch.watching():
                    await _until(
                        lambda: "ready: counting" in "\n".join(_living(worker).tail(50)), "the worker is ready"
                    )
                    await _until(lambda: " -> " in "\n".join(_living(sink).tail(50)), "the sink is ready")
                    begin, readings, load = await self._under_load(worker, sink)
                    size, last = WINDOW_SECONDS * 1000, begin + self._seconds - LATENESS_SECONDS
                    ended = int(last * 1000) // size - int(begin * 1000) // size
                    await _until(lambda: watch.reports >= ended * MODELS, f"{ended} windows are reported")
                    await asyncio.sleep(_REST_SECONDS)
            finally:
                for process in (sink, worker):
                    await asyncio.to_thread(process.terminate, 20)
            delivered = [((r.alert.model, milliseconds(r.alert.window_end)), r.received) for r in receiver.receipts()]
        try:
            return self._figures(begin, Sent.read(load), watch.seen(), delivered, readings)
        except (ValueError, InvalidMessage) as error:
            raise BenchError(f"at {self._rate:,.0f} events/s: {error}") from error

    async def _prepare(self) -> None:
        """Topics and baselines."""
        async with admin.connected(self._settings, print) as client:
            await admin.create(client, self._settings, PARTITIONS)
        async with AIOKafkaProducer(bootstrap_servers=self._kafka.bootstrap) as producer:
            for material in materials(self._seed):
                baseline, topic = material.baseline, self._settings.topic(BASELINES)
                await producer.send_and_wait(topic, baseline.to_bytes(), key=baseline.key.encode())

    def _service(self, name: str, *words: str) -> ServiceProcess:
        command = [sys.executable, "-m", "stream_app", *words]
        return ServiceProcess(name, command, self._directory / f"{name}.log", env=self._env, cwd=_ROOT)

    async def _under_load(self, worker: ServiceProcess, sink: ServiceProcess) -> tuple[float, list[Reading], Path]:
        """The load's begin, readings of worker, sink and load after warming up, and the load's file."""
        file = self._directory / "sent.npz"
        begin = time.time() + _AHEAD_SECONDS
        plan = Plan(
            bootstrap=self._kafka.bootstrap,
            topic=self._settings.topic(PREDICTIONS),
            partitions=PARTITIONS,
            begin=begin,
            seconds=self._seconds,
            rate=self._rate,
            window_ms=WINDOW_SECONDS * 1000,
            seed=self._seed,
            file=str(file),
        )
        told = self._directory / "plan.json"
        told.write_bytes(msgspec.json.encode(plan))
        command = [sys.executable, "-m", "bench.latency.load", str(told)]
        load = ServiceProcess("load", command, self._directory / "load.log", cwd=_ROOT)
        load.start()
        readings = []
        try:
            for moment in (begin + WARM_SECONDS, begin + self._seconds - 0.5):
                await asyncio.sleep(moment - time.time())
                pids = [_living(process).pid for process in (worker, sink, load)]
                readings.append(read(self._kafka.pid, pids))
            await _until(lambda: not load.alive(), "the load has ended")
        finally:
            load.kill()
        if load.returncode != 0:
            raise BenchError(f"the load has failed: {' / '.join(load.tail(3))}")
        return begin, readings, file

    def _figures(
        self, begin: float, sent: Sent, seen: Seen, delivered: list[tuple[Key, float]], readings: list[Reading]
    ) -> RateFigures:
        first, last = begin + WARM_SECONDS, begin + self._seconds
        size = WINDOW_SECONDS * 1000
        ends = range(-(-int(first * 1000) // size) * size + size, int((last - LATENESS_SECONDS) * 1000), size)
        at = passed(sent, ends, round(LATENESS_SECONDS * 1000))
        reports = since_passed(at, _by_end(seen.reports.items()))
        if len(reports) != len(at) * MODELS:
            raise BenchError(f"{len(reports)} reports of {len(at)} windows of {MODELS} models")
        a, b = readings
        worker, sink, load = ((y - x) / (b.at - a.at) for x, y in zip(a.subjects, b.subjects, strict=True))
        used = load_between(readings, a.at, b.at, sum(b.subjects) - sum(a.subjects))
        return RateFigures(
            rate=self._rate,
            seconds=self._seconds,
            windows=len(at),
            counted=delay_of(counted(sent, seen.stored, first, last)),
            partials=delay_of(since_passed(at, _by_end(seen.partials.items()))),
            report=delay_of(reports),
            alert=delay_of(since_passed(at, _by_end(seen.alerts.items()))),
            webhook=delay_of(since_passed(at, _by_end(delivered))),
            worker_cores=round(worker, 3),
            sink_cores=round(sink, 3),
            broker_cores=round(used.broker, 3),
            load_cores=round(load, 3),
            other_cores=round(used.others, 3),
            behind_p99_ms=round(float(np.quantile(sent.behind, 0.99)) * 1000, 1),
        )


def _by_end(found: Iterable[tuple[Key, float]]) -> list[tuple[int, float]]:
    return [(end, at) for (_, end), at in found]


def _living(process: ServiceProcess) -> ServiceProcess:
    if not process.alive():
        raise BenchError(f"{process.name} has ended: {' / '.join(process.tail(3))}")
    return process


async def _until(held: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not held():
        if time.monotonic() > deadline:
            raise BenchError(f"after {_READY_SECONDS:g} s it is not yet so that {what}")
        await asyncio.sleep(_PAUSE_SECONDS)
