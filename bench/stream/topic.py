"""One preloaded topic on a broker, and the runs on it: each in processes of its own, with state of its own."""

from __future__ import annotations

import asyncio
import sys
import time
from itertools import count
from pathlib import Path

import msgspec

from bench.benchmark import BenchError, Say
from bench.pinned import cores
from bench.stream import profile
from bench.stream.bare import Timed
from bench.stream.cases import Case, Shape
from bench.stream.figures import Run
from bench.stream.material import Material
from bench.stream.observing import Reading, busy_span, load_between, read
from bench.stream.preload import WINDOW_SECONDS, preload
from bench.stream.worker import Worker, count_all, running
from contracts.topics import PREDICTIONS
from demo.stack.kafka import KafkaServer
from demo.stack.processes import ServiceProcess
from stream_app import admin
from stream_app.audit.reading import audit
from stream_app.settings import StreamSettings

_LIMIT_SECONDS, _PAUSE_SECONDS = 600.0, 0.2
_ROOT = Path(__file__).parents[2]


class Topic:
    """`predictions` in one shape. naive_events: so many are enough for the ordinary agent."""

    def __init__(self, kafka: KafkaServer, shape: Shape, events: int, naive_events: int) -> None:
        self._kafka, self._shape, self._events, self._naive_events = kafka, shape, events, naive_events
        self._numbers = count()

    def load(self, seed: int, say: Say) -> int:
        """Fill it. Returns the mean size of an event's value, bytes."""
        shape, began = self._shape, time.monotonic()
        material = Material(shape.features, seed)
        settings = self._settings("preload")
        size = (
            asyncio.run(preload(settings, shape.partitions, material, self._events, shape.codec, shape.headers))
            // self._events
        )
        say(
            f"{shape.name}: {self._events:,} events of {size} bytes{' and headers' if shape.headers else ''}, "
            f"{shape.features} features, {shape.partitions} partitions, {shape.codec or 'plain'}; "
            f"loaded in {time.monotonic() - began:.0f} s"
        )
        return size

    def run(self, case: Case) -> Run:
        """One run. Raises BenchError, also when not every event was counted exactly once."""
        if case.what == "bare":
            return self._timed(case, "bench.stream.bare", str(self._events))
        if case.what == "naive":
            words = (str(self._shape.partitions), str(self._naive_events), str(self._shape.features))
            app_id = f"naive-{next(self._numbers)}"
            data = self._directory / f"{self._shape.name}-{app_id}-data"
            return self._timed(case, "bench.stream.naive", *words, app_id, str(data))
        return self._ours(case)

    def profile(self, say: Say) -> None:
        """Run one worker under the sampler and say where its time went."""
        file = self._directory / f"{self._shape.name}-profile.json"
        settings = self._settings(f"profile-{next(self._numbers)}")
        (worker,) = self._workers(settings, 1, ("bench.stream.sampled", str(file)))
        with running([worker]):
            count_all([worker], self._kafka.pid, self._events, _LIMIT_SECONDS)
        for line in profile.table(profile.load(file), self._events):
            say(line)

    def _ours(self, case: Case) -> Run:
        settings = self._settings(f"run-{next(self._numbers)}")
        workers = self._workers(settings, case.workers, core=cores().server if case.what == "bound" else None)
        with running(workers):
            readings, startup = count_all(workers, self._kafka.pid, self._events, _LIMIT_SECONDS)
        asyncio.run(_check_stored(settings, self._events))
        span = busy_span(readings)
        if span is None:
            raise BenchError(f"{case.name}: {self._events:,} events are over too soon to be timed: take more --events")
        load = load_between(readings, span.begin, span.end, span.cpu_seconds)
        return Run(case, span.events, span.end - span.begin, span.cpu_seconds, load.broker, load.others, startup)

    def _workers(
        self,
        settings: StreamSettings,
        number: int,
        entry: tuple[str, ...] = ("stream_app",),
        *,
        core: int | None = None,
    ) -> list[Worker]:
        """Of a group that has not counted anything yet; not started."""
        asyncio.run(_create_state(settings))
        env = {
            "STREAM_BOOTSTRAP": settings.bootstrap,
            "STREAM_TOPIC_PREFIX": settings.topic_prefix,
            "STREAM_APP_ID": settings.app_id,
            "STREAM_WINDOW_SECONDS": str(WINDOW_SECONDS),
            "STREAM_METRICS_PORT": "0",
            "STREAM_LOG_LEVEL": "info",
            "OMP_NUM_THREADS": "1",
        }
        names = [f"{self._shape.name}-{settings.app_id}-{i}" for i in range(number)]
        return [Worker(name, self._directory, env, entry, core=core) for name in names]

    def _timed(self, case: Case, module: str, *words: str) -> Run:
        """A process that times itself and prints it."""
        name = f"{case.shape.name}-{case.what}-{next(self._numbers)}"
        topic = self._settings(name).topic(PREDICTIONS)
        command = [sys.executable, "-m", module, self._kafka.bootstrap, topic, *words]
        process = ServiceProcess(name, command, self._directory / f"{name}.log", cwd=_ROOT)
        readings: list[Reading] = []
        process.start()
        try:
            while process.alive() and (not readings or readings[-1].at - readings[0].at < _LIMIT_SECONDS):
                readings.append(read(self._kafka.pid))
                time.sleep(_PAUSE_SECONDS)
        finally:
            process.kill()
        readings.append(read(self._kafka.pid))
        timed = _last_figures(process)
        load = load_between(readings, timed.begin, timed.end, timed.cpu_seconds)
        return Run(case, timed.events, timed.end - timed.begin, timed.cpu_seconds, load.broker, load.others)

    def _settings(self, app_id: str) -> StreamSettings:
        return StreamSettings(
            bootstrap=self._kafka.bootstrap,
            topic_prefix=f"{self._shape.name}.",
            app_id=app_id,
            window_seconds=WINDOW_SECONDS,
        )

    @property
    def _directory(self) -> Path:
        """For logs, and for what the processes leave."""
        return self._kafka.directory.parent


async def _create_state(settings: StreamSettings) -> None:
    async with admin.connected(settings, print) as client:
        await admin.create(client, settings)


async def _check_stored(settings: StreamSettings, events: int) -> None:
    """What the workers have left in Kafka must say the same as their metrics. Raises BenchError."""
    found = await audit(settings)
    counted = sum(part.counted for part in found.accounts.partitions)
    if counted != events or found.unread:
        raise BenchError(f"{counted:,} of {events:,} events are counted by the stored state, {found.unread:,} unread")


def _last_figures(process: ServiceProcess) -> Timed:
    for line in reversed(process.tail(20)):
        if line.startswith("{"):
            return msgspec.json.decode(line, type=Timed)
    raise BenchError(f"{process.name} has not measured anything: {' / '.join(process.tail(3))}")
