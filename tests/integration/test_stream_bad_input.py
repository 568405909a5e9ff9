"""Bad input on a real broker: a dead letter with the reason, or a stop with one line; and the rest goes on."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions

from contracts.events import encode_event
from contracts.topics import DEAD_LETTERS, DRIFT_REPORTS, PREDICTIONS, WINDOW_PARTIALS
from stream_app import admin
from tests.builders import NOON, a_baseline, an_event
from tests.poison import ACCEPTED, GOOD, REFUSED
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually

HEADERS = [("", b""), ("ce_id", b"\xff\xfe"), ("ce_id", b"twice"), ("content-type", b"text/plain"), ("x" * 900, b"")]


@pytest.fixture(scope="module")
async def stream(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stream]:
    """With one worker."""
    directory: Path = tmp_path_factory.mktemp("poison")
    century = 100 * 365 * 86_400
    async with Stream(kafka.bootstrap, f"{directory.name}.", directory, max_age_seconds=century) as stream:
        await stream.ready(stream.worker(), partitions=8)
        yield stream


async def test_no_record_stops_its_partition_and_each_is_counted_or_a_dead_letter_with_its_reason(
    stream: Stream,
) -> None:
    await stream.publish_baseline(a_baseline())
    poison: dict[bytes | None, str] = {None: "malformed", b"": "malformed", **dict(REFUSED.values())}
    good = [encode_event(an_event(id=f"good {i}", event_time=NOON + timedelta(seconds=i / 100))) for i in range(100)]
    values = [*good[:50], *poison, *(value for value, _ in ACCEPTED.values()), *good[50:]]
    async with compressing(stream) as producer:
        for i, value in enumerate(values):
            key, headers = [None, b"", b"\xff" * 100][i % 3], HEADERS if i % 2 else []
            await producer.send(stream.topic(PREDICTIONS), value, key=key, partition=2, headers=headers)
    letters = await stream.dead_letters(lambda letter: letter.partition == 2, number=len(poison))
    assert {letter.value: letter.reason for letter in letters} == poison
    assert all(letter.detail for letter in letters)
    # the odd ones have all but two the id of one event of the API: each is counted or recognised
    distinct = 1 + sum(GOOD.split(b",")[0] not in value for value, _ in ACCEPTED.values())
    (report,) = await stream.reported(100 + distinct)
    assert report.window_start == NOON
    (account,) = [line for line in (await stream.audit()).accounts.partitions if line.partition == 2]
    assert account.read == len(values)
    assert account.counted + account.repeats == 100 + len(ACCEPTED)


def compressing(stream: Stream) -> AIOKafkaProducer:
    """A producer of records that are longer than the broker's limit and shorter once they are compressed."""
    return AIOKafkaProducer(bootstrap_servers=stream.bootstrap, compression_type="gzip", max_request_size=1 << 26)


@pytest.mark.parametrize("megabytes", [1, 4, 12])
async def test_a_record_of_megabytes_is_a_dead_letter_and_the_partition_goes_on(stream: Stream, megabytes: int) -> None:
    """Compression lets a broker take them, whatever its limit."""
    model = f"large{megabytes}"
    await stream.publish_baseline(a_baseline(model=model))
    start = stream.fresh_hour()
    text = b"x" * (megabytes << 20)
    poison = encode_event(an_event(model=model, event_time=start)).replace(b'"role":"champion"', b'"role":"%s"' % text)
    assert len(gzip.compress(poison)) < 100_000
    async with compressing(stream) as producer:
        await producer.send_and_wait(stream.topic(PREDICTIONS), poison, key=b"large", partition=1)
    await stream.send(random_events(120, start, per_second=100, model=model), partition=lambda i: 1)
    await stream.reported(120, model)
    letters = await stream.dead_letters(lambda letter: letter.partition == 1, number=1)
    letter = max(letters, key=lambda letter: letter.offset)
    assert letter.reason == "malformed"
    assert letter.value == (poison if megabytes < 5 else None)
    assert megabytes < 5 or "too long to be kept here: read them at the origin" in letter.detail
    await stream.audit()


async def test_a_foreign_name_of_a_megabyte_with_line_breaks_stays_short_in_the_log(stream: Stream) -> None:
    name = "nobody\nERROR all is lost\r\n" + "m" * (1 << 19)
    await stream.send([an_event(model=name, event_time=NOON)], partition=lambda i: 3)
    (letter,) = await stream.dead_letters(lambda letter: letter.partition == 3, number=1)
    assert letter.reason == "unknown-version"
    log = stream.workers[0].log
    await eventually(lambda: "no baseline for" in log.read_text(), 10, "the worker says it")
    lines = log.read_text().splitlines()
    assert max(map(len, lines)) < 1_000
    assert not [line for line in lines if line.startswith("ERROR")]


async def test_garbage_between_the_stages_is_a_dead_letter_and_windows_go_on(stream: Stream) -> None:
    await stream.publish_baseline(a_baseline(model="between"))
    partials = stream.topic(WINDOW_PARTIALS)
    garbage = [b"no message", b"", b"\x81", b"\xc1" * 1_000]
    for value in garbage:
        for partition in range(WINDOW_PARTIALS.partitions):
            await stream.producer.send_and_wait(partials, value, partition=partition)
    await stream.send(random_events(150, stream.fresh_hour(), per_second=100, model="between"))
    await stream.reported(150, "between")
    number = len(garbage) * WINDOW_PARTIALS.partitions
    letters = await stream.dead_letters(lambda letter: letter.topic == partials, number=number)
    assert {letter.reason for letter in letters} == {"unreadable"}
    await stream.audit()


async def test_status_and_audit_leave_out_what_a_foreign_hand_wrote_and_say_so(stream: Stream) -> None:
    foreign = [b"no message", b"", b"\xff", None, b'{"v":99}']
    topics = [stream.topic(topic) for topic in (WINDOW_PARTIALS, DRIFT_REPORTS, DEAD_LETTERS)]
    for topic in topics:
        for i, value in enumerate(foreign):
            headers = [("ce_source", None if i % 2 else b"somebody")]
            await stream.producer.send_and_wait(topic, value, key=[None, b""][i % 2], headers=headers, partition=0)
    status = json.loads(await stream.command("status", "--json"))
    assert status["workers"] == 1
    [note] = status["notes"]
    assert "left out: on window-partials" in note
    assert "note: " in await stream.command("status")
    told = json.loads(await stream.command("audit", "--recount", "--json"))
    assert (told["balanced"], told["differences"]) == (True, [])
    assert {note.split(":")[0] for note in told["notes"]} >= set(topics[1:])


async def test_a_state_topic_that_does_not_fit_ends_a_worker_with_one_line(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        async with admin.connected(stream.settings, print) as client:
            await client.create_partitions({stream.topic(PREDICTIONS): NewPartitions(9)})

            async def grown() -> bool:
                return (await admin.partitions(client))[stream.topic(PREDICTIONS)] == 9

            await eventually(grown, 10, "9 partitions")
        said = await stream.command("worker", status=2)
        assert "counts-changelog has 8 partitions" in said
        assert "STREAM_APP_ID" in said
        assert said.count("\n") == 1


async def test_partitions_that_are_added_under_a_worker_end_it_within_half_a_minute(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    """What goes to them is counted by nobody, and reports of the others go on meanwhile."""
    async with Stream(kafka.bootstrap, namespace, tmp_path) as stream:
        worker = stream.worker()
        await stream.ready(worker)
        async with admin.connected(stream.settings, print) as client:
            await client.create_partitions({stream.topic(PREDICTIONS): NewPartitions(9)})
        await eventually(lambda: not worker.alive(), 30, "the worker to end")
        assert worker.returncode == 2
        assert any("was added while this worker ran" in line for line in worker.tail(20))


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


async def speaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await says_nothing(reader, writer)


@pytest.mark.parametrize("handler", [hangs_up, says_nothing, speaks_http])
async def test_what_is_no_kafka_is_waited_for_and_then_named_in_one_line(handler: Handler, tmp_path: Path) -> None:
    async with await asyncio.start_server(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        stream = Stream(f"127.0.0.1:{port}", "x.", tmp_path, broker_wait_seconds=1)
        said = await asyncio.wait_for(stream.command("worker", status=2), 20)
    assert f"no Kafka answers at 127.0.0.1:{port} for 1 s: start it, or correct STREAM_BOOTSTRAP" in said
    assert "Traceback" not in said
