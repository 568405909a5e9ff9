"""What a worker sends: where to, under which key, with which CloudEvents attributes."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.dead_letters import DeadLetter
from contracts.partials import Heartbeat
from contracts.topics import partition_of
from contracts.window import WindowCounts
from stream_app.agents.publishing import Publisher
from tests.builders import NOON, a_baseline
from tests.unit.stream_app.agents.stand import ADDRESSES, FakeOutlet


def a_letter(value: bytes) -> DeadLetter:
    return DeadLetter(
        reason="malformed", detail="broken", topic="predictions", partition=3, offset=9, key=b"k", value=value
    )


async def test_every_partial_of_a_model_goes_to_one_partition_and_heartbeats_go_to_all() -> None:
    outlet = FakeOutlet()
    publisher = Publisher(outlet, ADDRESSES, "/test")
    models = ["flights", "payments", "churn"]
    for model in models * 2:
        counts = WindowCounts(a_baseline(model=model))
        await publisher.partials([counts.partial(window_start=0, window_end=1, partition=0, offset=0)])
    found = {(sent.key, sent.partition) for sent in outlet.sent}
    assert found == {(model.encode(), partition_of(model.encode(), 4)) for model in models}
    outlet.sent.clear()
    await publisher.heartbeat(Heartbeat(partition=0, partitions=8, generation=1, watermark=None))
    assert [sent.partition for sent in outlet.sent] == [0, 1, 2, 3]


async def test_a_dead_letter_carries_its_origin_as_key_and_event_id() -> None:
    outlet = FakeOutlet()
    await Publisher(outlet, ADDRESSES, "/test", now=lambda: NOON).dead_letters([a_letter(b"{")])
    (sent,) = outlet.sent
    headers = dict(sent.headers)
    assert sent.key == headers["ce_id"] == b"predictions/3/9"
    assert headers["ce_time"] == b"2026-01-01T12:00:00+00:00"
    assert headers["ce_type"] == b"io.tidemark.record.dead-lettered"
    assert headers["ce_specversion"] == b"1.0"


async def test_the_time_in_the_headers_is_the_present_one() -> None:
    outlet, before = FakeOutlet(), datetime.now(UTC)
    await Publisher(outlet, ADDRESSES, "/test").dead_letters([a_letter(b"{")])
    said = datetime.fromisoformat(dict(outlet.sent[0].headers)["ce_time"].decode())
    assert before <= said <= datetime.now(UTC)
