"""Workers that are killed, stopped, added and restarted under load: each event is counted exactly once all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.baseline import Baseline
from contracts.events import PredictionEvent
from tests.builders import a_baseline
from tests.servers.verbs import Broker
from tests.streams import Stream, expected_reports, random_events

RATE = 1_000
"""Events a second of wall time; event time runs ten times as fast, so windows of ten seconds have 1,000."""


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    # Time passes with the events alone: a pause of this machine must not close a window.
    async with Stream(kafka.bootstrap, namespace, tmp_path, idle_seconds=120) as stream:
        yield stream


@pytest.fixture
async def baseline(stream: Stream) -> Baseline:
    baseline = a_baseline()
    await stream.publish_baseline(baseline)
    return baseline


async def live(stream: Stream, events: Sequence[PredictionEvent[Any]], at: int, fault: Callable[[], Any]) -> None:
    """Send events at RATE, and let the fault happen when `at` of them are sent."""
    step = RATE // 20
    for first in range(0, len(events), step):
        if first <= at < first + step:
            await asyncio.to_thread(fault)
        await asyncio.gather(stream.send(events[first : first + step]), asyncio.sleep(0.05))


async def exact_in_the_end(stream: Stream, baseline: Baseline, events: Sequence[PredictionEvent[Any]]) -> None:
    """Every window has one report that equals counting its events in one go, and the audit balances."""
    beyond = max(event.event_time for event in events) + timedelta(minutes=5)
    await stream.send(random_events(8, beyond, per_second=100, seed=99))  # time passes, in each partition
    reports = await stream.reported(len(events), within=60)
    assert reports == expected_reports(events, baseline, reports)
    audit = await stream.audit()
    assert sum(version.late + version.late_rows for version in audit.accounts.versions) == 0


def load(start: datetime, seconds: int) -> list[PredictionEvent[Any]]:
    return random_events(RATE * seconds, start, per_second=RATE / 10)


async def test_a_worker_killed_under_load_costs_no_event_and_doubles_none(stream: Stream, baseline: Baseline) -> None:
    workers = [stream.worker(worker_id=f"w{i}") for i in range(2)]
    await asyncio.gather(*[stream.ready(worker, partitions=4) for worker in workers])
    events = load(stream.fresh_hour(), seconds=8)

    def kill_and_restart() -> None:
        workers[0].kill()
        workers[0].start()

    await live(stream, events, at=3 * RATE, fault=kill_and_restart)
    await exact_in_the_end(stream, baseline, events)


async def test_the_survivor_takes_over_what_a_killed_worker_had_begun(stream: Stream, baseline: Baseline) -> None:
    workers = [stream.worker() for _ in range(2)]
    await asyncio.gather(*[stream.ready(worker, partitions=4) for worker in workers])
    events = load(stream.fresh_hour(), seconds=5)
    await live(stream, events, at=2 * RATE, fault=workers[0].kill)
    await stream.ready(workers[1], partitions=8)
    await exact_in_the_end(stream, baseline, events)


async def test_a_worker_that_joins_under_load_costs_no_event_and_doubles_none(
    stream: Stream, baseline: Baseline
) -> None:
    first = stream.worker()
    await stream.ready(first, partitions=8)
    events = load(stream.fresh_hour(), seconds=10)
    await live(stream, events, at=2 * RATE, fault=stream.worker)
    for worker in stream.workers:
        await stream.ready(worker, partitions=4)
    await exact_in_the_end(stream, baseline, events)


async def test_a_worker_that_slept_past_its_session_and_gets_its_partitions_back_costs_no_event(
    kafka: Broker, namespace: str, tmp_path: Path, baseline: Baseline
) -> None:
    """Its state is old when it wakes up, and it counts on until it hears that another worker was there meanwhile.

    Lateness keeps windows open to which nothing is added any more: what the other one counted into them stays counted.
    """
    async with Stream(kafka.bootstrap, namespace, tmp_path, idle_seconds=120, lateness_seconds=60) as stream:
        sleeper, other = (stream.worker(worker_id=f"w{i}") for i in range(2))
        await asyncio.gather(*[stream.ready(worker, partitions=4) for worker in (sleeper, other)])
        events = load(stream.fresh_hour(), seconds=9)
        before, meanwhile, after = events[: 2 * RATE], events[2 * RATE : 6 * RATE], events[6 * RATE :]
        await live(stream, before, at=RATE, fault=lambda: None)
        sleeper.pause()
        await stream.ready(other, partitions=8)
        await live(stream, meanwhile, at=RATE, fault=lambda: None)
        sleeper.resume()
        await live(stream, after, at=RATE, fault=lambda: None)
        await stream.ready(sleeper, partitions=4)
        await exact_in_the_end(stream, baseline, events)


async def test_a_worker_told_to_stop_finishes_commits_and_exits_with_0(stream: Stream, baseline: Baseline) -> None:
    worker = stream.worker()
    await stream.ready(worker)
    events = load(stream.fresh_hour(), seconds=4)
    await live(stream, events[: 2 * RATE], at=RATE, fault=lambda: None)
    assert await asyncio.to_thread(worker.terminate, 30) == 0
    await stream.send(events[2 * RATE :])
    await stream.ready(stream.worker())
    await exact_in_the_end(stream, baseline, events)


async def test_a_broker_that_is_killed_and_comes_back_costs_no_event(
    own_kafka: Callable[[], Broker], tmp_path: Path
) -> None:
    broker, baseline = own_kafka(), a_baseline()
    async with Stream(broker.bootstrap, "outage.", tmp_path, idle_seconds=120) as stream:
        await stream.publish_baseline(baseline)
        worker = stream.worker()
        await stream.ready(worker, partitions=8)
        events = load(stream.fresh_hour(), seconds=6)

        def crash_and_return() -> None:
            broker.kill()
            broker.start()

        await live(stream, events, at=2 * RATE, fault=crash_and_return)
        await exact_in_the_end(stream, baseline, events)
        assert worker.alive()
        assert await asyncio.to_thread(worker.terminate, 30) == 0
