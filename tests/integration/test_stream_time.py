"""Time on a real broker: partitions without events, silent ones with and without lag, clocks that jump, weeks.

That the last window closes when all traffic has stopped is in test_stream_counting.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.events import PredictionEvent
from contracts.partials import Heartbeat, decode_partial
from contracts.reports import DriftReport
from contracts.topics import WINDOW_PARTIALS, partition_of
from demo.stack.processes import ServiceProcess
from tests.builders import a_baseline, an_event
from tests.servers.verbs import Broker
from tests.streams import READY, Stream, expected_reports, random_events
from tests.waiting import eventually

MERGING = re.compile(r"ready: .*, merging \[(.*?)\]")
NEVER = 7
"""No test of `stream` sends an event to this partition."""


@pytest.fixture(scope="module")
async def stream(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stream]:
    """One worker; nothing may be late. Each test has a model and an hour of event time of its own."""
    directory: Path = tmp_path_factory.mktemp("time")
    async with Stream(kafka.bootstrap, f"{directory.name}.", directory, lateness_seconds=0) as stream:
        await stream.ready(stream.worker(), partitions=8)
        yield stream


async def flowing(
    stream: Stream, model: str, start: datetime, partitions: Sequence[int], until: asyncio.Task[Any]
) -> int:
    """Events in these partitions, of ten times the speed of the wall, until the task is done; how many were sent."""
    sent = 0
    while not until.done():
        times = [start + timedelta(seconds=sent / len(partitions) / 10)] * len(partitions)
        events = [an_event(id=f"{model} {sent + i}", model=model, event_time=time) for i, time in enumerate(times)]
        sent += await stream.send(events, partition=lambda i: partitions[i])
        await asyncio.sleep(0.01)
    return sent


async def first_window(stream: Stream, model: str) -> DriftReport:
    async def closed() -> list[DriftReport]:
        return await stream.reports(model)

    reports: list[DriftReport] = await eventually(closed, 20, f"a report of {model}")
    return reports[0]


@pytest.mark.parametrize(
    ("model", "partitions", "silent"),
    [("never", [0, 1], [NEVER]), ("silent", [0, 1], [2, 3])],
    ids=["one that never had an event", "one that fell silent without lag"],
)
async def test_a_partition_holds_nobody_back(
    stream: Stream, model: str, partitions: list[int], silent: list[int]
) -> None:
    await stream.publish_baseline(a_baseline(model=model))
    start = stream.fresh_hour()
    early = 0
    if NEVER not in silent:
        early = await stream.send(
            [an_event(id=f"early {i}", model=model, event_time=start) for i in range(60)],
            partition=lambda i: silent[i % len(silent)],
        )
    # the others never pause: it is their events, and not the passing of time, that end the window
    waiting = asyncio.create_task(first_window(stream, model))
    sent = await flowing(stream, model, start, partitions, until=waiting)
    report = await waiting
    assert (report.window_start, report.rows) == (start, early + 10 * 10 * len(partitions))
    await stream.reported(early + sent, model)
    partials = {account.partition for account in (await stream.audit()).accounts.partitions}
    assert NEVER not in partials


async def test_with_lateness_0_the_next_windows_first_event_ends_the_one_before(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="punctual"))
    start = stream.fresh_hour()
    milliseconds = [0, 9_999, 5_000, 10_000, 9_999, 0, 10_000]  # the last two of the first window come too late
    events = [
        an_event(id=f"punctual {i}", model="punctual", event_time=start + timedelta(milliseconds=at))
        for i, at in enumerate(milliseconds)
    ]
    await stream.send(events, partition=lambda i: 4)
    reports = await stream.reported(5, "punctual")
    assert [(report.window_start, report.rows) for report in reports] == [(start, 3), (start + stream.window, 2)]
    assert late(await stream.audit(), "punctual") == 2


async def test_a_clock_that_jumps_ahead_costs_the_others_of_its_partition_and_nobody_else(stream: Stream) -> None:
    #   partition 5   o o o   J(+30 min)  o o o      the last three are late: their windows are over
    #   partition 6   o o o               o o o      untouched
    await stream.publish_baseline(a_baseline(model="jumpy"))
    start = stream.fresh_hour()

    ahead, even = [0, 1, 2, 1_800, 3, 4, 5], [0, 1, 2, 3, 4, 5]
    events = [
        an_event(id=f"jumpy {i}", model="jumpy", event_time=start + timedelta(seconds=at))
        for i, at in enumerate([*even, *ahead])
    ]
    # one sending: a partition that is silent for `idle_seconds` while the other jumps holds it back no longer
    await stream.send(events, partition=lambda i: 6 if i < len(even) else 5)
    reports = await stream.reported(4 + 6, "jumpy")
    assert {report.window_start - start: report.rows for report in reports} == {
        timedelta(0): 9,
        timedelta(minutes=30): 1,
    }
    assert late(await stream.audit(), "jumpy") == 3


async def test_a_clock_that_is_years_ahead_or_behind_moves_no_time(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="lost"))
    start = stream.fresh_hour()
    times = [start, start + timedelta(days=3_650), start - timedelta(days=3_650), start + timedelta(seconds=1)]
    events = [an_event(id=f"lost {i}", model="lost", event_time=time) for i, time in enumerate(times)]
    await stream.send(events, partition=lambda i: 0)
    letters = await stream.dead_letters(lambda letter: b'"lost ' in (letter.value or b""), number=2)
    assert sorted(letter.reason for letter in letters) == ["ancient", "future"]
    (report,) = await stream.reported(2, "lost")
    assert report.window_start == start
    assert late(await stream.audit(), "lost") == 0


async def test_windows_of_a_week_begin_on_thursdays_in_utc_whatever_the_zone_of_the_events(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    week = 7 * 86_400
    settings = {"window_seconds": week, "lateness_seconds": 86_400, "max_age_seconds": 400 * 86_400}
    async with Stream(kafka.bootstrap, namespace, tmp_path, **settings) as stream:
        baseline = a_baseline()
        await stream.publish_baseline(baseline)
        await stream.ready(stream.worker(), partitions=8)
        newest = datetime.now(UTC).timestamp() // week * week - 30 * week  # half a year ago: clocks have changed since
        start = datetime.fromtimestamp(newest, UTC)
        events = random_events(1_500, start, per_second=500 / week)  # three weeks
        zones = [ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), UTC]
        zoned = [
            an_event(
                id=event.id,
                event_time=event.event_time.astimezone(zones[i % 3]),
                score=event.score,
                decision=event.decision,
                features=event.features,
            )
            for i, event in enumerate(events)
        ]
        await stream.send(zoned)
        reports = await stream.reported(1_500)
        assert [report.window_start for report in reports] == [start + i * stream.window for i in range(3)]
        assert {report.window_start.weekday() for report in reports} == {3}
        assert [report.rows for report in reports] == [500] * 3
        assert reports == expected_reports(events, baseline, reports)
        await stream.audit()


class Pair:
    """Two workers, one of which will be frozen, and a model whose windows are merged by the other."""

    def __init__(self, frozen: ServiceProcess, its: int, others: Sequence[int], model: str) -> None:
        self.frozen, self.its, self.others, self.model = frozen, its, others, model


async def pair(stream: Stream) -> Pair:
    workers = [stream.worker(worker_id=f"w{i}") for i in range(2)]
    await asyncio.gather(*[stream.ready(worker, partitions=4) for worker in workers])
    frozen, other = workers
    its, others = (numbers(READY, worker) for worker in workers)
    merging = numbers(MERGING, other)
    model = next(f"m{i}" for i in range(100) if partition_of(f"m{i}".encode(), WINDOW_PARTIALS.partitions) in merging)
    await stream.publish_baseline(a_baseline(model=model))
    return Pair(frozen, its[0], others, model)


def numbers(pattern: re.Pattern[str], worker: ServiceProcess) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", pattern.findall("\n".join(worker.tail(200)))[-1])]


@pytest.fixture
async def patient(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    """A frozen worker keeps its partitions for long, and a pause of this machine is no silence."""
    async with Stream(kafka.bootstrap, namespace, tmp_path, session_timeout_seconds=40, idle_seconds=4) as stream:
        yield stream


@pytest.mark.parametrize("idle_before", [False, True], ids=["that had events until then", "that was idle until then"])
async def test_a_partition_that_falls_silent_with_lag_is_waited_for(patient: Stream, idle_before: bool) -> None:
    #   its partition   o o    frozen, events wait on the log ...   goes on: they are counted
    #   all others      o o    o o o o o  far beyond the window     their windows wait
    stream = patient
    two = await pair(stream)
    start = stream.fresh_hour()

    def at(second: float, name: str, count: int) -> list[PredictionEvent[Any]]:
        time = start + timedelta(seconds=second)
        return [an_event(id=f"{name} {i}", model=two.model, event_time=time) for i in range(count)]

    if not idle_before:
        await stream.send(at(0, "before", 20), partition=lambda i: two.its)

        async def counted() -> bool:
            return any(version.counted == 20 for version in (await stream.audit()).accounts.versions)

        await eventually(counted, 20, "the first events are counted")
    else:
        await all_idle(stream)
    two.frozen.pause()
    try:
        await stream.send(at(1, "waiting", 30), partition=lambda i: two.its)
        beyond = 0
        for second in range(12):  # event time goes on elsewhere, by far more than a window and STREAM_IDLE_SECONDS
            beyond += await stream.send(at(20 + 10 * second, f"beyond {second}", 2), partition=lambda i: two.others[0])
            await asyncio.sleep(0.5)
            assert await stream.reports(two.model) == []
    finally:
        two.frozen.resume()
    rows = 30 + 20 * (not idle_before)
    reports = await stream.reported(rows + beyond, two.model, within=40)
    assert (reports[0].window_start, reports[0].rows) == (start, rows)
    audit = await stream.audit()
    assert sum(version.late + version.late_rows for version in audit.accounts.versions) == 0


async def all_idle(stream: Stream) -> None:
    """Until stage 2 was told that every partition is idle, by their present owners."""

    async def told() -> bool:
        messages = [decode_partial(record.value) for record in await stream.records(WINDOW_PARTIALS)]
        last = {beat.partition: beat for beat in messages if isinstance(beat, Heartbeat)}
        return len({beat.generation for beat in last.values()}) == 1 and all(beat.idle for beat in last.values())

    await eventually(told, 30, "all partitions are idle")


def late(audit: Any, model: str) -> int:
    return sum(version.late for version in audit.accounts.versions if version.model == model)
