"""The commands: topics made and checked, a start that waits or says in one line what is wrong, and metrics."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts.topics import BASELINES, PREDICTIONS, TOPICS
from demo.stack.processes import ServiceProcess
from stream_app import admin
from stream_app.audit.reading import audit
from stream_app.errors import TopicsError
from stream_app.topic_layout import Layout, check_layout
from tests.builders import a_baseline
from tests.kafka_proxy import KafkaProxy
from tests.servers.verbs import Broker
from tests.streams import Stream, random_events
from tests.waiting import eventually


def at(kafka: Broker, namespace: str, directory: Path, **settings: object) -> Stream:
    """Not entered: nothing is created yet."""
    return Stream(kafka.bootstrap, namespace, directory, **settings)


async def test_topics_are_created_once_and_found_the_second_time(kafka: Broker, namespace: str, tmp_path: Path) -> None:
    stream = at(kafka, namespace, tmp_path)
    first, second = await stream.command("topics"), await stream.command("topics")
    names = {stream.settings.topic(topic) for topic in TOPICS}
    states = "counts", "windows", "performance-labels", "performance-revisions"
    names |= {f"{namespace}tidemark-{state}-changelog" for state in states}
    assert {line.split()[0] for line in first.splitlines()} == names
    assert [line.split()[3] for line in first.splitlines()] == ["created"] * len(names)
    assert [line.split()[3] for line in second.splitlines()] == ["exists"] * len(names)
    async with admin.connected(stream.settings, print) as client:
        configs = await admin.used_configs(client, stream.settings)
    assert {config["min.insync.replicas"] for config in configs.values()} == {"1"}  # of one copy two cannot be asked


async def test_topics_may_be_created_by_several_at_once(kafka: Broker, namespace: str, tmp_path: Path) -> None:
    stream = at(kafka, namespace, tmp_path)
    tables = await asyncio.gather(*[stream.command("topics") for _ in range(4)])
    assert len({tuple(line.split()[0] for line in table.splitlines()) for table in tables}) == 1


async def test_a_topic_of_the_wrong_kind_is_named(kafka: Broker, namespace: str, tmp_path: Path) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    await client.create_topics([admin.NewTopic(BASELINES.named(namespace), 1, 1)])  # cleanup.policy=delete
    await client.close()
    said = await at(kafka, namespace, tmp_path).command("topics", status=2)
    (line,) = [line for line in said.splitlines() if "mismatched" in line]
    assert "baselines" in line
    assert "cleanup.policy=delete, compact wanted" in line
    assert f"--alter --topic {namespace}baselines --add-config cleanup.policy=compact`" in line


async def test_a_topic_that_an_older_version_made_for_smaller_records_is_named_with_the_command_that_mends_it(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    config = {"cleanup.policy": "compact", "max.message.bytes": str(8 << 20)}
    await client.create_topics([admin.NewTopic(BASELINES.named(namespace), 1, 1, topic_configs=config)])
    await client.close()
    said = await at(kafka, namespace, tmp_path).command("topics", status=2)
    (line,) = [line for line in said.splitlines() if "mismatched" in line]
    assert f"--alter --topic {namespace}baselines --add-config max.message.bytes={16 << 20}" in line


async def test_predictions_may_have_as_many_partitions_as_is_wished(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    stream = at(kafka, namespace, tmp_path)
    await stream.command("topics", "--partitions", "3")
    async with admin.connected(stream.settings, print) as client:
        assert check_layout(stream.settings, await admin.partitions(client)) == Layout(3, 4)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (2, "--partitions 2 is not applied: Kafka takes no partitions away; a topic under another STREAM_TOPIC_PREFIX"),
        (5, '--partitions 5 is not applied: more of them need new state topics, see "More partitions" in docs/scaling'),
    ],
)
async def test_a_wish_for_partitions_that_comes_too_late_is_told_why_it_changes_nothing(
    kafka: Broker, namespace: str, tmp_path: Path, wish: int, words: str
) -> None:
    stream = at(kafka, namespace, tmp_path)
    await stream.command("topics", "--partitions", "3")
    said = await stream.command("topics", "--partitions", str(wish))  # what must be there is there: status 0
    (line,) = [line for line in said.splitlines() if "not applied" in line]
    assert line.split()[:4] == [stream.topic(PREDICTIONS), "3", "partitions", "exists"]
    assert words in line
    assert "not applied" not in await stream.command("topics", "--partitions", "3")


async def test_a_worker_without_its_topics_ends_with_one_line_that_says_what_to_do(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    said = await at(kafka, namespace, tmp_path).command("worker", status=2)
    assert said.count("\n") == 1
    assert f"missing topics: {namespace}predictions" in said
    assert "python -m stream_app topics" in said


async def test_a_state_topic_that_does_not_fit_its_source_is_named(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with at(kafka, namespace, tmp_path) as stream, admin.connected(stream.settings, print) as client:
        await client.create_partitions({stream.topic(PREDICTIONS): NewPartitions(9)})

        async def grown() -> bool:
            return (await admin.partitions(client))[stream.topic(PREDICTIONS)] == 9

        await eventually(grown, 10, "9 partitions")
        with pytest.raises(TopicsError, match=r"counts-changelog has 8 partitions, .*predictions has 9"):
            check_layout(stream.settings, await admin.partitions(client))
        said = await stream.command("topics", status=2)
        (line,) = [line for line in said.splitlines() if "mismatched" in line and "tidemark-counts" in line]
        assert "8 partitions, 9 wanted: choose another STREAM_APP_ID" in line
        assert "change it on the broker" not in said


@pytest.mark.parametrize(
    ("topic", "key", "value"),
    [
        ("predictions", "message.timestamp.type", "CreateTime"),
        ("tidemark-counts-changelog", "cleanup.policy", "delete"),
    ],
)
async def test_a_worker_does_not_start_on_a_topic_of_the_wrong_kind(
    kafka: Broker, namespace: str, tmp_path: Path, topic: str, key: str, value: str
) -> None:
    async with at(kafka, namespace, tmp_path) as stream, admin.connected(stream.settings, print) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{namespace}{topic}", {key: value})])
        said = await stream.command("worker", status=2)
        assert f"topic {namespace}{topic} has {key}={value}, and must have " in said
        assert said.count("\n") == 1


async def test_a_worker_waits_for_a_broker_that_is_not_up_yet(own_kafka: Callable[[], Broker], tmp_path: Path) -> None:
    broker = own_kafka()
    async with Stream(broker.bootstrap, "early.", tmp_path) as stream:
        await stream.producer.stop()
        await asyncio.to_thread(broker.stop)
        worker = stream.worker()
        await eventually(lambda: "no Kafka answers" in "\n".join(worker.tail()), 20, "the worker says that it waits")
        await asyncio.to_thread(broker.start)
        await stream.ready(worker, partitions=8)
        assert await asyncio.to_thread(worker.terminate, 30) == 0


async def test_a_broker_that_never_answers_ends_with_one_line(namespace: str, tmp_path: Path) -> None:
    stream = Stream("127.0.0.1:1", namespace, tmp_path, broker_wait_seconds=1)
    said = await stream.command("topics", status=2)
    assert "no Kafka answers at 127.0.0.1:1 for 1 s: start it, or correct STREAM_BOOTSTRAP" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window_seconds": "soon"}, "STREAM_WINDOW_SECONDS"),
        ({"preset": "strict"}, "STREAM_PRESET=strict: no such rule; there are calibrated, classic"),
        ({"page_after": 5}, "STREAM_PAGE_AFTER"),
        ({"metrics_port": 70_000}, "STREAM_METRICS_PORT"),
    ],
)
async def test_a_wrong_setting_ends_with_one_line_that_names_it(
    settings: dict[str, object], words: str, tmp_path: Path
) -> None:
    stream = Stream("127.0.0.1:1", "x.", tmp_path)
    stream.env |= {f"STREAM_{name.upper()}": str(value) for name, value in settings.items()}
    said = await stream.command("worker", status=2)
    assert words in said
    assert said.count("\n") == 1


async def test_the_audit_and_the_metrics_tell_the_same(kafka: Broker, namespace: str, tmp_path: Path) -> None:
    async with at(kafka, namespace, tmp_path) as stream:
        await stream.publish_baseline(a_baseline())
        worker = stream.worker(metrics_port=0)
        await stream.ready(worker)
        await stream.send(random_events(300, stream.fresh_hour(), per_second=100))
        await stream.send_raw([b"{"])
        await stream.reported(300)
        port = re.search(r"metrics on port (\d+)", "\n".join(worker.tail(100)))[1]
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read())
        series = dict(line.rsplit(" ", 1) for line in page.decode().splitlines() if not line.startswith("#"))
        assert float(series['tidemark_stream_events_total{outcome="counted"}']) == 300
        assert float(series['tidemark_stream_dead_letters_total{reason="malformed"}']) == 1
        assert float(series["tidemark_stream_gaps_total"]) == 0
        assert float(series["tidemark_stream_ready"]) == 1
        told = json.loads(await stream.command("audit", "--json"))
        assert told["balanced"] is True
        assert [version["counted"] for version in told["accounts"]["versions"]] == [300]
        assert "balanced" in await stream.command("audit")


async def test_an_unreadable_baseline_is_a_dead_letter_and_holds_nobody_up(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with at(kafka, namespace, tmp_path) as stream:
        await stream.producer.send_and_wait(stream.topic(BASELINES), b"no baseline", key=b"broken/1")
        await stream.publish_baseline(a_baseline())
        await stream.ready(stream.worker())
        (letter,) = await stream.dead_letters(lambda letter: letter.topic == stream.topic(BASELINES), number=1)
        assert (letter.reason, letter.key, letter.value) == ("unreadable", b"broken/1", b"no baseline")
        await stream.send(random_events(150, stream.fresh_hour(), per_second=100))
        await stream.reported(150)


async def test_a_worker_that_waits_for_a_broker_can_be_told_to_stop(tmp_path: Path) -> None:
    stream = Stream("127.0.0.1:1", "x.", tmp_path)
    worker = stream.worker()
    await eventually(lambda: "no Kafka answers" in "\n".join(worker.tail()), 30, "the worker says that it waits")
    assert await asyncio.to_thread(worker.terminate, 10) == 0


async def test_state_that_cannot_be_read_stops_the_worker_with_one_line(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with at(kafka, namespace, tmp_path) as stream:
        topic = stream.settings.counts_topic
        await stream.producer.send_and_wait(topic, b"of a version to come", key=b"\x91\x00", partition=0)
        worker = stream.worker()
        assert await asyncio.to_thread(worker.wait, 40) == 2
        (line,) = [line for line in worker.tail() if line.startswith("stream_app: ")]
        assert f"the state in topic {topic} cannot be read" in line
        assert "STREAM_APP_ID" in line
        assert "Traceback" not in worker.log.read_text()


async def test_state_that_cannot_be_written_stops_the_worker_before_it_commits(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with at(kafka, namespace, tmp_path) as stream, admin.connected(stream.settings, print) as client:
        await stream.publish_baseline(a_baseline())
        kind, topic, compacted = ConfigResourceType.TOPIC, stream.settings.counts_topic, {"cleanup.policy": "compact"}
        await client.alter_configs([ConfigResource(kind, topic, {**compacted, "max.message.bytes": "200"})])
        worker = stream.worker()
        await stream.ready(worker)
        await stream.send(random_events(100, stream.fresh_hour(), per_second=100))
        assert await asyncio.to_thread(worker.wait, 40) == 2
        (line,) = [line for line in worker.tail(100) if line.startswith("stream_app: ")]
        assert "state could not be written (MessageSizeTooLargeError" in line
        await client.alter_configs([ConfigResource(kind, topic, compacted)])
        await stream.ready(stream.worker())
        await stream.reported(100)


async def test_another_app_id_counts_everything_anew(kafka: Broker, namespace: str, tmp_path: Path) -> None:
    async with at(kafka, namespace, tmp_path) as former:
        await former.publish_baseline(a_baseline())
        start = former.fresh_hour()
        for _ in range(2):  # each start is a generation of the group
            worker = former.worker()
            await former.ready(worker)
            await asyncio.to_thread(worker.terminate, 20)
        await former.ready(former.worker())
        await former.send(random_events(300, start, per_second=100))
        await former.reported(300)
        await asyncio.to_thread(former.workers[-1].terminate, 20)
    async with at(kafka, namespace, tmp_path, app_id="anew", window_seconds=20) as stream:
        await stream.ready(stream.worker())
        more = random_events(200, start + timedelta(minutes=1), per_second=100, seed=1)
        await stream.send(more)

        async def accounted() -> bool:
            (version,) = (await audit(stream.settings)).accounts.versions or (None,)
            return version is not None and (version.counted, version.reported_rows) == (500, 500)

        await eventually(accounted, 40, "both windows counted and closed by the new group")


async def test_a_topic_that_was_made_anew_ends_the_worker_with_one_line_and_another_app_id_counts_it(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    async with at(kafka, namespace, tmp_path) as stream, admin.connected(stream.settings, print) as client:
        await stream.publish_baseline(a_baseline())
        await stream.send(random_events(200, stream.fresh_hour(), per_second=100))
        await stream.ready(worker := stream.worker())
        await stream.reported(200)
        await asyncio.to_thread(worker.terminate, 20)
        await client.delete_topics([stream.topic(PREDICTIONS)])

        async def gone() -> bool:
            return stream.topic(PREDICTIONS) not in await admin.partitions(client)

        await eventually(gone, 20, "the topic is gone")
        await admin.create(client, stream.settings)
        await stream.ready(worker := stream.worker())
        await stream.send(more := random_events(80, stream.fresh_hour(), per_second=100))
        (tmp_path / "anew").mkdir()
        async with at(kafka, namespace, tmp_path / "anew", app_id="anew") as other:  # while the first one waits
            await other.ready(other.worker())
            await other.reported(200 + len(more))
        assert await asyncio.to_thread(worker.wait, 70) == 2  # 45 s: a leader might be looking for its log's end
        (line,) = [line for line in worker.tail(100) if line.startswith("stream_app: ")]
        assert "ends at offset 10 and was read to 25: the topic was made anew" in line


async def test_a_worker_whose_broker_goes_away_in_the_middle_of_its_start_waits_for_it(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    #   it has read the baselines | the broker is away | its own consumer and producer start
    proxy = KafkaProxy(kafka.bootstrap)
    async with proxy.running(), at(kafka, namespace, tmp_path) as stream:
        await stream.publish_baseline(a_baseline())
        for _ in range(10):  # it may be quicker than this test sees it
            worker = await half_started(stream, proxy)
            await asyncio.sleep(2)
            assert worker.alive(), log_of(worker)
            proxy.come_back()
            await stream.ready(worker, 8, within=60)
            if "no Kafka answers any more: " in log_of(worker):
                return
            worker.kill()
        pytest.fail("the broker was always away too early or too late")


async def test_a_worker_that_is_told_to_stop_while_its_broker_is_away_in_the_middle_of_its_start_ends(
    kafka: Broker, namespace: str, tmp_path: Path
) -> None:
    proxy = KafkaProxy(kafka.bootstrap)
    async with proxy.running(), at(kafka, namespace, tmp_path) as stream:
        await stream.publish_baseline(a_baseline())
        worker = await half_started(stream, proxy)
        assert await asyncio.to_thread(worker.terminate, 20) == 0, log_of(worker)
        assert "Traceback" not in log_of(worker), log_of(worker)


async def half_started(stream: Stream, proxy: KafkaProxy) -> ServiceProcess:
    """A worker whose broker goes away behind what it reads first."""
    worker = stream.worker(bootstrap=proxy.bootstrap)
    await eventually(lambda: "INFO    stream_app.baselines" in log_of(worker), 60, "its baselines")
    proxy.leave()
    await eventually(lambda: "KafkaConnectionError" in log_of(worker), 60, "a broker that is away")
    return worker


def log_of(worker: ServiceProcess) -> str:
    return "\n".join(worker.tail(500))
