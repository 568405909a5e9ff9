"""The API follows a rollout on real Kafka and MLflow: shadow, canary, promotion, and versions that are not what they
should be. One process for the file; each test leaves the champion and no rollout behind.
"""

import asyncio
import math
import os
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from mlflow.tracking import MlflowClient

from contracts.events import decode_event
from contracts.headers import MODEL_CHANGED, cloud_event
from contracts.model_events import ModelEvent, ModelEventKind, decode_model_event, encode_model_event
from contracts.rollout import ROLLOUT_TAG, Rollout, encode_rollout
from contracts.schema import Feature, FeatureSchema
from contracts.topics import BASELINES, MODEL_EVENTS, PREDICTIONS
from tests.apis import (
    GOOD,
    START_SECONDS,
    Api,
    Load,
    create_topics,
    header,
    http_client,
    records,
    running,
    shared_registry,
)
from tests.builders import a_model_version, a_schema
from tests.registered import a_compiled_version
from tests.waiting import eventually

MODEL, PREFIX = "rolled", "rolled."
NEEDY = FeatureSchema((Feature("distance", "numeric"), Feature("age", "numeric", nullable=False)))
WIDER = a_schema(("distance", "seats", "age"), ("carrier",))


class Rolled(Api):
    """Its registry and topics, too. first: the champion; others: versions by what they are."""

    bootstrap: str
    first: str
    others: dict[str, str]

    @property
    def registry(self) -> MlflowClient:
        return MlflowClient(shared_registry())

    async def champion(self, version: str, *, told: bool = True) -> None:
        self.registry.set_registered_model_alias(MODEL, "champion", version)
        if told:
            await self.say("promoted", version)

    async def roll(self, version: str | None, stage: str = "shadow", share: float = 0) -> None:
        """As a promoter does: the tag, then the word."""
        if version is None:
            self.registry.set_registered_model_tag(MODEL, ROLLOUT_TAG, "")
            await self.say("rollout-ended", self.first)
            return
        rollout = Rollout(version=version, stage=stage, share=share, since=datetime.now(UTC))  # type: ignore[arg-type]
        self.registry.set_registered_model_tag(MODEL, ROLLOUT_TAG, encode_rollout(rollout))
        await self.say("rollout-changed", version)

    async def say(self, kind: ModelEventKind, version: str) -> None:
        event = ModelEvent(
            id=secrets.token_hex(8),
            kind=kind,
            at=datetime.now(UTC),
            model=MODEL,
            version=version,
            by="test",
            reason="-",
        )
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            topic = MODEL_EVENTS.named(PREFIX)
            headers = cloud_event(MODEL_CHANGED, event.id, "/test")
            await producer.send_and_wait(topic, encode_model_event(event), key=MODEL.encode(), headers=headers)
        finally:
            await producer.stop()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def rollout(self) -> Any:
        return (await self.get("/model")).json()["rollout"]

    async def until_state(self, state: str | None, **fields: Any) -> Any:
        async def said() -> Any:
            found = await self.rollout()
            if state is None:
                return found is None
            there = found is not None and found["state"] == state
            return found if there and all(found[name] == value for name, value in fields.items()) else None

        return await eventually(said, START_SECONDS, f"a rollout that is {state} {fields}")

    async def until_answers(self, version: str, within: float = 60) -> None:
        async def answers() -> bool:
            return (await self.get("/model")).json()["version"] == version

        await eventually(answers, within, f"version {version} answers")

    async def events(self) -> list[Any]:
        """Every prediction event that was sent."""
        await self.drained()
        return [decode_event(record.value) for record in await records(self.bootstrap, PREDICTIONS.named(PREFIX))]

    async def troubles(self, version: str) -> list[ModelEvent]:
        there = await records(self.bootstrap, MODEL_EVENTS.named(PREFIX))
        said = [decode_model_event(record.value) for record in there]
        return [event for event in said if event.kind == "rollout-trouble" and event.version == version]


@pytest.fixture(scope="module")
async def started(kafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rolled]:
    await create_topics(kafka.bootstrap, PREFIX, (PREDICTIONS, BASELINES, MODEL_EVENTS))
    registry = shared_registry()
    first = await asyncio.to_thread(a_compiled_version, registry, model=MODEL)
    others = {
        "second": await asyncio.to_thread(a_compiled_version, registry, model=MODEL),
        "wider": await asyncio.to_thread(a_compiled_version, registry, model=MODEL, schema=WIDER),
        "third": await asyncio.to_thread(a_compiled_version, registry, model=MODEL),
        "needy": await asyncio.to_thread(a_model_version, registry, model=MODEL, schema=NEEDY, alias=None),
        "bare": await asyncio.to_thread(a_model_version, registry, model=MODEL, baseline=b"", alias=None),
    }
    MlflowClient(registry).set_registered_model_alias(MODEL, "champion", first)
    api = Rolled(
        tmp_path_factory.mktemp("api"),
        model=MODEL,
        tracking_uri=registry,
        bootstrap=kafka.bootstrap,
        topic_prefix=PREFIX,
        model_poll_seconds=30,  # so that nothing but model-events makes it quick
    )
    api.bootstrap, api.first, api.others = kafka.bootstrap, first, others
    async with running(api):

        async def listens() -> bool:
            return await api.metric("tidemark_api_model_events_up") == 1

        await eventually(listens, 60, "model-events is read")
        yield api


@pytest.fixture
async def api(started: Rolled) -> AsyncIterator[Rolled]:
    yield started
    await started.roll(None)
    await started.champion(started.first)
    await started.until_answers(started.first)
    await started.until_state(None)


def entities(count: int) -> list[dict[str, Any]]:
    return [{"features": GOOD, "entity_id": f"N{number}"} for number in range(count)]


async def answered(api: Api, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async with http_client(api.url) as http:
        said = await http.post("/predict/batch", json={"rows": bodies})
    return said.json()["predictions"]


async def test_a_promotion_under_load_takes_under_a_second_and_no_request_fails(api: Rolled):
    second = api.others["second"]
    await api.roll(second)
    await api.until_state("active")
    load = Load(api.url, connections=16, pause=0.03)
    async with load.on():
        await load.more(200)

        begun = time.monotonic()
        await api.champion(second)
        moved = time.monotonic()
        await eventually(lambda: load.answers[-1].version == second, 10, "an answer of the new champion")
        took = time.monotonic() - moved

        await load.more(200)

    assert took < 5, f"{took:.2f} s; {moved - begun:.2f} s for the alias and the word"
    assert load.refused == {}
    assert load.lost == 0
    versions = [answer.version for answer in load.answers]
    assert set(versions) == {api.first, second}
    by_id = {event.id: event for event in await api.events()}
    assert all(by_id[answer.id].model_version == answer.version for answer in load.answers)
    assert {by_id[answer.id].role for answer in load.answers} == {"champion"}


async def test_the_champion_before_answers_again_at_once(api: Rolled):
    second = api.others["second"]
    await api.champion(second)
    await api.until_answers(second)

    begun = time.monotonic()
    await api.champion(api.first)
    await api.until_answers(api.first, within=10)

    assert time.monotonic() - begun < 5
    assert (await api.predict()).json()["model_version"] == api.first


async def test_a_canary_answers_its_share_and_keeps_its_entities_when_it_is_raised(api: Rolled):
    second, count = api.others["second"], 2_000
    inside: list[set[str]] = []
    for share in (5.0, 25.0, 50.0):
        await api.roll(second, "canary", share)
        await api.until_state("active", share=share)
        answers = [row for at in range(0, count, 500) for row in await answered(api, entities(count)[at : at + 500])]
        of_canary = {f"N{number}" for number, answer in enumerate(answers) if answer["role"] == "canary"}
        assert abs(len(of_canary) - count * share / 100) < 4 * math.sqrt(count * share / 100)
        assert Counter((answer["role"], answer["model_version"]) for answer in answers) == {
            ("canary", second): len(of_canary),
            ("champion", api.first): count - len(of_canary),
        }
        inside.append(of_canary)

    assert inside[0] < inside[1] < inside[2]
    for number in sorted(inside[2])[:5]:
        alone = (await api.predict(entity_id=number)).json()
        assert (alone["role"], alone["model_version"]) == ("canary", second)


async def test_each_event_says_which_version_really_scored_it_and_comes_after_its_baseline(api: Rolled):
    second = api.others["second"]
    await api.roll(second, "canary", 50)
    await api.until_state("active")

    answers = await answered(api, entities(100))

    by_id = {event.id: event for event in await api.events()}
    for answer in answers:
        event = by_id[answer["prediction_id"]]
        assert (event.model_version, event.role, event.score) == (
            answer["model_version"],
            answer["role"],
            answer["score"],
        )
    baselines = {record.key.decode() for record in await records(api.bootstrap, BASELINES.named(PREFIX))}
    assert {f"{MODEL}/{api.first}", f"{MODEL}/{second}"} <= baselines


async def test_a_shadow_scores_what_was_answered_and_every_account_balances(api: Rolled):
    wider = api.others["wider"]
    await api.roll(wider)
    await api.until_state("active")
    before = {event.id for event in await api.events()}

    answers = await answered(api, entities(200)) + [(await api.predict(entity_id="N1")).json()]

    async def scored() -> bool:
        return await api.metric("tidemark_api_shadow_rows_total") >= 201

    await eventually(scored, 30, "the shadow's rows")
    await api.drained()
    there = await records(api.bootstrap, PREDICTIONS.named(PREFIX))
    fresh = [record for record in there if header(record, "ce_id") not in before]
    shadows = [record for record in fresh if "ce_shadowof" in dict(record.headers)]
    ids = {answer["prediction_id"] for answer in answers}
    assert {answer["role"] for answer in answers} == {"champion"}
    assert {header(record, "ce_shadowof") for record in shadows} == ids
    assert {header(record, "ce_id") for record in fresh} == ids | {header(record, "ce_id") for record in shadows}
    assert len(fresh) == 2 * len(ids)
    events = [decode_event(record.value) for record in shadows]
    assert {(event.role, event.model_version) for event in events} == {("shadow", wider)}
    assert events[0].features == {"distance": GOOD["distance"], "seats": None, "age": None, "carrier": "a"}


async def test_a_shadow_costs_an_answer_little_and_nothing_when_it_is_over(api: Rolled):
    """Processor time of the whole process; the share of the shadow's own scoring and events is in it."""
    bodies = entities(500)

    async def cost() -> float:
        await answered(api, bodies)
        begun = api.cpu_seconds()
        for _ in range(20):
            await answered(api, bodies)
        return api.cpu_seconds() - begun

    alone = await cost()
    await api.roll(api.others["second"])
    await api.until_state("active")
    beside = await cost()

    assert beside < 3 * alone + 0.2


async def test_a_version_that_no_request_fits_answers_nobody_and_that_is_told(api: Rolled):
    needy = api.others["needy"]
    await api.roll(needy, "canary", 100)
    told = await api.until_state("active")
    assert told["detail"] == "'age' is needed, and no request has it"

    answers = await answered(api, entities(50))

    assert {(answer["role"], answer["model_version"]) for answer in answers} == {("champion", api.first)}
    (trouble, *_) = await eventually(lambda: api.troubles(needy), 30, "trouble on model-events")
    assert trouble.details["failures"] == 50
    assert trouble.details["role"] == "canary"


async def test_a_version_that_cannot_be_served_is_told_and_the_champion_answers(api: Rolled):
    bare = api.others["bare"]
    await api.roll(bare, "canary", 100)

    told = await api.until_state("refused")

    assert "has no baseline.json" in told["detail"]
    assert (await api.predict()).json()["model_version"] == api.first
    (trouble, *_) = await eventually(lambda: api.troubles(bare), 30, "trouble on model-events")
    assert trouble.details["loaded"] is False
    registry = (await api.get("/health/ready")).json()["dependencies"]["registry"]
    assert registry["state"] == "ok"


async def test_a_tag_that_is_no_rollout_is_told_and_the_champion_answers(api: Rolled):
    api.registry.set_registered_model_tag(MODEL, ROLLOUT_TAG, '{"stage": "soon"}')
    await api.say("rollout-changed", api.first)

    told = await api.until_state("unreadable")

    assert ROLLOUT_TAG in told["detail"]
    assert (await api.predict()).json()["role"] == "champion"


async def test_the_listing_and_explanations_know_the_version_on_its_way(api: Rolled):
    wider = api.others["wider"]
    await api.roll(wider, "canary", 100)
    await api.until_state("active")

    models = (await api.get("/models")).json()
    async with http_client(api.url) as http:
        explained = [
            (await http.post("/explain", json={"features": GOOD, **more})).json()
            for more in ({}, {"version": wider}, {"version": "999"})
        ]

    roles = {version["version"]: version["role"] for version in models["versions"] if version["role"]}
    assert roles == {api.first: "champion", wider: "canary"}
    assert models["rollout"]["version"] == wider
    assert [one.get("model_version") for one in explained] == [api.first, wider, None]
    assert explained[2]["errors"][0]["pointer"] == "/version"


async def test_a_retry_with_its_key_gets_the_canarys_answer_again(api: Rolled):
    await api.roll(api.others["second"], "canary", 100)
    await api.until_state("active")
    async with http_client(api.url) as http:
        body = {"features": GOOD, "entity_id": "N1"}
        said = [await http.post("/predict", json=body, headers={"idempotency-key": "k1"})]
        await api.roll(None)
        await api.until_state(None)
        said.append(await http.post("/predict", json=body, headers={"idempotency-key": "k1"}))

    assert said[0].json() == said[1].json()
    assert said[1].json()["role"] == "canary"


async def test_after_a_sigkill_in_a_rollout_every_answer_has_its_event_which_says_who_scored_it(api: Rolled):
    await api.roll(api.others["second"], "canary", 50)
    await api.until_state("active")
    load = Load(api.url, entities(200), connections=8, rows=20)
    async with load.on():
        await load.more(500)
        await asyncio.to_thread(api.process.kill)
        await api.start()
        await api.until_state("active")
        await load.more(500)
    await api.drained()

    by_id = {event.id: event for event in await api.events()}
    assert all(by_id[answer.id].model_version == answer.version for answer in load.answers)
    assert {answer.version for answer in load.answers} == {api.first, api.others["second"]}


async def test_without_the_topic_the_poll_follows_the_alias_and_health_says_so(kafka, namespace: str, tmp_path: Path):
    model = f"unheard-{namespace}"
    await create_topics(kafka.bootstrap, namespace)
    first = await asyncio.to_thread(a_compiled_version, shared_registry(), model=model)
    api = Api(
        tmp_path,
        slim=True,
        model=model,
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=namespace,
    )
    async with running(api):

        async def said() -> bool:
            detail = (await api.get("/health/ready")).json()["dependencies"]["registry"]["detail"]
            return f"no topic {namespace}model-events" in detail

        await eventually(said, 60, "health to say that model-events is not there")
        state = await api.until("degraded", "ready")
        assert state["dependencies"]["registry"]["state"] == "ok"
        second = await asyncio.to_thread(a_compiled_version, shared_registry(), model=model)

        async def answers() -> bool:
            return (await api.predict()).json()["model_version"] == second != first

        await eventually(answers, 60, "the new champion")


async def test_while_kafka_is_away_the_poll_goes_on_and_then_the_word_is_heard_again(own_kafka: Any, tmp_path: Path):
    kafka, model = own_kafka(), "unheard"
    await create_topics(kafka.bootstrap, "", (PREDICTIONS, BASELINES, MODEL_EVENTS))
    await asyncio.to_thread(a_compiled_version, shared_registry(), model=model)
    api = Api(tmp_path, slim=True, model=model, tracking_uri=shared_registry(), bootstrap=kafka.bootstrap)

    async def heard(wanted: float) -> None:
        async def shown() -> bool:
            return await api.metric("tidemark_api_model_events_up") == wanted

        await eventually(shown, 60, f"model_events_up to be {wanted:g}")

    async with running(api):
        await heard(1)
        await asyncio.to_thread(kafka.stop)
        await heard(0)
        assert (await api.predict()).status_code == 200
        second = await asyncio.to_thread(a_compiled_version, shared_registry(), model=model)

        async def answers() -> bool:
            return (await api.predict()).json()["model_version"] == second

        await eventually(answers, 120, "the new champion")
        await asyncio.to_thread(kafka.start)
        await heard(1)
        await api.until("ready")
        assert await api.stop() == 0
