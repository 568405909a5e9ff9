"""One worker on a real broker: events in, exact reports out, and a dead letter for whatever cannot be counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.events import encode_event
from contracts.headers import DEAD_LETTERED, DRIFT_REPORTED
from contracts.topics import DEAD_LETTERS, DRIFT_REPORTS, PREDICTIONS
from stream_app.audit.checks import Audit
from tests.builders import a_baseline, an_event, an_event_id
from tests.servers.verbs import Broker
from tests.streams import Stream, expected_reports, random_events
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def stream(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stream]:
    """With one worker that counts. Each test has a model and an hour of event time of its own."""
    directory: Path = tmp_path_factory.mktemp("counting")
    async with Stream(kafka.bootstrap, f"{directory.name}.", directory) as stream:
        await stream.ready(stream.worker(), partitions=8)
        yield stream


async def test_each_window_gets_one_report_that_equals_counting_its_events_in_one_go(stream: Stream) -> None:
    baseline = a_baseline(model="exact")
    await stream.publish_baseline(baseline)
    events = random_events(6_000, stream.fresh_hour(), per_second=100, model="exact")
    await stream.send(events, partition=lambda i: i * 7 % 8)
    reports = await stream.reported(len(events), "exact")
    assert [report.rows for report in reports] == [1_000] * 6
    assert reports == expected_reports(events, baseline, reports)
    await stream.audit()


async def test_a_report_is_a_cloud_event_that_names_its_window(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="headers"))
    await stream.send(random_events(200, stream.fresh_hour(), per_second=50, model="headers"))
    (report,) = await stream.reported(200, "headers")
    (record,) = [record for record in await stream.records(DRIFT_REPORTS) if record.key == b"headers"]
    headers = dict(record.headers)
    assert headers["ce_type"] == DRIFT_REPORTED.encode()
    assert headers["ce_id"] == report.id.encode() == f"headers/1/{report.window_start.isoformat()}".encode()
    assert headers["content-type"] == b"application/json"


async def test_a_window_closes_after_all_traffic_has_stopped(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="quiet"))
    start = stream.fresh_hour()
    # one partition of eight, and nothing behind the window's end: only the passing of time can close it
    await stream.send(random_events(150, start, per_second=100, model="quiet"), partition=lambda i: 3)
    (report,) = await stream.reported(150, "quiet")
    assert (report.window_start, report.window_end) == (start, start + stream.window)


async def test_each_kind_of_poison_becomes_a_dead_letter_with_its_reason_and_origin(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="poison"))
    good = random_events(100, start := stream.fresh_hour(), per_second=100, model="poison")
    nan = encode_event(good[0]).replace(b'"score":', b'"score":NaN,"was":')
    poison = {
        "malformed": b"{not json",
        "non-finite": nan,
        "future": encode_event(an_event(model="poison", event_time=start + timedelta(days=400))),
        "ancient": encode_event(an_event(model="poison", event_time=start - timedelta(days=400))),
        "unknown-version": encode_event(an_event(model="nobody", event_time=start)),
    }
    values = [encode_event(event) for event in good[:50]] + list(poison.values())
    values += [encode_event(event) for event in good[50:]]
    await stream.send_raw(values, partition=lambda i: 5)
    letters = await stream.dead_letters(lambda letter: letter.value in poison.values(), number=5)
    assert {letter.reason: letter.value for letter in letters} == poison
    assert {letter.topic for letter in letters} == {stream.topic(PREDICTIONS)}
    origins = {record.offset: record.value for record in await stream.records(PREDICTIONS) if record.partition == 5}
    assert all(origins[letter.offset] == letter.value and letter.partition == 5 for letter in letters)
    (report,) = await stream.reported(100, "poison")
    assert report.rows == 100
    kinds = {dict(record.headers)["ce_type"] for record in await stream.records(DEAD_LETTERS)}
    assert kinds == {DEAD_LETTERED.encode()}
    await stream.audit()


async def test_events_before_their_baseline_are_dead_letters_and_those_behind_it_are_counted(stream: Stream) -> None:
    start = stream.fresh_hour()
    early = random_events(20, start, per_second=100, model="late-baseline", seed=1)
    await stream.send(early)
    await stream.dead_letters(lambda letter: b'"late-baseline"' in (letter.value or b""), number=20)
    await stream.publish_baseline(a_baseline(model="late-baseline"))
    events = random_events(120, start, per_second=100, model="late-baseline", seed=2)
    await stream.send(events)
    (report,) = await stream.reported(120, "late-baseline")
    assert report.status != "insufficient"
    await stream.audit()


async def test_what_an_api_sends_twice_after_a_restart_is_counted_once(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="twice"))
    start = stream.fresh_hour()
    events = [
        an_event(id=an_event_id(i, source="restarted"), model="twice", event_time=start + timedelta(milliseconds=i))
        for i in range(150)
    ]
    before = await stream.audit()
    await stream.send(events[:100], partition=lambda i: 0)
    await stream.send(events[50:], partition=lambda i: 0)
    (report,) = await stream.reported(150, "twice")
    assert report.rows == 150
    after = await stream.audit()
    assert repeats(after) - repeats(before) == 50


async def test_an_event_behind_a_closed_window_is_counted_as_late(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="tardy"))
    start = stream.fresh_hour()
    await stream.send(random_events(120, start, per_second=100, model="tardy"), partition=lambda i: 2)
    await stream.reported(120, "tardy")
    await stream.send([an_event(model="tardy", id="straggler", event_time=start)], partition=lambda i: 2)

    async def late() -> bool:
        versions = (await stream.audit()).accounts.versions
        return [version.late for version in versions if version.model == "tardy"] == [1]

    await eventually(late, 20, "one late event")
    assert sum(report.rows for report in await stream.reports("tardy")) == 120


async def test_the_audit_knows_a_prediction_that_is_not_on_the_topic(stream: Stream, tmp_path: Path) -> None:
    await stream.send(events := random_events(60, stream.fresh_hour(), per_second=100, model="answered"))
    ids = [event.id for event in events]
    answered = tmp_path / "answered.txt"
    answered.write_text("\n".join(ids))
    assert "answered: " in await stream.command("audit", "--answered", str(answered))
    answered.write_text("\n".join([*ids, "never-sent"]))
    found = await stream.command("audit", "--answered", str(answered), status=1)
    assert "1 of 61 answered" in found
    assert "does not balance" in found


def repeats(audit: Audit) -> int:
    return sum(partition.repeats for partition in audit.accounts.partitions)
