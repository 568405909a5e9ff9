"""The outbox's disk is full, or fails; and the whole machine stands still for a while."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from contracts.topics import PREDICTIONS
from tests.apis import GOOD, Api, Load, create_topics, header, records, running, shared_registry, skipping_repeats
from tests.kafka_proxy import KafkaProxy
from tests.registered import a_compiled_version
from tests.small_disk import small_disk
from tests.waiting import eventually

BODIES = [{"features": GOOD, "entity_id": f"card-{n}"} for n in range(40)]
LARGE = [{"features": {**GOOD, "carrier": "x" * 20_000}, "entity_id": f"card-{n}"} for n in range(20)]


async def missing(bootstrap: str, prefix: str, *loads: Load) -> set[str]:
    """Which answered predictions are not on Kafka; and what is there twice must show by the ids alone."""
    found = await records(bootstrap, PREDICTIONS.named(prefix))
    ids = {header(record, "ce_id") for record in found}
    assert sorted(skipping_repeats(found)) == sorted(ids)
    return {answer.id for load in loads for answer in load.answers} - ids


async def test_on_a_full_disk_predictions_get_503_and_what_was_answered_is_not_lost(
    kafka, namespace: str, tmp_path: Path
):
    """First something else fills the disk, and the API is killed and started again meanwhile; then the outbox itself
    does, with Kafka away. Each time it goes on by itself.
    """
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="disk")
    with small_disk(tmp_path / "disk", mib=3) as disk:
        async with KafkaProxy(kafka.bootstrap).running() as proxy:
            api = Api(
                tmp_path,
                command=[*disk.inside, sys.executable, "-m", "api"],
                slim=True,
                model="disk",
                tracking_uri=shared_registry(),
                bootstrap=proxy.bootstrap,
                topic_prefix=namespace,
                outbox_dir=disk.mounted / "outbox",
                ack_limit_seconds=2,
            )
            load = Load(api.url, LARGE, connections=2, pause=0.01)
            async with running(api), load.on():
                await api.until("ready")
                await load.more(20)
                proxy.mute()
                await load.more(20)  # some are not acknowledged when the disk is full
                disk.fill()
                state = await api.until("unavailable")
                assert "cannot be written: No space left on device" in state["dependencies"]["outbox"]["detail"]
                before = load.refused[503]
                await eventually(lambda: load.refused[503] > before + 5, 30, "refusals")

                await asyncio.to_thread(api.process.kill)
                proxy.speak()
                await api.start(ready=False)
                state = await api.until("unavailable", within=180)
                await eventually(lambda: serving(api), 60, "a version, from the baseline that was kept before")
                await api.drained()  # the position cannot be written; nothing waits all the same

                disk.make_room()
                await api.until("ready", "degraded")
                await load.more(20)

                proxy.mute()
                await api.until("unavailable")
                proxy.speak()
                await load.more(100)
                await api.until("ready")
                await api.drained()

    assert set(load.refused) == {503}
    assert load.without_retry_after == 0
    assert await missing(kafka.bootstrap, namespace, load) == set()


async def serving(api: Api) -> bool:
    return (await api.get("/model")).status_code == 200


async def test_a_disk_that_does_not_sync_stops_answers_where_each_group_must_be_synced(
    kafka, namespace: str, tmp_path: Path
):
    """And nowhere else: there it is counted, for a power cut would take what is answered meanwhile. A refused one
    is no event: whoever tries it again makes one, not two.
    """
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="failing")
    fails = tmp_path / "fails"
    apis = [
        Api(
            tmp_path / sync,
            sync,
            command=[sys.executable, "-m", "tests.failing_disk", str(fails)],
            slim=True,
            model="failing",
            tracking_uri=shared_registry(),
            bootstrap=kafka.bootstrap,
            topic_prefix=namespace,
            outbox_sync=sync,
        )
        for sync in ("group", "second")
    ]
    group, second = apis
    # an entity of its own for each row; three connections, one of them with batches
    asked = [
        Load(group.url, [{"features": GOOD, "entity_id": f"{n}-{row}"} for row in range(20_000)], 1, 0.005, rows=rows)
        for n, rows in enumerate((0, 0, 5))
    ]
    untroubled = Load(second.url, BODIES, connections=2, pause=0.005)
    async with running(group), running(second):
        for api in apis:
            await api.until("ready")
        async with asked[0].on(), asked[1].on(), asked[2].on(), untroubled.on():
            for load in (*asked, untroubled):
                await load.more(50)
            assert await second.metric("tidemark_api_outbox_sync_failures_total") == 0
            for failure in (1, 2, 3):
                fails.touch()
                state = await group.until("unavailable")
                assert "cannot be made durable: Input/output error" in state["dependencies"]["outbox"]["detail"]
                for load in asked:
                    await eventually(lambda load=load, least=5 * failure: load.refused[503] > least, 30, "refusals")

                async def counted(least: int = failure) -> bool:
                    return await second.metric("tidemark_api_outbox_sync_failures_total") >= least

                await eventually(counted, 30, "a failure counted")
                await untroubled.more(50)
                fails.unlink()

                await group.until("ready")
                for load in asked:
                    await load.more(50)
        for api in apis:
            await api.drained()
        answered = sum(len(load.answers) for load in asked)
        # what was answered when the load ended, and nobody waited for any more, is counted too
        assert answered <= await group.metric("tidemark_api_predictions_total") <= answered + 7

    for load in asked:
        assert set(load.refused) == {503}
        assert load.without_retry_after == 0
    assert untroubled.refused == {}
    assert await missing(kafka.bootstrap, namespace, *asked, untroubled) == set()
    refused = {entity for load in asked for body in load.refused_bodies for entity in entities(json.loads(body))}
    sent = {record.key.decode() for record in await records(kafka.bootstrap, PREDICTIONS.named(namespace))}
    assert len(refused) > 45
    assert refused & sent == set()


def entities(body: dict[str, Any]) -> list[str]:
    return [row["entity_id"] for row in body.get("rows", [body])]


async def test_an_api_that_stood_still_for_seconds_goes_on_where_it_was(kafka, namespace: str, tmp_path: Path):
    """For its clock the time has jumped: every deadline of its own has passed when it wakes up."""
    await create_topics(kafka.bootstrap, namespace)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model="still")
    api = Api(
        tmp_path,
        slim=True,
        model="still",
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
        ack_limit_seconds=2,
    )
    load = Load(api.url, BODIES, pause=0.002)
    async with running(api):
        await api.until("ready")
        async with load.on():
            await load.more(100)
            api.process.pause()
            paused = time.monotonic()
            await eventually(lambda: time.monotonic() - paused > 4, 10, "some seconds")
            api.process.resume()
            await load.more(200)
            await api.until("ready")
        await api.drained()

    assert load.refused == {}
    assert load.lost == 0
    assert await missing(kafka.bootstrap, namespace, load) == set()
