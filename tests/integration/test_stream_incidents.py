"""Incidents on a real broker: what is open survives the loss of all state, and what is muted pages nobody."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from contracts.alerts import DriftAlert, decode_alert
from contracts.events import PredictionEvent
from contracts.topics import DRIFT_ALERTS, PREDICTIONS
from stream_app import admin, present
from tests.builders import a_baseline
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually

ROWS = 200
"""Of a window."""


@pytest.fixture
async def stream(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Stream]:
    async with Stream(kafka.bootstrap, namespace, tmp_path, idle_seconds=120) as stream:
        yield stream


async def window(stream: Stream, model: str, start: datetime, number: int, *, shift: float = 0.0) -> None:
    """The n-th window of a model, n from 0; its distances are this much longer than the reference's."""
    begin = start + number * stream.window
    events = random_events(ROWS, begin, ROWS / stream.window.total_seconds(), model=model, seed=number + 1)
    await stream.send([with_distance(event, shift) for event in events])


def with_distance(event: PredictionEvent[Any], shift: float) -> PredictionEvent[Any]:
    distance = event.features["distance"] or 100.0  # a few have none
    return msgspec.structs.replace(event, features={**event.features, "distance": distance + shift})


async def time_passes(stream: Stream, beyond: datetime) -> None:
    """In every partition, by events of a model that nobody looks at."""
    await stream.publish_baseline(a_baseline(model="beyond"))
    await stream.send(random_events(8, beyond, per_second=100, model="beyond", seed=int(beyond.timestamp())))


async def alerts(stream: Stream, model: str) -> list[DriftAlert]:
    """All that were written, repeats among them."""
    found = [decode_alert(record.value) for record in await stream.records(DRIFT_ALERTS)]
    return [alert for alert in found if alert.model == model]


async def forget(stream: Stream) -> None:
    """Delete all that is on `predictions`, as its retention would."""
    async with admin.connected(stream.settings, print) as client:
        async with present.present(stream.bootstrap, stream.topic(PREDICTIONS)) as now:
            ends = {TopicPartition(stream.topic(PREDICTIONS), number): end for number, end in now.ends.items()}
        await client.delete_records({tp: RecordsToDelete(before_offset=end) for tp, end in ends.items()})


@pytest.mark.parametrize("retained", [True, False], ids=["counted again", "deleted"])
async def test_an_open_incident_is_not_raised_again_by_workers_without_its_state_and_is_resolved_by_them(
    stream: Stream, retained: bool
) -> None:
    #   windows         0  1  2 | 3  4  5  6  7  8  9
    #   distance        x  x  x | x  x  .  .  .  .  .      the state is lost at |, and perhaps the events before it
    await stream.publish_baseline(a_baseline())
    first = stream.worker()
    await stream.ready(first, partitions=8)
    start = stream.fresh_hour()
    for number in range(3):
        await window(stream, "flights", start, number, shift=40)
    await time_passes(stream, start + 3 * stream.window + timedelta(seconds=3))
    await stream.reported(3 * ROWS)
    (raised,) = await eventually(lambda: alerts(stream, "flights"), 10, "the raise")
    assert (raised.transition, raised.window_start) == ("raise", start + stream.window)
    first.kill()

    if not retained:
        await forget(stream)
    other = stream.settings.model_copy(update={"app_id": "another"})
    async with admin.connected(other, print) as client:
        await admin.create(client, other)
    await stream.ready(stream.worker(app_id="another"), partitions=8)
    for number in range(3, 10):
        await window(stream, "flights", start, number, shift=40 if number < 5 else 0)
    await time_passes(stream, start + 11 * stream.window)

    async def resolved() -> bool:
        return (await alerts(stream, "flights"))[-1].transition == "resolve"

    await eventually(resolved, 40, "the resolve")
    (first_alert, last) = await alerts(stream, "flights")
    assert first_alert == raised
    assert (last.incident, last.window_start) == (raised.incident, start + 8 * stream.window)


async def test_what_is_muted_pages_nobody_until_its_mute_is_ended(stream: Stream) -> None:
    #   windows         0  1  2 | 3  4      the mute is ended at |
    await stream.publish_baseline(a_baseline())
    await stream.ready(stream.worker(), partitions=8)
    start = stream.fresh_hour()
    since, until = (start - timedelta(hours=1)).isoformat(), (start + timedelta(hours=1)).isoformat()
    said = await stream.command("mute", "flights", "--feature", "distance", "--since", since, "--until", until)
    assert said.startswith("muted: distance of flights, in windows that end between ")
    listed = await stream.command("mutes", "--all", "--json")
    assert json.loads(listed)["feature"] == "distance"
    for number in range(3):
        await window(stream, "flights", start, number, shift=40)
    await time_passes(stream, start + 3 * stream.window + timedelta(seconds=3))
    reports = await stream.reported(3 * ROWS)
    assert all("distance" in report.alarms for report in reports)
    assert await alerts(stream, "flights") == []
    assert '"type":"alert"' not in await stream.command("replay")
    assert '"type":"alert"' in await stream.command("replay", "--mutes", os.devnull)

    await stream.command("unmute", "flights", "--feature", "distance")
    again = await stream.command("unmute", "flights", "--feature", "distance", status=2)
    assert "distance of flights is not muted: nothing is" in again
    assert "is not muted" in await stream.command("unmute", "flights", status=2)
    for number in (3, 4):
        await window(stream, "flights", start, number, shift=40)
    await time_passes(stream, start + 6 * stream.window)
    (alert,) = await eventually(lambda: alerts(stream, "flights"), 30, "the raise")
    assert (alert.transition, alert.window_start) == ("raise", start + 3 * stream.window)
    assert alert.features[0].since == start


async def test_a_mute_of_what_nobody_knows_is_kept_and_said(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline())
    assert await stream.command("mutes") == "nothing is muted\n"
    await stream.command("mute", "flight", "--for", "2h", "--reason", "mended soon")
    shown = (await stream.command("mutes")).splitlines()
    assert [line.split()[0] for line in shown] == ["muted", "flight"]
    assert shown[1].endswith("in force  mended soon")
    assert "that is past" in await stream.command("mute", "flight", "--until", "2020-01-01T00:00:00Z", status=2)
