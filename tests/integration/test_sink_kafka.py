"""A sink as a process: real Kafka on one side, a real receiver on the other, and what goes wrong between them."""

from __future__ import annotations

import asyncio
import base64
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.alerts import DriftAlert, decode_alert, encode_alert
from contracts.dead_letters import DeadLetter, decode_dead_letter
from demo.receiver import Receiver
from demo.stack.ports import is_free
from demo.stack.processes import ServiceProcess
from stream_app.alerting.broker import finished_beyond
from stream_app.alerting.settings import SinkSettings
from tests.alerting import an_alert
from tests.apis import http_client
from tests.servers.verbs import Broker
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
SECRET = "whsec_" + base64.b64encode(b"topsecret" * 4).decode()
STANDS_BY = "another sink webhook holds the alerts of this group; standing by"
FAST = {"SINK_FIRST_DELAY_SECONDS": "0.05", "SINK_GREATEST_DELAY_SECONDS": "0.2"}


class Post:
    """The topics of one test, and the sinks it starts."""

    def __init__(self, bootstrap: str, prefix: str, directory: Path) -> None:
        self.bootstrap, self.prefix, self.directory = bootstrap, prefix, directory
        self.sinks: list[ServiceProcess] = []

    async def create_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            names = [f"{self.prefix}{name}" for name in ("drift-alerts", "dead-letters")]
            await admin.create_topics([NewTopic(name, 1, 1) for name in names])
        finally:
            await admin.close()

    async def write(self, *alerts: DriftAlert) -> None:
        await self.write_raw(*((alert.model.encode(), encode_alert(alert)) for alert in alerts))

    async def write_raw(self, *records: tuple[bytes, bytes | None]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for key, value in records:
                await producer.send_and_wait(f"{self.prefix}drift-alerts", value, key=key)

    def start_sink(self, url: str = "", name: str = "webhook", **settings: str) -> ServiceProcess:
        process = ServiceProcess(
            f"sink-{len(self.sinks)}",
            [sys.executable, "-m", "stream_app", "sink", name],
            self.directory / f"sink-{len(self.sinks)}.log",
            env={
                "SINK_BOOTSTRAP": self.bootstrap,
                "SINK_TOPIC_PREFIX": self.prefix,
                "SINK_WEBHOOK_URL": url,
                "SINK_WEBHOOK_SECRET": SECRET,
                "SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true",
                **FAST,
                **settings,
            },
            cwd=ROOT,
        )
        process.start()
        self.sinks.append(process)
        return process

    async def letters(self) -> list[DeadLetter]:
        """The dead letters so far."""
        topic = TopicPartition(f"{self.prefix}dead-letters", 0)
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest") as consumer:
            consumer.assign([topic])
            end = (await consumer.end_offsets([topic]))[topic]
            values: list[bytes] = []
            while len(values) < end:
                values += [record.value for record in (await consumer.getmany(topic, timeout_ms=1000)).get(topic, [])]
            return [decode_dead_letter(value) for value in values]

    async def committed(self, name: str = "webhook") -> int | None:
        """The offset that the sink would begin at."""
        group = f"{self.prefix}tidemark-sink-{name}"
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group) as consumer:
            return await consumer.committed(TopicPartition(f"{self.prefix}drift-alerts", 0))

    async def beyond(self, name: str = "webhook") -> frozenset[int]:
        """What is finished after that offset."""
        settings = SinkSettings.model_validate({"SINK_BOOTSTRAP": self.bootstrap, "SINK_TOPIC_PREFIX": self.prefix})
        return await finished_beyond(name, settings, TopicPartition(f"{self.prefix}drift-alerts", 0))

    async def settled(self, offset: int, within: float = 40, name: str = "webhook") -> None:
        async def there() -> bool:
            return await self.committed(name) == offset

        await eventually(there, within, f"the sink to commit {offset}")


@pytest.fixture
async def post(kafka: Broker, namespace: str, tmp_path: Path) -> AsyncIterator[Post]:
    post = Post(kafka.bootstrap, namespace, tmp_path)
    await post.create_topics()
    yield post
    for sink in post.sinks:
        sink.kill()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver("127.0.0.1", 0, SECRET, tmp_path / "alerts.jsonl") as receiver:
        yield receiver


async def arrived(receiver: Receiver, count: int, within: float = 40) -> list[DriftAlert]:
    """The alerts in the receiver's file, as soon as there are so many lines."""
    await eventually(lambda: len(receiver.receipts()) >= count, within, f"{count} alerts at the receiver")
    return [receipt.alert for receipt in receiver.receipts()]


async def ended(process: ServiceProcess, within: float = 40) -> int | None:
    await eventually(lambda: not process.alive(), within, f"{process.name} to end; its log: {process.tail()}")
    return process.returncode


def log_of(process: ServiceProcess) -> str:
    return process.log.read_text()


async def test_an_alert_arrives_signed_and_verified_and_is_committed_also_when_it_is_older_than_the_sink(
    post: Post, receiver: Receiver
) -> None:
    await post.write(an_alert(1))
    post.start_sink(receiver.url)
    assert await arrived(receiver, 1) == [an_alert(1)]
    await post.write(an_alert(2))
    assert await arrived(receiver, 2) == [an_alert(1), an_alert(2)]
    await post.settled(2)
    assert await post.letters() == []


async def test_a_receiver_that_fails_three_times_gets_each_alert_once_and_in_order(
    post: Post, receiver: Receiver
) -> None:
    receiver.fail(3, HTTPStatus.INTERNAL_SERVER_ERROR)
    await post.write(an_alert(1), an_alert(2))
    post.start_sink(receiver.url)
    await arrived(receiver, 2)
    await post.settled(2)
    first, second = an_alert(1).id, an_alert(2).id
    assert receiver.requests == [(first, 500), (first, 500), (first, 500), (first, 204), (second, 204)]
    assert [receipt.repeated for receipt in receiver.receipts()] == [False, False]
    assert await post.letters() == []


async def test_an_alert_for_a_receiver_that_is_gone_is_a_dead_letter_and_the_next_is_still_delivered(
    post: Post, receiver: Receiver, tmp_path: Path
) -> None:
    port = int(receiver.url.rsplit(":", 1)[1].strip("/"))
    receiver.close()
    await post.write(an_alert(1))
    post.start_sink(receiver.url, SINK_ATTEMPTS="3")
    await post.settled(1)
    (letter,) = await post.letters()
    assert (letter.reason, letter.topic, letter.offset) == ("undeliverable", f"{post.prefix}drift-alerts", 0)
    assert (letter.sink, letter.attempts) == ("webhook", 3)
    assert decode_alert(letter.value or b"") == an_alert(1)
    assert re.match(r"sink webhook: 3 attempts in \d+ s, the limit of attempts; last: no answer: ", letter.detail)
    await eventually(lambda: is_free(port), 10, "the receiver's old port")
    with Receiver("127.0.0.1", port, SECRET, tmp_path / "later.jsonl") as back:
        await post.write(an_alert(2))
        assert await arrived(back, 1) == [an_alert(2)]


async def test_a_sink_killed_between_delivery_and_commit_repeats_the_alert_with_the_same_id(
    post: Post, receiver: Receiver
) -> None:
    receiver.hold()  # the receiver has the alert, and its yes is still on the way
    await post.write(an_alert())
    sink = post.start_sink(receiver.url)
    await arrived(receiver, 1)
    sink.kill()
    receiver.release()
    assert not await post.committed()  # nothing, or the offset of the alert itself
    post.start_sink(receiver.url)
    await arrived(receiver, 2, within=90)
    await post.settled(1)
    assert [request.id for request in receiver.requests] == [an_alert().id] * 2
    assert [(receipt.alert, receipt.repeated) for receipt in receiver.receipts()] == [
        (an_alert(), False),
        (an_alert(), True),
    ]


async def test_models_do_not_wait_for_one_another_and_each_keeps_its_order(post: Post, receiver: Receiver) -> None:
    flights = [an_alert(number, model="flights") for number in (1, 2)]
    payments = [an_alert(number, model="payments") for number in (1, 2)]
    receiver.fail(1, HTTPStatus.SERVICE_UNAVAILABLE, retry_after="3")
    sink = post.start_sink(receiver.url)
    await post.write(flights[0])
    await eventually(lambda: receiver.requests, 40, "the first attempt, which is sent away for 3 s")
    await post.write(flights[1], *payments)
    alerts = await arrived(receiver, 4)
    assert alerts == [*payments, *flights]
    await post.settled(4)
    assert "the next one in 3.0 s" in log_of(sink)


async def test_a_sink_killed_while_one_model_waits_does_not_repeat_the_alerts_of_the_others(
    post: Post, receiver: Receiver
) -> None:
    stuck, others = an_alert(model="flights"), [an_alert(number, model="payments") for number in (1, 2)]
    receiver.fail(1, HTTPStatus.SERVICE_UNAVAILABLE, retry_after="600")
    sink = post.start_sink(receiver.url)
    await post.write(stuck)
    await eventually(lambda: receiver.requests, 40, "the attempt that is sent away")
    await post.write(*others)
    assert await arrived(receiver, 2) == others

    async def written_down() -> bool:
        return await post.beyond() == {1, 2}

    await eventually(written_down, 20, "the sink to say what is finished beyond the alert that waits")
    sink.kill()
    post.start_sink(receiver.url)
    assert await arrived(receiver, 3, within=90) == [*others, stuck]
    await post.settled(3)
    assert [request.id for request in receiver.requests] == [stuck.id, others[0].id, others[1].id, stuck.id]


async def test_sigterm_ends_the_attempt_under_way_commits_and_exits_0(post: Post, receiver: Receiver) -> None:
    receiver.hold()
    await post.write(an_alert(1), an_alert(2))
    sink = post.start_sink(receiver.url)
    await arrived(receiver, 1)
    terminated = asyncio.ensure_future(asyncio.to_thread(sink.terminate, 15))
    await eventually(lambda: "stopping" in log_of(sink), 10, "the sink to notice")
    receiver.release()
    assert await terminated == 0
    assert await post.committed() == 1
    assert len(receiver.requests) == 1
    post.start_sink(receiver.url)
    assert await arrived(receiver, 2) == [an_alert(1), an_alert(2)]


async def test_sigterm_does_not_wait_for_a_backoff(post: Post, receiver: Receiver) -> None:
    receiver.fail(1, HTTPStatus.SERVICE_UNAVAILABLE, retry_after="600")
    await post.write(an_alert())
    sink = post.start_sink(receiver.url)
    await eventually(lambda: "the next one in 600.0 s" in log_of(sink), 40, "the first attempt")
    assert await asyncio.to_thread(sink.terminate, 10) == 0
    assert not await post.committed()  # nothing, or the offset of the alert itself
    assert await post.letters() == []


async def test_a_record_that_is_no_alert_is_a_dead_letter_and_the_next_is_delivered(
    post: Post, receiver: Receiver
) -> None:
    await post.write_raw((b"flights", b"\xff\xfenonsense"), (b"flights", None))
    await post.write(an_alert())
    post.start_sink(receiver.url)
    assert await arrived(receiver, 1) == [an_alert()]
    letters = await post.letters()
    assert [(letter.reason, letter.value) for letter in letters] == [
        ("unreadable", b"\xff\xfenonsense"),
        ("unreadable", None),
    ]


async def test_a_backlog_larger_than_what_a_sink_reads_ahead_arrives_whole_and_in_order(
    post: Post, receiver: Receiver
) -> None:
    alerts = [an_alert(number) for number in range(1, 261)]
    receiver.hold()
    await post.write(*alerts)
    post.start_sink(receiver.url)
    await arrived(receiver, 1)
    receiver.release()
    assert await arrived(receiver, 260, within=90) == alerts
    await post.settled(260)


async def test_a_sink_waits_for_kafka_and_for_its_topics_and_says_each_once(
    own_kafka: Callable[[], Broker], receiver: Receiver, tmp_path: Path
) -> None:
    broker = own_kafka()
    await asyncio.to_thread(broker.stop)
    post = Post(broker.bootstrap, "late.", tmp_path)
    sink = post.start_sink(receiver.url)
    try:
        await eventually(lambda: "does not answer" in log_of(sink), 40, "the sink to miss the broker")
        await asyncio.to_thread(broker.start)
        await eventually(lambda: "no topic late.dead-letters, late.drift-alerts" in log_of(sink), 90, "no topics")
        await post.create_topics()
        await post.write(an_alert())
        assert await arrived(receiver, 1, within=90) == [an_alert()]
        assert log_of(sink).count("does not answer") == 1
        assert log_of(sink).count("no topic") == 1
    finally:
        sink.kill()


async def test_a_sink_lives_through_a_killed_broker_and_ends_in_time_without_one(
    own_kafka: Callable[[], Broker], receiver: Receiver, tmp_path: Path
) -> None:
    broker = own_kafka()
    post = Post(broker.bootstrap, "", tmp_path)
    await post.create_topics()
    sink = post.start_sink(receiver.url)
    try:
        await post.write(an_alert(1))
        await post.settled(1)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        await post.write(an_alert(2))
        assert await arrived(receiver, 2, within=90) == [an_alert(1), an_alert(2)]
        receiver.fail(1, HTTPStatus.BAD_REQUEST)
        await post.write(an_alert(3))
        await post.settled(3, within=90)
        assert [decode_alert(letter.value or b"") for letter in await post.letters()] == [an_alert(3)]
        await asyncio.to_thread(broker.kill)
        assert await asyncio.to_thread(sink.terminate, 20) == 0, "\n".join(sink.tail(60))
    finally:
        sink.kill()


async def test_a_second_sink_of_the_same_name_takes_over_when_the_first_ends(post: Post, receiver: Receiver) -> None:
    first = post.start_sink(receiver.url)
    await post.write(an_alert(1))
    await arrived(receiver, 1)
    assert STANDS_BY not in log_of(first)
    second = post.start_sink(receiver.url)
    # either of the two may be given the partition when the group is divided anew
    await eventually(lambda: STANDS_BY in log_of(first) + log_of(second), 90, "one of the two to stand by")
    await post.write(an_alert(2))
    await arrived(receiver, 2, within=90)
    idle, busy = (first, second) if STANDS_BY in log_of(first) else (second, first)
    assert STANDS_BY not in log_of(busy)
    assert "takes over" not in log_of(idle)
    assert await asyncio.to_thread(busy.terminate, 20) == 0
    await eventually(lambda: "sink webhook takes over" in log_of(idle), 90, "the other to take over")
    assert log_of(idle).count(STANDS_BY) == 1
    await post.write(an_alert(3))
    alerts = await arrived(receiver, 3, within=90)
    assert {alert.id for alert in alerts} == {an_alert(number).id for number in (1, 2, 3)}
    await post.settled(3)


async def test_no_secret_is_logged_and_the_metrics_are_served(
    post: Post, receiver: Receiver, unused_tcp_port_factory: Callable[[], int]
) -> None:
    port = unused_tcp_port_factory()
    secretive = receiver.url.replace("http://", "http://user:topsecret@") + "topsecret?token=topsecret"
    receiver.fail(2, HTTPStatus.BAD_GATEWAY)
    receiver.fail(1, HTTPStatus.BAD_REQUEST)
    await post.write(an_alert(1), an_alert(2))
    sink = post.start_sink(secretive, SINK_METRICS_PORT=str(port))
    await arrived(receiver, 1)
    await post.settled(2)

    async def served() -> str:
        async with http_client() as client:
            return (await client.get(f"http://127.0.0.1:{port}/metrics")).text

    page = await served()
    for line in (
        'tidemark_sink_alerts_total{outcome="delivered",sink="webhook"} 1.0',
        'tidemark_sink_alerts_total{outcome="undeliverable",sink="webhook"} 1.0',
        'tidemark_sink_attempts_total{result="failed",sink="webhook"} 3.0',
        'tidemark_sink_lag_alerts{sink="webhook"} 0.0',
        'tidemark_sink_oldest_alert_age_seconds{sink="webhook"} 0.0',
    ):
        assert line in page

    receiver.hold()
    await post.write(an_alert(3), an_alert(4))

    async def behind() -> bool:
        return 'tidemark_sink_lag_alerts{sink="webhook"} 2.0' in await served()

    await eventually(behind, 10, "a lag of two alerts")
    receiver.release()
    text = log_of(sink)
    assert f"{post.prefix}drift-alerts -> http://127.0.0.1:" in text
    assert "topsecret" not in text
    assert SECRET not in text
    assert base64.b64encode(b"user:topsecret").decode() not in text


async def test_the_log_sink_prints_one_json_line_per_alert(post: Post) -> None:
    sink = post.start_sink(name="log")
    await post.write(an_alert(1), an_alert(2))
    await post.settled(2, name="log")
    lines = [line for line in log_of(sink).splitlines() if line.startswith("{")]
    assert [decode_alert(line.encode()) for line in lines] == [an_alert(1), an_alert(2)]


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("pigeon", {}, "sink pigeon: there is no sink 'pigeon': choose one of log, file, webhook, "),
        ("webhook", {"SINK_WEBHOOK_SECRET": "topsecret"}, "sink webhook: SINK_WEBHOOK_SECRET: a webhook secret begins"),
        (
            "webhook",
            {"SINK_BOOTSTRAP": "", "SINK_WEBHOOK_URL": "alerts.example.com", "SINK_WEBHOOK_SECRET": ""},
            "sink webhook: SINK_BOOTSTRAP is not set: for example SINK_BOOTSTRAP=127.0.0.1:9092; SINK_WEBHOOK_URL: a "
            "URL needs http:// or https:// in front, for example https://alerts.example.com/tidemark; "
            "SINK_WEBHOOK_SECRET is not set: for example SINK_WEBHOOK_SECRET=whsec_$(openssl rand -base64 32)\n",
        ),
        (
            "webhook",
            {"SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "false"},
            "sink webhook: SINK_WEBHOOK_URL: the receiver's address 127.0.0.1 is private; "
            "SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES=true allows private addresses\n",
        ),
    ],
)
async def test_a_wrong_setting_ends_the_sink_with_one_line_and_status_2(
    tmp_path: Path, name: str, settings: dict[str, str], line: str
) -> None:
    sink = Post("127.0.0.1:1", "", tmp_path).start_sink("http://127.0.0.1:1/", name, **settings)
    assert await ended(sink) == 2
    assert log_of(sink).startswith(line)
    assert log_of(sink).count("\n") == 1


async def test_a_metrics_port_that_is_taken_ends_the_sink_with_one_line_and_status_2(
    tmp_path: Path, receiver: Receiver
) -> None:
    port = receiver.url.rsplit(":", 1)[1].strip("/")
    sink = Post("127.0.0.1:1", "", tmp_path).start_sink(receiver.url, SINK_METRICS_PORT=port)
    assert await ended(sink) == 2
    assert re.fullmatch(
        rf"sink webhook: SINK_METRICS_PORT={port}: cannot listen on 127.0.0.1:{port}: .*choose another port\n",
        log_of(sink),
    )
