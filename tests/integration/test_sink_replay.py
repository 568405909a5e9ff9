"""`sink replay` on a real broker: what a sink gave up is delivered once, in order, and never lost on the way."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from contracts.alerts import DriftAlert, encode_alert
from contracts.dead_letters import DeadLetter, encode_dead_letter
from contracts.resent_letters import ResentLetter, decode_resent
from demo.receiver import Receiver
from demo.stack.ports import is_free
from stream_app.alerting.replaying import SOURCE
from tests.alerting import an_alert
from tests.fakes import FakeRecord
from tests.incidents import ESCALATE, RAISE, RESOLVE
from tests.receivers import HttpReceiver, hang_up, receiving, status
from tests.servers.verbs import Broker
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
SECRET = "whsec_" + base64.b64encode(b"topsecret" * 4).decode()
FAST = {"SINK_FIRST_DELAY_SECONDS": "0.05", "SINK_GREATEST_DELAY_SECONDS": "0.1"}


class Told(NamedTuple):
    """One run of the command."""

    exit_status: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


class Office:
    """The topics of one test, and the commands that work on them."""

    def __init__(self, bootstrap: str, prefix: str, port: int) -> None:
        self.bootstrap, self.prefix = bootstrap, prefix
        url = f"http://127.0.0.1:{port}/"
        self.settings = {
            "SINK_BOOTSTRAP": bootstrap,
            "SINK_TOPIC_PREFIX": prefix,
            **FAST,
            **{f"SINK_{name}_URL": url for name in ("WEBHOOK", "SLACK", "PAGERDUTY")},
            **{f"SINK_{name}_ALLOW_PRIVATE_ADDRESSES": "true" for name in ("WEBHOOK", "SLACK", "PAGERDUTY")},
            "SINK_WEBHOOK_SECRET": SECRET,
            "SINK_PAGERDUTY_ROUTING_KEY": "0" * 32,
        }

    async def replay(self, *arguments: str, **settings: str) -> Told:
        return await ended(await self.begin(*arguments, **settings))

    async def begin(self, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
        environment = {**os.environ, **self.settings, **settings}
        command = (sys.executable, "-m", "stream_app", "sink", "replay", *arguments)
        return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE)

    async def alerts(self, *alerts: DriftAlert) -> None:
        """To `drift-alerts`."""
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for alert in alerts:
                key, value = alert.model.encode(), encode_alert(alert)
                await producer.send_and_wait(f"{self.prefix}drift-alerts", value, key=key)

    async def dead(self, *letters: tuple[int, DriftAlert, str]) -> None:
        """To `dead-letters`, as the sink of this name would have; the number is the alert's offset."""
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for offset, alert, sink in letters:
                record = FakeRecord.of(offset, alert)._replace(topic=f"{self.prefix}drift-alerts")
                letter = DeadLetter.of(record, "undeliverable", f"sink {sink}: away", sink=sink, attempts=3)
                await self.letter(producer, encode_dead_letter(letter), f"{SOURCE}{sink}")

    async def letter(self, producer: AIOKafkaProducer, value: bytes, source: str = "/elsewhere") -> None:
        await producer.send_and_wait(f"{self.prefix}dead-letters", value, headers=[("ce_source", source.encode())])

    async def size(self, topic: str) -> int:
        """Records of a topic."""
        where = TopicPartition(f"{self.prefix}{topic}", 0)
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            return int((await consumer.end_offsets([where]))[where])

    async def settled(self) -> list[ResentLetter]:
        """What is on `resent-letters`."""
        where = TopicPartition(f"{self.prefix}resent-letters", 0)
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest") as consumer:
            consumer.assign([where])
            end, values = (await consumer.end_offsets([where]))[where], list[bytes]()
            while len(values) < end:
                values += [record.value for record in (await consumer.getmany(timeout_ms=500)).get(where, [])]
            return [decode_resent(value) for value in values]


async def ended(process: asyncio.subprocess.Process) -> Told:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Told(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def office(
    kafka: Broker, namespace: str, fresh_topic: Callable[..., Awaitable[str]], http: HttpReceiver
) -> Office:
    for topic in ("drift-alerts", "dead-letters", "resent-letters"):
        await fresh_topic(topic)
    return Office(kafka.bootstrap, namespace, http.port)


@pytest.fixture
async def http() -> AsyncIterator[HttpReceiver]:
    async with receiving() as receiver:
        yield receiver


def ids(http: HttpReceiver) -> list[str]:
    return [posted.headers["webhook-id"] for posted in http.posted]


async def test_what_a_sink_gave_up_while_its_receiver_was_away_is_delivered_once_and_in_order(
    office: Office, run_service: Callable[..., object], tmp_path: Path
) -> None:
    alerts = [an_alert(number, model=model) for number in (1, 2, 3) for model in ("flights", "payments")]
    with Receiver("127.0.0.1", 0, SECRET, tmp_path / "none.jsonl") as away:
        port, url = int(away.url.rsplit(":", 1)[1].strip("/")), away.url
    settings = office.settings | {"SINK_WEBHOOK_URL": url}
    await office.alerts(*alerts)
    run_service("sink", "stream_app", "sink", "webhook", **settings, SINK_ATTEMPTS="2")

    async def all_dead() -> bool:
        return await office.size("dead-letters") == len(alerts)

    await eventually(all_dead, 40, "every alert to be a dead letter")
    still_away = await office.replay(SINK_WEBHOOK_URL=url)
    assert (still_away.exit_status, await office.size("dead-letters")) == (1, len(alerts))
    assert still_away.last.startswith("delivered: 0, failed: 2, not tried: 4;")

    await eventually(lambda: is_free(port), 10, "the receiver's old port")
    with Receiver("127.0.0.1", port, SECRET, tmp_path / "alerts.jsonl") as back:
        told = await office.replay(SINK_WEBHOOK_URL=url)
        assert (told.exit_status, told.err) == (0, "")
        assert told.last.startswith("delivered: 6, failed: 0, not tried: 0;")
        assert [receipt.alert for receipt in back.receipts()] == alerts
        again = await office.replay(SINK_WEBHOOK_URL=url)
        assert (again.exit_status, again.out) == (0, "to send: 0, outdated: 0, settled before: 6\n")
        assert [receipt.repeated for receipt in back.receipts()] == [False] * 6
        asked = await office.replay("--again", "--id", alerts[3].id, SINK_WEBHOOK_URL=url)
        assert asked.last.startswith("delivered: 1,")
        assert [receipt.alert for receipt in back.receipts() if receipt.repeated] == [alerts[3]]
    assert [one.alert for one in await office.settled()] == [alert.id for alert in alerts] + [alerts[3].id]


async def test_a_dry_run_says_what_it_would_send_and_sends_and_notes_nothing(
    office: Office, http: HttpReceiver
) -> None:
    await office.dead((0, an_alert(1), "webhook"), (1, an_alert(2), "slack"))
    told = await office.replay("--dry-run")
    assert told.exit_status == 0
    assert told.out.splitlines()[0] == "to send: 2, outdated: 0, settled before: 0"
    assert [line.split()[:3] for line in told.out.splitlines()[1:]] == [
        ["slack", an_alert(2).id, "raise"],
        ["webhook", an_alert(1).id, "raise"],
    ]
    assert (http.posted, await office.settled()) == ([], [])


async def test_a_selection_is_sent_alone_and_the_rest_by_the_next_replay(office: Office, http: HttpReceiver) -> None:
    await office.dead(*((number, an_alert(number), "webhook") for number in (1, 2, 3)))
    assert (await office.replay("--id", an_alert(2).id)).exit_status == 0
    assert ids(http) == [an_alert(2).id]
    assert (await office.replay("--sink", "slack")).out.startswith("to send: 0,")
    assert (await office.replay("--since", "2100-01-01T00:00:00Z")).out.startswith("to send: 0,")
    assert (await office.replay()).exit_status == 0
    assert ids(http) == [an_alert(number).id for number in (2, 1, 3)]


async def test_a_refused_alert_stays_and_those_behind_it_are_sent(office: Office, http: HttpReceiver) -> None:
    await office.dead((1, an_alert(1), "webhook"), (2, an_alert(2), "webhook"))
    http.answers.append(status(410))
    told = await office.replay()
    assert (told.exit_status, told.last.split(";")[0]) == (1, "delivered: 1, failed: 1, not tried: 0")
    assert "failed: the receiver answered 410 Gone" in told.out
    assert await office.size("dead-letters") == 2  # a letter that failed again is not written again
    assert (await office.replay()).exit_status == 0
    assert ids(http) == [an_alert(number).id for number in (1, 2, 1)]


async def test_an_alert_whose_receiver_does_not_answer_is_not_overtaken_by_the_next_of_its_model(
    office: Office, http: HttpReceiver
) -> None:
    other = an_alert(3, model="payments")
    await office.dead((1, an_alert(1), "webhook"), (2, an_alert(2), "webhook"), (3, other, "webhook"))
    http.answers.extend([hang_up, hang_up])
    told = await office.replay("--attempts", "2")
    assert told.last.startswith("delivered: 1, failed: 1, not tried: 1;")
    assert ids(http) == [an_alert(1).id, an_alert(1).id, other.id]
    await office.replay()
    assert ids(http)[3:] == [an_alert(1).id, an_alert(2).id]


async def test_pagerduty_is_not_sent_a_raise_whose_incident_is_over(office: Office, http: HttpReceiver) -> None:
    """Its resolve was delivered while the raise lay in the dead letters: nobody would ever end the incident."""
    await office.alerts(RAISE, ESCALATE, RESOLVE)
    await office.dead((0, RAISE, "pagerduty"), (0, RAISE, "slack"))
    told = await office.replay()
    assert told.exit_status == 0
    assert told.out.splitlines()[0] == "to send: 1, outdated: 1, settled before: 0"
    assert [json.loads(posted.body).get("blocks") is not None for posted in http.posted] == [True]
    assert sorted((one.sink, one.how) for one in await office.settled()) == [
        ("pagerduty", "outdated"),
        ("slack", "delivered"),
    ]


async def test_of_an_incident_that_is_dead_as_a_whole_pagerduty_is_sent_the_last_word(
    office: Office, http: HttpReceiver
) -> None:
    await office.alerts(RAISE, ESCALATE)
    await office.dead((0, RAISE, "pagerduty"), (1, ESCALATE, "pagerduty"))
    http.answers.append(status(202))
    assert (await office.replay()).exit_status == 0
    (posted,) = http.posted
    assert json.loads(posted.body)["payload"]["severity"] == "critical"


async def test_letters_that_hold_no_alert_and_letters_of_others_are_told_or_left_alone(
    office: Office, http: HttpReceiver
) -> None:
    await office.dead((5, an_alert(5), "webhook"))
    broken = FakeRecord(6, b"\xff")._replace(topic=f"{office.prefix}drift-alerts")
    prediction = FakeRecord(7, b"{}")._replace(topic=f"{office.prefix}predictions")
    async with AIOKafkaProducer(bootstrap_servers=office.bootstrap) as producer:
        await office.letter(producer, encode_dead_letter(DeadLetter.of(broken, "unreadable", "no", sink="webhook")))
        await office.letter(producer, encode_dead_letter(DeadLetter.of(prediction, "malformed", "no")))
        await office.letter(producer, b"nonsense")
    told = await office.replay()
    assert told.exit_status == 0
    useless = [line for line in told.out.splitlines() if line.startswith("no alert")]
    assert [line.partition("(")[0] for line in useless] == [
        f"no alert that could be sent: {office.prefix}drift-alerts/0/6 "
    ]
    assert ids(http) == [an_alert(5).id]


async def test_a_setting_that_is_wrong_is_said_before_anything_is_sent(office: Office, http: HttpReceiver) -> None:
    await office.dead((1, an_alert(1), "pagerduty"), (2, an_alert(2), "webhook"))
    told = await office.replay(SINK_WEBHOOK_URL="")
    assert (told.exit_status, http.posted) == (2, [])
    assert told.err == (
        "sink replay: SINK_WEBHOOK_URL is not set: for example SINK_WEBHOOK_URL=https://alerts.example.com/tidemark "
        "(there are dead letters of sink webhook; --sink replays one alone)\n"
    )
    dry = await office.replay("--dry-run", SINK_WEBHOOK_URL="")
    assert (dry.exit_status, dry.err) == (2, told.err)
    private = await office.replay("--dry-run", SINK_WEBHOOK_ALLOW_PRIVATE_ADDRESSES="false")
    assert private.exit_status == 2
    assert "SINK_WEBHOOK_URL: the receiver's address 127.0.0.1 is private" in private.err
    for told in (dry, private):
        one, other = told.out.splitlines()[1:]
        assert one.startswith("pagerduty")
        assert one.endswith("would be sent")
        assert other.startswith("webhook")
        assert other.endswith("would not be sent: a setting of its sink is wrong")
    assert (await office.replay("--sink", "pagerduty", SINK_WEBHOOK_URL="")).exit_status == 0
    assert (await office.replay("--sink", "pigeon")).err.startswith("sink replay: there is no sink 'pigeon'")


async def test_an_id_that_no_dead_letter_has_is_said_and_nothing_is_sent(office: Office, http: HttpReceiver) -> None:
    await office.dead((1, an_alert(1), "webhook"))
    for more in ((), ("--dry-run",)):
        told = await office.replay("--id", an_alert(1).id, "--id", "nope", *more)
        assert (told.exit_status, told.out, http.posted) == (2, "", [])
        assert told.err == "sink replay: no dead letter has this id: nope; --dry-run without --id lists what there is\n"


async def test_sigterm_ends_the_alert_under_way_notes_it_and_leaves_the_rest(
    office: Office, http: HttpReceiver
) -> None:
    await office.dead((1, an_alert(1), "webhook"), (2, an_alert(2), "webhook"))
    release = asyncio.Event()

    async def slow(posted: object, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await status(204)(posted, writer)  # type: ignore[arg-type]

    http.answers.append(slow)
    process = await office.begin()
    await eventually(lambda: http.posted, 40, "the first alert")
    process.terminate()
    # the signal is taken by the loop before the answer that comes after it
    release.set()
    told = await ended(process)
    assert told.exit_status == 128 + 15
    assert told.last.startswith("delivered: 1, failed: 0, not tried: 1;")
    assert [one.alert for one in await office.settled()] == [an_alert(1).id]


async def test_a_broker_without_the_topics_is_said_with_what_to_do(kafka: Broker, namespace: str) -> None:
    told = await Office(kafka.bootstrap, namespace, 1).replay()
    assert told.exit_status == 2
    assert told.err.startswith(f"sink replay: no topic {namespace}dead-letters, {namespace}drift-alerts, ")
    assert told.err.endswith("on the broker: `python -m stream_app topics` makes them\n")
