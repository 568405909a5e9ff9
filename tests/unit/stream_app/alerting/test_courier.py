"""One record: delivered, or a dead letter, or left for after the restart. Never lost, never both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from contracts.alerts import encode_alert
from stream_app.alerting.courier import Courier, pause
from stream_app.alerting.errors import Refused, Retry
from stream_app.alerting.retry import Limits
from stream_app.alerting.telemetry import SinkTelemetry
from tests.alerting import an_alert
from tests.fakes import FakeRecord, ManualClock, RecordingBox, RecordingSink, half


class Post:
    """A courier with everything around it."""

    def __init__(self, errors: Sequence[Exception] = (), box_failures: int = 0) -> None:
        self.sink, self.box, self.clock = RecordingSink(errors), RecordingBox(box_failures), ManualClock()
        self.registry = CollectorRegistry()
        self.stopping = asyncio.Event()
        self.courier = Courier(
            self.sink,
            self.box,
            Limits(attempts=3, give_up_after=100.0, first_delay=1.0, greatest_delay=8.0),
            SinkTelemetry("recording", self.registry),
            random=half,
            clock=self.clock,
            pause=self.clock.pause_unless,
        )

    async def handle(self, record: FakeRecord) -> bool:
        return await self.courier.handle(record, self.stopping)

    def count(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"sink": "recording", **labels})


RECORD = FakeRecord.of(41, an_alert())


async def test_the_sink_gets_the_records_bytes_unchanged() -> None:
    body = b" " + encode_alert(an_alert())[:-1] + b',"later_field":1}'
    post = Post()
    assert await post.handle(FakeRecord(0, body))
    assert post.sink.delivered == [(an_alert().id, body)]


async def test_an_alert_given_up_is_a_dead_letter_with_the_whole_alert_and_its_origin() -> None:
    post = Post([Retry("the receiver answered 503")] * 3)
    assert await post.handle(RECORD)
    (letter,) = post.box.letters
    assert (letter.reason, letter.id) == ("undeliverable", "drift-alerts/0/41")
    assert (letter.key, letter.value) == (RECORD.key, RECORD.value)
    assert (letter.sink, letter.attempts) == ("recording", 3)
    assert letter.detail.startswith("sink recording: 3 attempts in ")
    assert letter.detail.endswith("last: the receiver answered 503")


async def test_a_refused_alert_is_a_dead_letter_after_one_attempt() -> None:
    post = Post([Refused("the receiver answered 422")])
    assert await post.handle(RECORD)
    assert [letter.reason for letter in post.box.letters] == ["undeliverable"]
    assert len(post.sink.attempts) == 1


@pytest.mark.parametrize("value", [None, b"", b"{}", b"not json", b'{"id":"\xff"}', b"[1]"])
async def test_a_record_that_is_no_alert_is_a_dead_letter_and_the_sink_never_sees_it(value: bytes | None) -> None:
    post = Post()
    assert await post.handle(FakeRecord(5, value))
    (letter,) = post.box.letters
    assert (letter.reason, letter.value, post.sink.attempts) == ("unreadable", value, [])
    assert (letter.sink, letter.attempts) == ("recording", 0)
    assert "not a drift alert" in letter.detail
    assert post.count("tidemark_sink_alerts_total", outcome="unreadable") == 1


async def test_a_record_is_not_finished_before_kafka_has_the_dead_letter() -> None:
    post = Post([Refused("no")], box_failures=4)
    assert await post.handle(RECORD)
    assert len(post.box.letters) == 1
    assert post.clock.waits == [0.5, 1.0, 2.0, 4.0]


async def test_stopping_while_kafka_is_away_leaves_the_record() -> None:
    post = Post([Refused("no")], box_failures=1)
    post.stopping.set()
    assert not await post.handle(RECORD)
    assert post.box.letters == []


async def test_stopping_between_two_attempts_leaves_the_record() -> None:
    post = Post([Retry("away")])
    post.stopping.set()
    assert not await post.handle(RECORD)
    assert (len(post.sink.attempts), post.box.letters) == (1, [])


async def test_a_fault_of_the_sink_is_a_dead_letter_that_says_where_but_not_what() -> None:
    post = Post([KeyError("whsec_topsecret")])
    assert await post.handle(RECORD)
    (letter,) = post.box.letters
    assert "a fault of the sink: KeyError at fakes.py:" in letter.detail
    assert "topsecret" not in letter.detail


async def test_what_is_logged_names_the_alert_and_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    post = Post([Retry("the receiver answered 503")])
    await post.handle(RECORD)
    assert f"alert {an_alert().id}: attempt 1 failed (the receiver answered 503); the next one in 0.5 s" in caplog.text
    assert f"alert {an_alert().id} (raise flights/3): delivered, attempts: 2" in caplog.text


async def test_deliveries_and_attempts_are_counted() -> None:
    post = Post([Retry("away"), Retry("away")])
    await post.handle(RECORD)
    assert post.count("tidemark_sink_alerts_total", outcome="delivered") == 1
    assert post.count("tidemark_sink_alerts_total", outcome="undeliverable") == 0
    assert post.count("tidemark_sink_attempts_total", result="failed") == 2
    assert post.count("tidemark_sink_attempts_total", result="delivered") == 1


async def test_a_pause_ends_with_its_time_or_when_stopping_begins() -> None:
    stopping = asyncio.Event()
    assert not await pause(stopping, 0.001)
    waiting = asyncio.ensure_future(pause(stopping, 60))
    stopping.set()
    assert await asyncio.wait_for(waiting, 1)
