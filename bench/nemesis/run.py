"""A run: broker, workers and producer are started, the nemesis rages, all is mended, and the counts are compared."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from aiokafka import AIOKafkaProducer

from bench.benchmark import BenchError, Benchmark, Options, Say
from bench.nemesis.broker import ReachedKafka
from bench.nemesis.crew import Worker, watch_for_ever
from bench.nemesis.faults import Nemesis
from bench.nemesis.figures import NemesisFigures, table
from bench.nemesis.load import Load, Plan
from bench.nemesis.models import baselines
from bench.nemesis.network import Beside, Place, Way, connected
from bench.nemesis.observing import Reports, eventually, parts_of
from bench.nemesis.outcome import delays_of, differences_of, figures_of
from bench.nemesis.producing import Producer
from bench.nemesis.schedule import PROFILES, Profile, schedule
from bench.nemesis.settings import SESSION_SECONDS, worker_environment
from bench.nemesis.truth import Truth
from bench.nemesis.verdict import Verdict, id_of, judge
from contracts.baseline import Baseline
from contracts.topics import BASELINES, DRIFT_REPORTS, PREDICTIONS, WINDOW_PARTIALS
from demo.stack.errors import StackError
from stream_app import admin
from stream_app.audit.checks import Audit
from stream_app.audit.reading import audit
from stream_app.errors import StreamError
from stream_app.settings import StreamSettings

SECONDS, WORKERS, PARTITIONS = 480.0, 3, 8
_START_SECONDS, _END_SECONDS, _AUDIT_SECONDS = 90.0, 180.0, 30.0


def run(options: Options, say: Say) -> NemesisFigures:
    """Rage and compare. Raises BenchError when the servers cannot be had or the options make no sense."""
    logging.getLogger("aiokafka").setLevel("CRITICAL")  # it tells of every outage many times a second
    profile = options.faults or "all"
    if profile not in PROFILES:
        raise BenchError(f"--faults {profile}: choose one of {', '.join(PROFILES)}")
    if options.partitions == 1:
        raise BenchError("--partitions 1: two at least, for one of them falls idle")
    seconds = options.seconds or SECONDS
    directory = Path(tempfile.mkdtemp(prefix="tidemark-nemesis-"))
    plan = Plan(
        seed=options.seed,
        seconds=seconds,
        start_ms=_start_ms(seconds),
        partitions=options.partitions or PARTITIONS,
    )
    try:
        figures = asyncio.run(Run(plan, profile, options.workers or WORKERS, directory, say).take())
    except (StackError, StreamError, ExceptionGroup) as error:
        raise BenchError(f"{_first(error)} (logs: {directory})") from error
    if figures.exact:
        shutil.rmtree(directory)
    else:
        say(f"logs are kept in {directory}")
    return figures


def _start_ms(seconds: float) -> int:
    """Event time ends before now, so nothing lies in the future; on a whole hour, for windows that are easy to read."""
    return (int(time.time() - 2 * 3600 - seconds * Plan.speed) // 3600) * 3_600_000


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


class Run:
    """One run."""

    def __init__(self, plan: Plan, profile: Profile, workers: int, directory: Path, say: Say) -> None:
        self._plan, self._profile, self._directory, self._say = plan, profile, directory, say
        self._baselines = baselines(plan.seed)
        self._truth = Truth(plan, self._baselines)
        self._workers = workers
        self._crew: list[Worker] = []
        self._joined: list[Worker] = []

    async def take(self) -> NemesisFigures:
        """All of it."""
        async with AsyncExitStack() as stack:
            network = await connected(self._workers, self._say)
            stack.push_async_callback(network.stop)
            broker = ReachedKafka(self._directory / "kafka", network.listeners)
            stack.push_async_callback(asyncio.to_thread, broker.stop)
            await asyncio.to_thread(broker.start)
            return await self._with(broker, network.ways, stack)

    async def _with(self, broker: ReachedKafka, ways: Sequence[Way], stack: AsyncExitStack) -> NemesisFigures:
        settings = StreamSettings(
            bootstrap=broker.bootstrap,
            window_seconds=self._plan.window_ms // 1000,
            lateness_seconds=self._plan.lateness_ms / 1000,
        )
        async with admin.connected(settings, self._say) as client:
            await admin.create(client, settings, self._plan.partitions)
        await _publish(settings, self._baselines)
        for number, way in enumerate(ways):
            self._crew.append(self._worker(f"worker-{number}", way, static=True))
        stack.push_async_callback(self._end_all)
        await asyncio.gather(*[worker.start() for worker in self._crew])
        await eventually(lambda: any(self._unready) or all(worker.ready for worker in self._crew), _START_SECONDS)
        if not all(worker.ready for worker in self._crew):
            said = "".join(f"\n{line}" for worker in self._unready for line in worker.process.tail(3))
            raise BenchError(f"the workers were not ready in {_START_SECONDS:g} s: see {self._directory}{said}")
        self._say(f"{len(self._crew)} workers are ready; seed {self._plan.seed}, faults: {self._profile}")

        reports = Reports(broker.bootstrap, settings.topic(DRIFT_REPORTS))
        following = [asyncio.create_task(reports.follow()), asyncio.create_task(watch_for_ever(self._crew, self._say))]
        began = time.monotonic()
        producer = Producer(broker.bootstrap, settings.topic(PREDICTIONS), Load(self._plan), self._truth)
        nemesis = Nemesis(self._crew, ways, broker, lambda: self._more(broker.bootstrap), self._twin_of, self._say)
        faults = schedule(
            self._plan.seed, self._plan.seconds, len(self._crew), SESSION_SECONDS[self._profile], self._profile
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(producer.run(began))
                group.create_task(nemesis.rage(faults, began))
            self._say(f"{time.monotonic() - began:7.1f} s  all faults are over, all events are acknowledged")
            await self._settled(reports)
            for worker in self._crew:
                await worker.scrape()
            read = await reports.caught_up(_AUDIT_SECONDS)
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
        found = await _audited(settings)
        verdict = judge(self._truth, reports.seen, await parts_of(broker.bootstrap, settings.topic(WINDOW_PARTIALS)))
        return self._told(verdict, found, nemesis, producer, reports, read, time.monotonic() - began)

    def _told(
        self,
        verdict: Verdict,
        found: Audit,
        nemesis: Nemesis,
        producer: Producer,
        reports: Reports,
        read: bool,
        seconds: float,
    ) -> NemesisFigures:
        differences = differences_of(self._truth, verdict, found, self._everybody, stops=nemesis.stops, read=read)
        figures = figures_of(
            *(self._truth, verdict, found, self._everybody),
            exact=not differences,
            faults=nemesis.counted,
            repeats=producer.repeats,
            resent=producer.resent,
            delays=delays_of(self._truth, self._plan.window_ms, reports.at),
            seconds=seconds,
            seed=self._plan.seed,
        )
        for worker in self._everybody:
            for line, times in worker.complaints.items():
                self._say(f"{worker.name}, {times} times: {line}")
        self._say("")
        for line in table(figures, nemesis.counted, differences):
            self._say(line)
        return figures

    async def _settled(self, reports: Reports) -> None:
        """Until every window has its report, or nobody may hope for it any more."""
        wanted = {id_of(window) for window in self._truth.windows}
        if not await eventually(lambda: wanted <= reports.seen.keys(), _END_SECONDS):
            missing = len(wanted - reports.seen.keys())
            self._say(f"{missing} of {len(wanted)} windows have no report {_END_SECONDS:g} s after the last fault")

    @property
    def _unready(self) -> list[Worker]:
        """Ended without having been ready."""
        return [worker for worker in self._crew if not worker.process.alive()]

    @property
    def _everybody(self) -> Sequence[Worker]:
        return [*self._crew, *self._joined]

    def _more(self, bootstrap: str) -> Worker:
        """One more worker, straight to the broker: nobody cuts off one that joins."""
        name = f"joined-{len(self._joined)}"
        self._joined.append(self._worker(name, Beside(bootstrap), static=False))
        return self._joined[-1]

    def _twin_of(self, worker: Worker) -> Worker:
        """Another process under the same name, as an orchestrator starts one when it has lost sight of a machine."""
        name = f"twin-{len(self._joined)}"
        self._joined.append(Worker(name, self._directory, worker.env, worker.place))
        return self._joined[-1]

    def _worker(self, name: str, place: Place, *, static: bool) -> Worker:
        env = worker_environment(self._plan, self._profile, name if static else "")
        return Worker(name, self._directory, env, place)

    async def _end_all(self) -> None:
        await asyncio.gather(*[worker.kill() for worker in self._everybody])


async def _publish(settings: StreamSettings, known: Sequence[Baseline]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        for baseline in known:
            await producer.send_and_wait(settings.topic(BASELINES), baseline.to_bytes(), key=baseline.key.encode())


async def _audited(settings: StreamSettings) -> Audit:
    """The accounts, once the workers have written what they had begun."""
    deadline = time.monotonic() + _AUDIT_SECONDS
    while True:
        found = await audit(settings)
        if (found.balanced and not found.unread) or time.monotonic() > deadline:
            return await audit(settings, recount=True)
        await asyncio.sleep(1.0)


NEMESIS = Benchmark(
    "nemesis",
    "exactness while workers, network and Kafka are killed, and the reports' delay meanwhile",
    run,
    takes=("seconds", "workers", "partitions", "faults"),
    lasts="8 minutes; no shorter with --quick, but with --seconds 100",
    held=lambda figures: bool(figures.exact),
)
