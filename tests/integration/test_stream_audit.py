"""The audit on real topics: where all is well the recount agrees; a doctored record is named with its place."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from contracts.events import encode_event
from contracts.partials import encode_partial
from contracts.reports import decode_report, encode_report
from contracts.topics import DRIFT_REPORTS, PREDICTIONS
from stream_app.audit.checks import Audit
from stream_app.audit.reading import audit
from stream_app.windowing.state import (
    MetaKey,
    PartitionMeta,
    VersionAccount,
    decode_meta,
    decode_part,
    encode_meta,
    meta_key,
)
from stream_app.windowing.state import parse_key as parse
from tests.builders import a_baseline, an_event
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        await stream.publish_baseline(a_baseline())
        yield stream


async def settled(stream: Stream, reported: int) -> Audit:
    """The audit, once so many rows are reported and nothing waits."""

    async def balanced() -> Audit | None:
        found = await audit(stream.settings)
        rows = sum(version.reported_rows for version in found.accounts.versions)
        return found if found.balanced and not found.unread and rows == reported else None

    found: Audit = await eventually(balanced, 40, f"a balanced audit of {reported} rows")
    return found


async def in_transactions(stream: Stream, values: list[bytes], each: int, partition: int) -> None:
    """As a foreign producer may send: each transaction leaves a marker, which is an offset without a record."""
    producer = AIOKafkaProducer(bootstrap_servers=stream.bootstrap, transactional_id=f"{stream.namespace}foreign")
    async with producer:
        for first in range(0, len(values), each):
            async with producer.transaction():
                for value in values[first : first + each]:
                    await producer.send(stream.topic(PREDICTIONS), value, key=b"k", partition=partition)


async def metas(stream: Stream) -> list[PartitionMeta]:
    records = await stream.records_of(stream.settings.counts_topic)
    newest = {record.key: record.value for record in records if isinstance(parse(record.key), MetaKey)}
    return [decode_meta(value) for value in newest.values() if value]


async def test_markers_of_a_foreign_transactional_producer_are_offsets_without_records_and_no_fault(
    stream: Stream,
) -> None:
    await stream.ready(stream.worker(), partitions=8)
    events = [encode_event(event) for event in random_events(200, stream.fresh_hour(), per_second=100)]
    await in_transactions(stream, events, each=50, partition=3)
    found = await settled(stream, 200)
    [account] = found.accounts.partitions
    assert (account.read, found.on_topic) == (200, 204)
    assert account.absent == 3  # the fourth marker is the log's end: nothing came behind it
    again = await audit(stream.settings, recount=True)
    assert (again.differences, again.notes, again.recounted) == ((), (), 200)
    everything = [json.loads(event)["id"] for event in events]
    assert (await audit(stream.settings, everything)).balanced


async def test_markers_are_passed_over_where_a_backlog_of_many_batches_lies_behind_each(stream: Stream) -> None:
    """Batches that were on their way behind a marker once had the partition read again, each of them, and for ever."""
    events = [encode_event(event) for event in random_events(16_000, stream.fresh_hour(), per_second=1_000)]
    assert sum(map(len, events)) > 4_000_000
    await in_transactions(stream, events, each=50, partition=3)  # the broker keeps so many together: fetches end there
    await stream.ready(stream.worker(batch_records=1_000), partitions=8)
    found = await settled(stream, len(events))
    [account] = found.accounts.partitions
    assert (account.read, found.on_topic, account.absent) == (16_000, 16_320, 319)
    assert (await audit(stream.settings, recount=True)).differences == ()
    assert "are not in the log" in stream.workers[0].log.read_text()  # a marker lay between two batches


async def test_the_recount_agrees_with_the_workers_on_late_repeated_refused_and_open_events(stream: Stream) -> None:
    await stream.ready(stream.worker(), partitions=8)
    start = stream.fresh_hour()
    await stream.send(random_events(1_000, start, per_second=50))  # two windows of ten seconds
    await settled(stream, 1_000)
    again = random_events(1_000, start, per_second=50)[:80]  # sent twice: the partition recognises them
    late = [an_event(id=f"late-{i}", event_time=start) for i in range(5)]
    fresh = [an_event(id=f"open-{i}", event_time=start + stream.window * 5) for i in range(8)]
    await stream.send([*again, *late, *fresh])
    await stream.send_raw([b"{", b"[]"])

    async def all_read() -> Audit | None:
        found = await audit(stream.settings, recount=True)
        return found if found.recounted == 1_095 else None

    found: Audit = await eventually(all_read, 30, "everything read")
    assert found.differences == ()
    assert sum(partition.repeats for partition in found.accounts.partitions) == 80
    assert sum(partition.late for partition in found.accounts.partitions) == 5
    text = await stream.command("audit", "--recount")
    print(text)
    assert text.splitlines()[-1] == "balanced"


async def test_a_doctored_account_and_a_doctored_report_are_named_with_their_places(stream: Stream) -> None:
    worker = stream.worker()
    await stream.ready(worker, partitions=8)
    await stream.send(random_events(1_000, stream.fresh_hour(), per_second=50))
    await settled(stream, 1_000)
    worker.terminate()
    [meta] = [meta for meta in await metas(stream) if meta.partition == 3]
    account = meta.accounts["flights", "1"]
    wrong = replace(meta, read=meta.read + 1, accounts={("flights", "1"): VersionAccount(account.counted + 1)})
    await stream.producer.send_and_wait(stream.settings.counts_topic, encode_meta(wrong), key=meta_key(3), partition=3)
    record = (await stream.records(DRIFT_REPORTS))[0]
    report = decode_report(record.value)
    doctored = replace(report, rows=report.rows - 7)
    await stream.producer.send_and_wait(
        stream.topic(DRIFT_REPORTS), encode_report(doctored), key=record.key, headers=list(record.headers)
    )
    text = await stream.command("audit", "--recount", status=1)
    print(text)
    told: list[dict[str, Any]] = json.loads(await stream.command("audit", "--recount", "--json", status=1))[
        "differences"
    ]
    assert {(d["kind"], d.get("partition"), d.get("window_start")) for d in told} >= {
        ("offsets", 3, None),
        ("records", 3, None),
        ("rows", None, None),
        ("reports", None, report.window_start.isoformat().replace("+00:00", "Z")),
        ("window", None, report.window_start.isoformat().replace("+00:00", "Z")),
    }
    assert f"DIFFERENCE flights/1: 1 rows are missing: {1_001} counted, 1000 in reports" in text
    assert f"source partition 3, flights/1: {account.counted + 1} counted, 0 late" in text
    assert "does not balance" in text.splitlines()[-1]


async def test_reports_of_a_former_app_id_are_left_out(stream: Stream, kafka: Broker, tmp_path: Path) -> None:
    worker = stream.worker()
    await stream.ready(worker, partitions=8)
    await stream.send(random_events(500, stream.fresh_hour(), per_second=50))
    await settled(stream, 500)
    worker.terminate()
    async with Stream(kafka.bootstrap, stream.namespace, tmp_path / "other", app_id="other") as other:
        found = await audit(other.settings)
        assert (found.balanced, found.unread) == (True, 500)
        assert found.notes == ("1 reports on the topic are of another STREAM_APP_ID and are left out",)
        await other.ready(other.worker(), partitions=8)
        await settled(other, 500)


async def test_a_log_that_ends_between_a_batchs_window_and_its_position_is_no_fault(stream: Stream) -> None:
    worker = stream.worker()
    await stream.ready(worker, partitions=8)
    await stream.send(random_events(80, stream.fresh_hour(), per_second=100))  # all in one window, which stays open
    await settled(stream, 0)
    worker.terminate()
    counts = stream.settings.counts_topic
    stored = {r.key: r.value for r in await stream.records_of(counts) if r.value and parse(r.key).partition == 3}
    [key] = [key for key in stored if not isinstance(parse(key), MetaKey)]
    window, meta = decode_part(stored[key]), decode_meta(stored[meta_key(3)])

    async def busy() -> None:
        """Each window lies alone for a while; its position comes together with the next one."""
        for more in itertools.count(1):
            offset, rows = meta.last_offset + more, window.rows + more
            await stream.producer.send_and_wait(stream.topic(PREDICTIONS), b"{}", partition=3)
            ahead = encode_partial(replace(window, offset=offset, rows=rows))
            await stream.producer.send_and_wait(counts, ahead, key=key, partition=3)
            await asyncio.sleep(0.3)
            accounts = {("flights", "1"): VersionAccount(meta.accounts["flights", "1"].counted + more)}
            position = replace(meta, last_offset=offset, read=meta.read + more, accounts=accounts)
            await stream.producer.send(counts, encode_meta(position), key=meta_key(3), partition=3)

    writing = asyncio.create_task(busy())
    await asyncio.sleep(0.1)
    try:
        found = await audit(stream.settings)
    finally:
        writing.cancel()
    assert (found.differences, found.notes) == ((), ())
