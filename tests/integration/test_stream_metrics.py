"""The series of real workers, scraped: each that somebody is paged by is there, and a partition has one owner."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo.stack.processes import ServiceProcess
from stream_app.telemetry import PAGE, Telemetry
from tests.builders import a_baseline
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        yield stream


def scraped(worker: ServiceProcess) -> Series:
    """What its metrics port answers."""
    [port] = set(re.findall(r"metrics on port (\d+)", "\n".join(worker.tail(500))))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }


def partitions(series: Series, name: str) -> set[str]:
    return {dict(labels)["partition"] for found, labels in series if found == f"tidemark_stream_{name}"}


async def test_a_real_worker_serves_every_series_and_loses_those_of_partitions_that_it_lost(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline())
    first = stream.worker(metrics_port=0)
    await stream.ready(first, partitions=8)
    start = stream.fresh_hour()
    await stream.send(random_events(600, start, per_second=50))
    await stream.send_raw([b"{"])
    await stream.reported(600)

    def measured() -> Series:
        series = scraped(first)
        return series if partitions(series, "lag_events") == set("01234567") else {}

    series = await eventually(measured, 10, "lag of all partitions")
    names = {name for name, _ in series}
    families = {metric.name for metric in Telemetry().registry.collect()}
    assert not [name for name in families if not any(found.startswith(name) for found in names)]
    assert not [page for page in PAGE if "{" not in page and f"tidemark_stream_{page}" not in plain(names)]
    value = {name: value for (name, labels), value in series.items() if not labels}
    assert series["tidemark_stream_events_total", (("outcome", "counted"),)] == 600
    assert series["tidemark_stream_dead_letters_total", (("reason", "malformed"),)] == 1
    assert (value["tidemark_stream_ready"], value["tidemark_stream_gaps_total"]) == (1, 0)
    assert value["tidemark_stream_report_delay_seconds_count"] == 2
    assert value["tidemark_stream_recovery_seconds_count"] >= 1
    assert sum(v for (name, _), v in series.items() if name == "tidemark_stream_pending_windows") == 0

    def committed() -> bool:
        behind = [v for (name, _), v in scraped(first).items() if name == "tidemark_stream_uncommitted_events"]
        return behind == [0.0] * 8

    await eventually(committed, 10, "everything committed")

    second = stream.worker(metrics_port=0)
    await asyncio.gather(*[stream.ready(worker, partitions=4) for worker in (first, second)])

    def shared() -> bool:
        both = [scraped(worker) for worker in (first, second)]
        owned = [partitions(series, "lag_events") for series in both]
        return owned[0] | owned[1] == set("01234567") and not owned[0] & owned[1]

    await eventually(shared, 15, "each partition has one series")


def plain(names: set[str]) -> set[str]:
    """Histograms by the name that people know them by."""
    return names | {name.removesuffix("_count") for name in names}
