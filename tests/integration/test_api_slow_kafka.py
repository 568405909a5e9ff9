"""Kafka takes connections, and answers late or never. The broker is real; a proxy in front of it is not in a hurry."""

import asyncio
from pathlib import Path

from contracts.topics import PREDICTIONS
from tests.apis import GOOD, Api, Load, create_topics, header, records, running, shared_registry, skipping_repeats
from tests.kafka_proxy import KafkaProxy
from tests.registered import a_compiled_version
from tests.waiting import eventually

BODIES = [{"features": GOOD, "entity_id": f"card-{n}"} for n in range(40)]
SLOW_SECONDS = 3.0
LAG = "tidemark_api_publish_lag_seconds"


async def test_a_broker_that_takes_seconds_to_answer_slows_nothing_but_its_lag(kafka, namespace: str, tmp_path: Path):
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="slow")
    async with KafkaProxy(kafka.bootstrap).running() as proxy:
        api = Api(
            tmp_path,
            slim=True,
            model="slow",
            tracking_uri=shared_registry(),
            bootstrap=proxy.bootstrap,
            topic_prefix=namespace,
        )
        load = Load(api.url, BODIES, pause=0.005)
        async with running(api):
            await api.until("ready")
            proxy.slow = SLOW_SECONDS
            async with load.on():
                await load.more(100)  # a second or less; the first acknowledgement takes three
                state = await api.until("degraded")
                assert state["dependencies"]["kafka"] == {"state": "away", "detail": "no answer for 1 s"}
                published = await api.metric("tidemark_api_published_total")

                async def acknowledged() -> bool:
                    return await api.metric("tidemark_api_published_total") >= published + 200

                await eventually(acknowledged, 60, "acknowledgements, however late")
                late = await api.metric(f"{LAG}_count") - await api.metric(f'{LAG}_bucket{{le="1.0"}}')
                assert late >= 2
                proxy.slow = 0
                await api.until("ready")
            await api.drained()

    assert load.refused == {}
    assert load.lost == 0
    ids = [header(record, "ce_id") for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))]
    assert len(set(ids)) == len(ids)  # a late answer is no reason to send again
    assert {answer.id for answer in load.answers} - set(ids) == set()


async def test_a_broker_that_takes_connections_and_never_answers_is_as_good_as_away(
    kafka, namespace: str, tmp_path: Path
):
    """At the start, under load, and when the API is to end; a start after that sends what was left."""
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="mute")
    async with KafkaProxy(kafka.bootstrap).running() as proxy:
        proxy.mute()
        api = Api(
            tmp_path,
            slim=True,
            model="mute",
            tracking_uri=shared_registry(),
            bootstrap=proxy.bootstrap,
            topic_prefix=namespace,
            ack_limit_seconds=2,
            drain_seconds=1,
        )
        load = Load(api.url, BODIES, pause=0.005)
        async with running(api):
            async with load.on():
                state = await api.until("degraded")
                assert state["dependencies"]["kafka"]["state"] == "away"
                await load.more(100)
                proxy.speak()
                await api.until("ready")
                await load.more(100)
                proxy.mute()
                await api.until("degraded")
                given_up = "no acknowledgement within 2 s"
                await eventually(lambda: given_up in "\n".join(api.process.tail(100)), 60, "a connection given up")
                await load.more(100)
            assert await api.stop() == 0  # by itself: whoever lasts longer than 30 s is killed
            proxy.speak()
            await api.start()
            await api.drained()

    assert load.refused == {}
    found = await records(kafka.bootstrap, PREDICTIONS.named(namespace))
    ids = {header(record, "ce_id") for record in found}
    assert {answer.id for answer in load.answers} - ids == set()
    assert sorted(skipping_repeats(found)) == sorted(ids)
