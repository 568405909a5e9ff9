"""Kafka refuses a version's baseline: larger than its topic allows. That is said, and no event waits for it."""

import asyncio
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from mlflow.tracking import MlflowClient

from contracts.topics import BASELINES, PREDICTIONS
from tests.apis import GOOD, Api, Load, create_topics, header, records, running, shared_registry
from tests.registered import a_compiled_version
from tests.waiting import eventually

MODEL = "refused"
BODIES = [{"features": GOOD, "entity_id": f"card-{n}"} for n in range(40)]


async def allow(bootstrap: str, topic: str, message_bytes: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        limit = {"max.message.bytes": str(message_bytes)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=limit)])
    finally:
        await admin.close()


async def test_a_refused_baseline_is_said_and_holds_no_event_back_and_is_published_once_the_topic_takes_it(
    kafka, namespace: str, tmp_path: Path
):
    """Events of the version before, of the version whose baseline is refused, and of the version before again."""
    await create_topics(kafka.bootstrap, namespace)
    topic = BASELINES.named(namespace)
    first = await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
    api = Api(
        tmp_path,
        slim=True,
        model=MODEL,
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
    )
    load = Load(api.url, BODIES, connections=2, pause=0.005)
    async with running(api):
        await api.until("ready")

        async def published() -> set[str]:
            return {record.key.decode() for record in await records(kafka.bootstrap, topic)}

        await eventually(published, 20, "the first baseline")
        await allow(kafka.bootstrap, topic, 1_000)
        async with load.on():
            second = await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
            await eventually(lambda: load.answers[-1].version == second, 60, "answers of the second version")
            state = await api.until("degraded")
            assert state["dependencies"]["kafka"] == {
                "state": "away",
                "detail": f"refuses the baseline of {MODEL}/{second}: see the log",
            }
            await load.more(50)
            client = MlflowClient(shared_registry())
            await asyncio.to_thread(client.set_registered_model_alias, MODEL, "champion", first)
            await eventually(lambda: load.answers[-1].version == first, 60, "answers of the first version again")
            await load.more(50)
        await api.drained()  # of either version nothing waits
        assert await api.metric("tidemark_api_versions_without_baseline_total") == 1
        assert await api.metric("tidemark_api_kafka_up") == 1
        said = [line for line in api.process.tail(200) if "events of this version go out without it" in line]
        assert len(said) == 1
        assert f"more than max.message.bytes of {topic} allows" in said[0]
        assert await published() == {f"{MODEL}/{first}"}

        await allow(kafka.bootstrap, topic, int(BASELINES.config["max.message.bytes"]))

        await api.until("ready")
        assert await published() == {f"{MODEL}/{first}", f"{MODEL}/{second}"}

    assert (load.refused, load.lost) == ({}, 0)
    assert {answer.version for answer in load.answers} == {first, second}
    found = [header(record, "ce_id") for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))]
    assert {answer.id for answer in load.answers} - set(found) == set()
