"""Labels on real Kafka: every window's performance has each label once, whatever is killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from contracts.baseline import Baseline
from contracts.headers import DRIFT_REPORTED, cloud_event
from contracts.labels import Label, encode_label
from contracts.performance import PerformanceReport
from contracts.reports import DriftReport, encode_report, report_id
from contracts.topics import DRIFT_REPORTS, LABELS
from stream_app.audit.label_checks import LabelsAudit
from stream_app.audit.label_reading import audit_labels
from stream_app.performance.rule import RULE
from tests.builders import a_baseline
from tests.labels import behind_all, expected, highest, random_labels, send
from tests.servers.verbs import Broker
from tests.streams import Stream
from tests.waiting import eventually

DELAY = 600.0
RATE = 1_000
RULE_HERE = msgspec.structs.replace(RULE, labels=100)


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    settings = {"label_delay_seconds": DELAY, "performance_seconds": 0.5, "performance_min_labels": 100}
    # Time passes with the labels alone: a pause of this machine must not make a window final.
    async with Stream(kafka.bootstrap, namespace, tmp_path, idle_seconds=120, **settings) as stream:
        yield stream


@pytest.fixture
async def baseline(stream: Stream) -> Baseline:
    baseline = a_baseline()
    await stream.publish_baseline(baseline)
    return baseline


async def tell_rows(stream: Stream, start: datetime, rows: int) -> None:
    """A drift report of this installation, of a window with so many predictions."""
    told = DriftReport(
        id=report_id("flights", "1", start),
        model="flights",
        version="1",
        baseline="",
        window_start=start,
        window_end=start + stream.window,
        rows=rows,
        compared_rows=rows,
        merged_windows=0,
        status="quiet",
        preset="calibrated",
        alarms=(),
        features=(),
    )
    headers = cloud_event(DRIFT_REPORTED, told.id, stream.settings.source)
    await stream.producer.send_and_wait(stream.topic(DRIFT_REPORTS), encode_report(told), headers=headers)


async def all_final(stream: Stream, labels: list[Label], within: float) -> dict[datetime, PerformanceReport]:
    """The last reports of the windows of these labels, once all are final."""
    last = max(label.event_time for label in labels)

    async def done() -> dict[datetime, PerformanceReport]:
        found = {start: one for start, one in (await highest(stream)).items() if start <= last}
        mine = {label.prediction_id for label in labels}
        complete = sum(one.labelled for one in found.values()) >= len(mine)
        return found if complete and all(one.final for one in found.values()) else {}

    found: dict[datetime, PerformanceReport] = await eventually(done, within, "every window final")
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_processes_killed_under_load_cost_no_label_and_double_none(
    stream: Stream, baseline: Baseline, seed: int
) -> None:
    workers = [stream.worker("performance", worker_id=f"p{i}") for i in range(3)]
    for worker in workers:
        await stream.ready(worker)
    rng = random.Random(seed)
    labels = random_labels(12 * RATE, stream.fresh_hour(), per_second=RATE / 10, seed=seed)
    step = RATE // 20
    kills = {rng.randrange(len(labels) // step): rng.choice(workers) for _ in range(5)}
    for number, first in enumerate(range(0, len(labels), step)):
        if (victim := kills.get(number)) is not None:
            await asyncio.to_thread(victim.kill)
            await asyncio.to_thread(victim.start)
        await asyncio.gather(send(stream, labels[first : first + step]), asyncio.sleep(0.05))
    end = behind_all(labels, DELAY + 60)
    await send(stream, end)
    found = await all_final(stream, labels, within=90)
    assert found == expected(labels, baseline, found, RULE_HERE)
    assert len(found) >= 12
    result = await audit_labels(stream.settings)
    assert result is not None
    assert result.balanced, result.differences
    assert (result.on_topic, result.unread) == (len(labels) + len(end), 0)
    assert sum(account.late + sum(account.refused.values()) for account in result.partitions) == 0
    assert sum(version.late for version in result.versions) == 0


async def test_a_window_is_revised_while_labels_come_and_knows_its_predictions(
    stream: Stream, baseline: Baseline
) -> None:
    worker = stream.worker("performance")
    await stream.ready(worker)
    start = stream.fresh_hour()
    labels = random_labels(600, start, per_second=100)
    await send(stream, labels[:300])

    async def reported() -> bool:
        found = await highest(stream)
        return sum(one.labelled for one in found.values()) == len({label.prediction_id for label in labels[:300]})

    await eventually(reported, 30, "the first labels")
    await tell_rows(stream, start, rows=1004)
    await send(stream, labels[300:])

    async def covered() -> PerformanceReport | None:
        one = (await highest(stream)).get(start)
        return one if one is not None and one.labelled == len({x.prediction_id for x in labels}) else None

    one = await eventually(covered, 30, "all labels")
    assert one.predictions == 1004
    assert one.coverage == pytest.approx(one.labelled / 1004)
    assert not one.final
    assert one.revision % 4 == 1
    assert start + timedelta(seconds=10) == one.window_end
    status = json.loads(await stream.command("status", "--json"))["labels"]
    assert (status["workers"], status["counts"], status["holding"]) == (1, "labels", "nothing waits on labels")
    assert [version["pending"] for version in status["versions"]] == [1]
    audit = json.loads(await stream.command("audit", "--json"))
    assert audit["balanced"]
    assert (audit["labels"]["balanced"], audit["labels"]["on_topic"]) == (True, len(labels))
    assert "labels balance" in await stream.command("audit")
    shown = [json.loads(line) for line in (await stream.command("reports", "--json", "--last", "1")).splitlines()]
    assert [(report["subject"], report.get("revision")) for report in shown] == [
        ("drift", None),
        ("performance", one.revision),
    ]
    assert shown[1]["summary"] == one.summary
    told = await stream.command("reports", "--model", "loans", status=2)
    assert told == "stream_app: no report of loans; there are reports of flights/1\n"


async def test_what_cannot_be_counted_is_told_apart_and_kept_and_the_rest_counts(
    stream: Stream, baseline: Baseline
) -> None:
    await stream.ready(stream.worker("performance"))
    start = stream.fresh_hour()
    good = random_labels(200, start, per_second=100)
    first = good[0]
    bad = {
        "malformed": [b"{", msgspec.structs.replace(first, truth=0.5)],
        "non-finite": [encode_label(first).replace(b'"truth":', b'"truth":1e999,"was":')],
        "unknown-version": [msgspec.structs.replace(first, model_version="7")],
        "future": [
            msgspec.structs.replace(first, labelled_at=first.labelled_at + timedelta(days=4)),
            msgspec.structs.replace(first, event_time=first.event_time + timedelta(days=4)),
        ],
        "ancient": [msgspec.structs.replace(first, event_time=first.event_time - timedelta(days=50))],
    }
    number = sum(map(len, bad.values()))
    await send(stream, [*(label for labels in bad.values() for label in labels), *good])
    name = stream.topic(LABELS)
    letters = await stream.dead_letters(lambda letter: letter.topic == name, number)
    assert Counter(letter.reason for letter in letters) == {reason: len(labels) for reason, labels in bad.items()}
    # labels of a window that is final are late: counted, no letter
    late = msgspec.structs.replace(first, prediction_id="late")
    end = behind_all(good, DELAY + 60)
    await send(stream, [*end, late])
    found = await all_final(stream, good, within=60)
    assert found == expected(good, baseline, found, RULE_HERE)

    async def read() -> LabelsAudit | None:
        result = await audit_labels(stream.settings)
        return result if result is not None and not result.unread else None

    result: LabelsAudit = await eventually(read, 30, "everything read")
    assert result.balanced, result.differences
    assert sum(account.late for account in result.partitions) == 1
    assert sum(sum(account.refused.values()) for account in result.partitions) == number
