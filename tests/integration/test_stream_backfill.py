"""A backfill finds what live workers found: the whole log replayed between two times, and the same rows from a file.

Two workers count two partitions. By event time, windows of ten seconds; times are out of order by up to a second:

    windows    1 .......... 2 .......... 3 (drifts) . 4 (drifts) .
    at the end of 3 come rows of 1, too late; at the end of 4 some rows come again
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace

from contracts.events import PredictionEvent, encode_event
from contracts.reports import decode_report, encode_report
from contracts.topics import DRIFT_ALERTS, DRIFT_REPORTS
from stream_app import admin
from tests.builders import a_baseline, an_event_id
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events

PARTITIONS, WINDOWS, PER_SECOND, PER_WINDOW = 2, 4, 100, 1_000
LATE, REPEATS = 30, 50


class Live(NamedTuple):
    """What live workers have left. rows: the values that were sent, in their order. began: before the first of them."""

    stream: Stream
    rows: list[bytes]
    began: datetime
    reports: list[bytes]
    alerts: list[bytes]


def traffic(start: datetime) -> list[PredictionEvent[Any]]:
    """Rows in the order in which they are sent, to both partitions in turns."""
    events = random_events(WINDOWS * PER_WINDOW, start, PER_SECOND)
    events = events[: 2 * PER_WINDOW] + [drifted(event) for event in events[2 * PER_WINDOW :]]
    order = np.random.default_rng(1)
    mixed = [
        event
        for second in range(0, len(events), PER_SECOND)
        for event in with_times(events[second : second + PER_SECOND], order.permutation(PER_SECOND))
    ]
    late = [
        replace(event, id=an_event_id(i, source="late"))
        for i, event in enumerate(random_events(LATE, start, PER_SECOND))
    ]
    return [*mixed[: 3 * PER_WINDOW], *late, *mixed[3 * PER_WINDOW :], *mixed[:REPEATS]]


def drifted(event: PredictionEvent[Any]) -> PredictionEvent[Any]:
    distance = event.features["distance"]
    return replace(event, features={**event.features, "distance": None if distance is None else distance + 30})


def with_times(events: Sequence[PredictionEvent[Any]], of: Sequence[int]) -> list[PredictionEvent[Any]]:
    """The same events with each other's times; ids keep their order, as those of one API process do."""
    return [replace(event, event_time=events[other].event_time) for event, other in zip(events, of, strict=True)]


@pytest.fixture(scope="module")
async def live(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    directory: Path = tmp_path_factory.mktemp("backfilled")
    stream = Stream(kafka.bootstrap, f"{directory.name}.", directory, idle_seconds=4)
    async with admin.connected(stream.settings, print) as client:
        await admin.create(client, stream.settings, PARTITIONS)
    async with stream:
        await stream.publish_baseline(a_baseline())
        workers = [stream.worker() for _ in range(2)]
        for worker in workers:
            await stream.ready(worker, partitions=1)
        began, rows = datetime.now(UTC), [encode_event(event) for event in traffic(stream.fresh_hour())]
        await stream.send_raw(rows, lambda i: i % PARTITIONS)
        await stream.reported(WINDOWS * PER_WINDOW)
        for worker in workers:
            worker.terminate()
            await asyncio.to_thread(worker.wait, 30)
        accounts = (await stream.audit()).accounts
        assert sum(part.late for part in accounts.partitions) == LATE
        assert sum(part.repeats for part in accounts.partitions) == REPEATS
        yield Live(
            stream,
            rows,
            began,
            sorted({record.value for record in await stream.records(DRIFT_REPORTS)}),
            sorted({record.value for record in await stream.records(DRIFT_ALERTS)}),
        )


def lines(output: str, type_: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, output.splitlines()) if line["type"] == type_]


def inside(output: str, type_: str) -> list[bytes]:
    """What stands in the lines of this type, byte for byte."""
    head = f'{{"type":"{type_}","{type_}":'
    return sorted(line.removeprefix(head)[:-1].encode() for line in output.splitlines() if line.startswith(head))


def without_offsets(reports: Sequence[bytes]) -> list[bytes]:
    """A file is one partition, so it has other last offsets; all else is to be the same."""
    return sorted(encode_report(replace(decode_report(report), partitions={})) for report in reports)


def assert_accounted(output: str) -> None:
    (summary,) = lines(output, "summary")
    assert summary["balanced"]
    assert summary["read"] == WINDOWS * PER_WINDOW + LATE + REPEATS
    assert (summary["counted"], summary["late"], summary["repeats"]) == (WINDOWS * PER_WINDOW, LATE, REPEATS)
    assert (summary["open_rows"], summary["cut_rows"], summary["late_at_merge"]) == (0, 0, 0)


async def test_the_log_between_two_times_gives_the_live_reports_and_alerts_byte_for_byte(live: Live) -> None:
    span = "--from", (live.began - timedelta(seconds=1)).isoformat(), "--to", datetime.now(UTC).isoformat()
    output = await live.stream.command("replay", *span, "--compare", "page-after=1,of-last=1")
    assert [json.loads(report)["status"] for report in live.reports] == ["quiet", "quiet", "alarm", "alarm"]
    assert inside(output, "report") == live.reports
    assert inside(output, "alert") == live.alerts
    assert_accounted(output)
    # ... and the other policy, on the same counts, would have paged a window earlier
    (comparison,) = lines(output, "comparison")
    told = [(len(found["asked_alerts"]), len(found["compared_alerts"])) for found in comparison["differ"]]
    assert told == [(0, 1), (1, 0)]
    assert len(live.alerts) == 1


async def test_the_same_rows_from_a_file_give_the_live_reports_but_for_their_offsets(
    live: Live, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\n".join(live.rows) + b"\n")
    output = await live.stream.command("replay", "--file", str(file))
    assert without_offsets(inside(output, "report")) == without_offsets(live.reports)
    assert inside(output, "alert") == live.alerts
    assert_accounted(output)
