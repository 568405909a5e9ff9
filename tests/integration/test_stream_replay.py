"""A replay of the topic finds what the workers found, byte for byte, and touches nothing.

One live run is replayed in many ways. Its traffic, by event time in windows of ten seconds:

    partitions 0-6   everything ................................ pause ... more
    partition 7      everything .......... silent ................ S ...        S: a straggler, late for stage 2
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.baseline import Baseline
from contracts.events import PredictionEvent, encode_event
from contracts.topics import DRIFT_ALERTS, DRIFT_REPORTS, PREDICTIONS
from stream_app.audit.checks import Audit
from tests.builders import a_baseline, a_schema, an_event, an_event_id
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually

IDLE, EARLY = 4.0, 30
CHUNK, PER_CHUNK = timedelta(seconds=5), {"flights": 400, "payments": 20}
ELSEWHERE = a_schema(("amount",), ("country",))


class Line(msgspec.Struct):
    type: str
    report: msgspec.Raw = msgspec.Raw()
    alert: msgspec.Raw = msgspec.Raw()


class Live(NamedTuple):
    """What a live run has left. start: event time of its first window; middle: wall clock, between two chunks."""

    stream: Stream
    start: datetime
    middle: datetime
    audit: Audit
    reports: list[bytes]
    alerts: list[bytes]


class Traffic:
    """Chunks of five seconds of event time: two versions of one model and another model, out of order, with repeats."""

    def __init__(self, stream: Stream, start: datetime) -> None:
        self._stream, self._start = stream, start
        self._chunks = itertools.count()
        self._sequence = itertools.count()
        self._before: list[PredictionEvent[Any]] = []

    async def send(self, partitions: Sequence[int] = range(8), *, shift: float = 0.0) -> datetime:
        """The next chunk, evenly over the partitions; acknowledged. Returns the event time at which it begins."""
        number = next(self._chunks)
        begin = self._start + number * CHUNK
        first = random_events(PER_CHUNK["flights"], begin, 80, seed=number)
        first = [with_distance(event, shift) for event in first]
        second = [
            an_event(
                id=an_event_id(next(self._sequence), source="second"),
                model_version="2",
                event_time=begin + i * timedelta(milliseconds=80),
                features={"distance": 100.0 + i % 7, "carrier": "a", "origin": "b" if i % 2 else None},
            )
            for i in range(60)
        ]
        other = [
            an_event(id=f"payment {number} {i}", model="payments", event_time=begin + i * timedelta(milliseconds=250),
                     features={"amount": 100.0 + i, "country": "a"}, decision=None)
            for i in range(PER_CHUNK["payments"])
        ]  # fmt: skip
        events = [*out_of_order(first), *second, *other]
        await self._stream.send(events, partition=lambda i: partitions[i % len(partitions)])
        # What an API sends again after a restart goes to the same partitions.
        again = [(event, i) for i, event in enumerate(events[:80]) if i % 8 in partitions and len(partitions) == 8]
        await self._stream.send([event for event, _ in again], partition=lambda i: again[i][1] % 8)
        return begin


def out_of_order(events: Sequence[PredictionEvent[Any]]) -> Iterator[PredictionEvent[Any]]:
    """Each run of 80 events (a second) backwards: within the allowed lateness. Ids keep their order by partition."""
    for at in range(0, len(events), 80):
        run = list(events[at : at + 80])
        for event, late in zip(run, reversed(run), strict=True):
            yield msgspec.structs.replace(event, event_time=late.event_time)


def with_distance(event: PredictionEvent[Any], shift: float) -> PredictionEvent[Any]:
    distance = event.features["distance"]
    changed = {**event.features, "distance": None if distance is None else distance + shift}
    return msgspec.structs.replace(event, features=changed)


async def passed(seconds: float, since: float) -> None:
    await eventually(lambda: time.monotonic() - since > seconds, seconds + 5, "the clock")


@pytest.fixture(scope="module")
async def live(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    directory: Path = tmp_path_factory.mktemp("replayed")
    async with Stream(kafka.bootstrap, f"{directory.name}.", directory, idle_seconds=IDLE) as stream:
        for baseline in (a_baseline(), a_baseline(version="2", schema=a_schema(("distance",), ("carrier", "origin"))),
                         a_baseline(model="payments", schema=ELSEWHERE, threshold=None)):  # fmt: skip
            await stream.publish_baseline(baseline)
        worker = stream.worker()
        await stream.ready(worker, partitions=8)
        start = stream.fresh_hour()
        early = random_events(EARLY, start, 80, model="newcomer", seed=100)
        await stream.send(early)  # before its baseline: dead letters
        await stream.dead_letters(lambda letter: b'"newcomer"' in (letter.value or b""), EARLY)
        await stream.publish_baseline(a_baseline(model="newcomer"))
        traffic = Traffic(stream, start)
        for number in range(7):
            began = time.monotonic()
            await traffic.send(shift=30 if number > 3 else 0)
            if number == 1:
                await stream.send(random_events(120, start + CHUNK, 40, model="newcomer", seed=101))
            await passed(0.4, began)
        # Garbage, and what nobody knows; and an event whose window is over in its own partition.
        await stream.send_raw([b"{", encode_event(an_event(model="nobody", event_time=start))], lambda i: i)
        await stream.send([an_event(id="tardy", event_time=start)], lambda i: 2)
        middle, silent = datetime.now(UTC), time.monotonic()
        await traffic.send(range(7), shift=30)
        straggles = await traffic.send(range(7), shift=30)
        for _ in range(13):
            began = time.monotonic()
            await traffic.send(range(7))
            await passed(0.45, began)
        await passed(IDLE + 2, silent)
        over = straggles.isoformat()
        await eventually(lambda: reported(stream, over), 30, f"the window of {over} is reported without partition 7")
        await stream.send([an_event(id="straggler", event_time=straggles + timedelta(seconds=2))], lambda i: 7)
        # A pause of everything, and the end of all: each ends the windows that are open.
        await eventually(lambda: all_closed(stream), 40, "every window is closed in the pause")
        await traffic.send()
        audit: Audit = await eventually(lambda: all_closed(stream), 40, "every window is closed")
        worker.terminate()
        await asyncio.to_thread(worker.wait, 30)
        yield Live(
            stream,
            start,
            middle,
            audit,
            sorted({record.value for record in await stream.records(DRIFT_REPORTS)}),
            sorted({record.value for record in await stream.records(DRIFT_ALERTS)}),
        )


async def reported(stream: Stream, window: str) -> bool:
    return any(report.window_start.isoformat() == window for report in await stream.reports())


async def all_closed(stream: Stream) -> Audit | None:
    found = await stream.audit()
    return found if not found.unread and not any(version.open_rows for version in found.accounts.versions) else None


def lines_of(output: str) -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in output.splitlines()]


def summary_of(output: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(output.splitlines()[-1])
    assert summary["type"] == "summary"
    assert summary["balanced"]
    return summary


def reports_of(output: str) -> list[bytes]:
    return sorted(bytes(line.report) for line in lines_of(output) if line.type == "report")


async def state_of(bootstrap: str) -> tuple[dict[str, int], dict[str, Any]]:
    """The ends of every topic's partitions, and the offsets of every consumer group.

    Without the broker's own topics (``__consumer_offsets``): it writes to them when it forgets groups of other tests.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        groups = sorted(group for group, *_ in await admin.list_consumer_groups())
        offsets = {group: await admin.list_consumer_group_offsets(group) for group in groups}
        topics = {
            topic["topic"]: len(topic["partitions"])
            for topic in await admin.describe_topics()
            if not topic["is_internal"]
        }
    finally:
        await admin.close()
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        # Side by side: in one call the client would learn of one topic after the other, with a pause between.
        ends = await asyncio.gather(
            *[consumer.end_offsets([TopicPartition(topic, n) for n in range(count)]) for topic, count in topics.items()]
        )
    return {f"{tp.topic}/{tp.partition}": end for each in ends for tp, end in each.items()}, offsets


async def assert_untouched(bootstrap: str, before: tuple[dict[str, int], dict[str, Any]]) -> None:
    """Every topic and every group is as it was; ended groups of other tests without offsets may be forgotten."""
    ends, groups = before
    ends_after, groups_after = await state_of(bootstrap)
    assert ends_after == ends
    assert set(groups_after) <= set(groups)
    assert {group: held for group, held in groups_after.items() if held} == {
        group: held for group, held in groups.items() if held
    }


async def test_with_the_live_settings_a_replay_gives_the_live_reports_and_alerts_byte_for_byte(live: Live) -> None:
    output = await live.stream.command("replay", "--strict")
    assert reports_of(output) == live.reports
    assert sorted(bytes(line.alert) for line in lines_of(output) if line.type == "alert") == live.alerts
    # ... of a run in which all of it happened
    said = [json.loads(report) for report in live.reports]
    assert {(report["model"], report["version"]) for report in said} == {
        ("flights", "1"),
        ("flights", "2"),
        ("payments", "1"),
        ("newcomer", "1"),
    }
    assert {report["status"] for report in said} == {"quiet", "alarm", "insufficient"}
    assert any(report["merged_windows"] for report in said)
    assert live.alerts


async def test_its_accounts_are_those_of_the_audit(live: Live) -> None:
    summary, accounts = summary_of(await live.stream.command("replay", "--strict")), live.audit.accounts
    assert summary["read"] == live.audit.on_topic == sum(part.read for part in accounts.partitions)
    for column in ("counted", "late", "repeats"):
        assert summary[column] == sum(getattr(part, column) for part in accounts.partitions) > 0
    assert summary["refused"] == {"malformed": 1, "unknown-version": 1 + EARLY}
    assert summary["late_at_merge"] == sum(version.late_rows for version in accounts.versions) == 1
    assert summary["windows"] == len(live.reports)
    assert (summary["open_rows"], summary["cut_rows"]) == (0, 0)


async def test_when_not_strict_events_before_their_baseline_are_counted_too(live: Live) -> None:
    strict = summary_of(await live.stream.command("replay", "--strict", "--idle", "1h"))
    plain = summary_of(await live.stream.command("replay", "--idle", "1h"))  # else they let time pass for the others
    assert plain["refused"] == {"malformed": 1, "unknown-version": 1}
    assert plain["counted"] == strict["counted"] + EARLY


async def test_a_replay_leaves_every_topic_and_every_group_as_it_was(live: Live) -> None:
    before = await state_of(live.stream.bootstrap)
    await live.stream.command("replay", "--compare", "preset=classic")
    await assert_untouched(live.stream.bootstrap, before)


async def test_from_the_middle_on_windows_that_may_lack_rows_are_left_out_and_the_others_are_as_they_were(
    live: Live,
) -> None:
    output = await live.stream.command("replay", "--from", live.middle.isoformat())
    summary, reports = summary_of(output), set(reports_of(output))
    whole = {report for report in reports if json.loads(report)["version"] == "2"}
    assert 2 <= len(whole) < sum(json.loads(report)["version"] == "2" for report in live.reports)
    assert whole <= set(live.reports)  # of a version without thin windows, which begin anew with a replay
    assert summary["cut_rows"] > 0
    cut = [json.loads(line) for line in output.splitlines() if '"type":"cut"' in line]
    assert sum(window["rows"] for window in cut) == summary["cut_rows"]
    earliest = min(json.loads(report)["window_start"] for report in reports)
    assert earliest > max(window["window_start"] for window in cut)


async def test_cut_windows_are_reported_and_marked_when_asked_for(live: Live) -> None:
    output = await live.stream.command("replay", "--from", live.middle.isoformat(), "--keep-cut")
    marked = [json.loads(line) for line in output.splitlines() if '"cut":true' in line]
    assert marked
    assert summary_of(output)["cut_rows"] == 0
    rows = {json.loads(report)["id"]: json.loads(report)["rows"] for report in live.reports}
    assert any(line["report"]["rows"] < rows[line["report"]["id"]] for line in marked)


async def test_up_to_the_middle_the_windows_that_were_over_by_then_are_reported(live: Live) -> None:
    output = await live.stream.command("replay", "--strict", "--to", live.middle.isoformat())
    assert set(reports_of(output)) <= set(live.reports)
    summary = summary_of(output)
    assert 0 < summary["windows"] < len(live.reports)
    assert summary["open_rows"] > 0


async def test_a_range_of_offsets_counts_those_records_and_no_others(live: Live) -> None:
    held = [record for record in await live.stream.records(PREDICTIONS) if record.partition in (0, 7)]
    wanted = [record for record in held if record.partition == 7 or 100 <= record.offset <= 199]
    summary = summary_of(await live.stream.command("replay", "--offsets", "0:100-199,7:0-"))
    assert summary["read"] == len(wanted)
    assert summary["counted"] == summary["reported_rows"] + summary["open_rows"] + summary["cut_rows"]


async def test_other_windows_and_another_baseline_are_counted_anew(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(a_baseline(seed=5).to_bytes())
    output = await live.stream.command("replay", "--window", "30s", "--baseline", str(file))
    reports = [json.loads(report) for report in reports_of(output)]
    flights = [report for report in reports if (report["model"], report["version"]) == ("flights", "1")]
    assert {report["baseline"] for report in flights} == {Baseline.from_bytes(file.read_bytes()).digest}
    live_rows = [json.loads(report) for report in live.reports]
    assert len(reports) < len(live_rows)
    assert summary_of(output)["counted"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--offsets", "8:0-"], "--offsets: there is no partition 8; there are 0 to 7"),
        (["--offsets", "0:0-99999999"], "--offsets: partition 0 ends at offset"),
        (["--from", "2100-01-01T00:00:00Z"], "nothing to replay: topic"),
        (["--baseline", "flights/1=OTHER"], "does not fit: its features are amount, country"),
    ],
)
async def test_what_cannot_be_replayed_is_one_line_and_status_2(
    live: Live, tmp_path: Path, words: list[str], said: str
) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(a_baseline(schema=ELSEWHERE).to_bytes())
    output = await live.stream.command("replay", *[word.replace("OTHER", str(file)) for word in words], status=2)
    (line,) = output.splitlines()
    assert said in line


async def test_a_topic_that_is_not_there_is_named_and_not_created(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    before = await state_of(kafka.bootstrap)
    stream = Stream(kafka.bootstrap, namespace, tmp_path)
    output = await stream.command("replay", status=2)
    assert f"there is no topic {namespace}baselines" in output
    assert len(output.splitlines()) == 1
    await assert_untouched(kafka.bootstrap, before)
