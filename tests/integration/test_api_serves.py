"""The API on real Kafka, Redis and MLflow: one process for the file, nothing is stopped."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from api.models.store import ModelStore
from api.models.version import read_estimator
from contracts.baseline import Baseline
from contracts.events import decode_event, parse_id
from contracts.schema import Feature, FeatureSchema
from contracts.topics import BASELINES, PREDICTIONS, partition_of
from tests.apis import GOOD, Answer, Api, Load, create_topics, header, http_client, records, running, shared_registry
from tests.builders import a_fitted_pipeline, a_model_version, a_schema, reference_columns
from tests.registered import a_compiled_version
from tests.waiting import eventually

MODEL = "serves"


@pytest.fixture(scope="module")
async def api(kafka, redis_server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    prefix = "serves."
    await create_topics(kafka.bootstrap, prefix)
    await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
    api = Api(
        tmp_path_factory.mktemp("api"),
        model=MODEL,
        tracking_uri=shared_registry(),
        bootstrap=kafka.bootstrap,
        topic_prefix=prefix,
        redis_url=redis_server.url,
        redis_prefix=prefix,
    )
    async with running(api):
        await api.until("ready")
        api.bootstrap, api.prefix = kafka.bootstrap, prefix  # type: ignore[attr-defined]
        yield api


async def sent(api: Any, ids: set[str]) -> list[Any]:
    """The records of these predictions, once all are on Kafka."""

    async def found() -> list[Any]:
        there = await records(api.bootstrap, PREDICTIONS.named(api.prefix))
        mine = [record for record in there if header(record, "ce_id") in ids]
        return mine if len(mine) == len(ids) else []

    return await eventually(found, 30, f"{len(ids)} events on Kafka")


async def test_request_id_and_trace_of_the_client_reach_the_headers_of_the_event(api: Any):
    said = {
        "x-request-id": "order/17",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "vendor=1",
    }
    async with http_client(api.url) as http:
        told = await http.post("/predict", json={"features": GOOD}, headers=said)
        batch = await http.post("/predict/batch", json={"rows": [{"features": GOOD}] * 2}, headers=said)
        silent = await http.post("/predict", json={"features": GOOD}, headers={"traceparent": "00-not-one"})

    assert told.headers["x-request-id"] == batch.headers["x-request-id"] == "order/17"
    assert silent.headers["x-request-id"] == silent.json()["prediction_id"]
    of_batch = {row["prediction_id"] for row in batch.json()["predictions"]}
    for record in await sent(api, {told.json()["prediction_id"], *of_batch}):
        headers = dict(record.headers)
        assert headers["ce_requestid"] == b"order/17"
        assert headers["ce_traceparent"].decode() == said["traceparent"]
        assert headers["ce_tracestate"] == b"vendor=1"
    (record,) = await sent(api, {silent.json()["prediction_id"]})
    assert {"ce_requestid", "ce_traceparent", "ce_tracestate"} & set(dict(record.headers)) == set()


async def test_a_prediction_becomes_one_event(api: Any):
    answer = (await api.predict(entity_id="N14228", event_time="2013-06-01T10:00:00+02:00")).json()

    (record,) = await sent(api, {answer["prediction_id"]})
    event = decode_event(record.value)
    assert event.id == answer["prediction_id"]
    assert event.features == GOOD
    assert event.event_time.isoformat() == "2013-06-01T08:00:00+00:00"
    assert (event.score, event.decision) == (answer["score"], answer["decision"])
    assert (event.model, event.model_version, event.role) == (MODEL, answer["model_version"], "champion")
    assert 0 <= event.latency_ms < 10_000
    assert parse_id(event.id) is not None


async def test_the_record_is_a_cloud_event_in_its_entitys_partition(api: Any):
    answer = (await api.predict(entity_id="N7", event_time="2013-06-01T10:00:00Z")).json()

    (record,) = await sent(api, {answer["prediction_id"]})
    assert record.key == b"N7"
    assert record.partition == partition_of(b"N7", PREDICTIONS.partitions)
    assert {name: value.decode() for name, value in record.headers} == {
        "ce_specversion": "1.0",
        "ce_type": "io.tidemark.prediction.made",
        "ce_source": "/tidemark/api",
        "ce_id": answer["prediction_id"],
        "ce_time": "2013-06-01T10:00:00+00:00",
        "content-type": "application/json",
    }


async def test_the_baseline_of_the_version_is_on_kafka(api: Any):
    model = (await api.get("/model")).json()

    there = await records(api.bootstrap, BASELINES.named(api.prefix))

    baselines = {record.key.decode(): Baseline.from_bytes(record.value) for record in there}
    assert baselines[f"{MODEL}/{model['version']}"].digest == model["baseline"]


async def test_a_prediction_can_be_looked_up_by_its_id_and_among_the_recent_ones(api: Any):
    answers = [(await api.predict(entity_id=f"look-{n}")).json() for n in range(3)]
    ids = [answer["prediction_id"] for answer in answers]

    async def mirrored() -> bool:
        return (await api.get(f"/predictions/{ids[-1]}")).status_code == 200

    await eventually(mirrored, 20, "the mirror")
    one = (await api.get(f"/predictions/{ids[0]}")).json()
    assert (one["id"], one["entity_id"], one["features"]) == (ids[0], "look-0", GOOD)
    recent = (await api.get("/predictions/recent?limit=2")).json()["predictions"]
    assert [event["id"] for event in recent] == [ids[2], ids[1]]


async def test_recent_predictions_are_paged_and_filtered(api: Any):
    answers = [(await api.predict(entity_id="pages")).json() for _ in range(3)]
    decision = str(answers[0]["decision"]).lower()
    query = f"/predictions/recent?entity=pages&model={MODEL}&decision={decision}&limit=2"

    async def page(cursor: str = "") -> dict[str, Any]:
        return (await api.get(query + cursor)).json()

    async def mirrored() -> bool:
        return len((await page())["predictions"]) == 2 and (await page())["next_cursor"] is not None

    await eventually(mirrored, 20, "the mirror")
    first = await page()
    second = await page(f"&cursor={first['next_cursor']}")
    found = [event["id"] for event in first["predictions"] + second["predictions"]]
    assert found == [answer["prediction_id"] for answer in reversed(answers)]
    assert second["next_cursor"] is None


async def test_the_registered_versions_are_listed_with_the_one_that_answers(api: Any):
    models = (await api.get("/models")).json()

    assert (models["name"], models["registry"]) == (MODEL, "ok")
    (answers,) = [version for version in models["versions"] if version["answers"]]
    assert "champion" in answers["aliases"]
    assert answers["baseline"]


async def test_an_unknown_prediction_is_not_found(api: Any):
    answer = await api.get("/predictions/api.00-000000000000-0000000000")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_refused_requests_make_no_event(api: Any):
    await api.drained()
    before = await api.metric("tidemark_api_published_total")
    async with http_client(api.url) as http:
        for body in (b'{"features": {"distance": NaN}}', b'{"features": {"distnce": 1}}', b"{", b"\xff", b" " * 70_000):
            headers = {"content-type": "application/json"}
            assert (await http.post("/predict", content=body, headers=headers)).status_code >= 400
        assert (await http.post("/predict", data={"distance": "1"})).status_code == 415

    last = (await api.predict()).json()
    await sent(api, {last["prediction_id"]})
    await api.drained()
    assert await api.metric("tidemark_api_published_total") == before + 1


async def test_a_connection_goes_on_after_a_body_that_was_too_large(api: Any):
    async with http_client(api.url) as http:
        headers = {"content-type": "application/json"}
        assert (await http.post("/predict", content=b" " * 3_000_000, headers=headers)).status_code == 413
        assert (await http.post("/predict", json={"features": GOOD})).status_code == 200


async def test_many_clients_share_batches(api: Any):
    before = [await api.metric(f"tidemark_api_batch_rows_{part}") for part in ("sum", "count")]
    load = Load(api.url, connections=16)
    async with load.on():
        await load.more(400)

    rows, batches = [
        await api.metric(f"tidemark_api_batch_rows_{part}") - had
        for part, had in zip(("sum", "count"), before, strict=True)
    ]
    assert rows >= 400
    assert rows / batches > 1.5


async def test_the_champion_is_swapped_under_load_without_a_dropped_request(api: Any):
    """Each event has the version that was answered, and no version's event is there before its baseline."""
    wider = FeatureSchema((*a_schema().features, Feature("age", "numeric")))
    before = (await api.get("/model")).json()["version"]
    both = BothWays(api, [{"features": GOOD, "entity_id": f"swap-{n}"} for n in range(50)])
    async with both.on():
        await both.more(200)
        after = await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL, schema=wider)
        await both.answered_by(after)
        assert (await api.get("/model")).json()["scorer"] == "compiled-trees"
        await both.more(200)

    both.without_a_loss()
    assert {answer.version for answer in both.answers} == {before, after}
    events = {header(r, "ce_id"): decode_event(r.value) for r in await sent(api, {a.id for a in both.answers})}
    assert {id_: event.model_version for id_, event in events.items()} == {a.id: a.version for a in both.answers}
    assert "age" in (await api.get("/openapi.json")).json()["components"]["schemas"]["Features"]["properties"]
    baselines = {r.key.decode(): r.timestamp for r in await records(api.bootstrap, BASELINES.named(api.prefix))}
    first = min(
        r.timestamp
        for r in await records(api.bootstrap, PREDICTIONS.named(api.prefix))
        if json.loads(r.value)["model_version"] == after
    )
    assert baselines[f"{MODEL}/{after}"] <= first


async def test_each_event_of_a_swap_has_the_version_that_really_scored_it(api: Any, tmp_path: Path):
    """Two versions whose scores differ, one with a compiled form and one without, there and back: each event's score is
    worked out again with scikit-learn.
    """
    rows = {f"rescored-{n}": {"distance": 60.0 + 2 * n, "seats": None, "carrier": "abc"[n % 3]} for n in range(40)}
    before = await asyncio.to_thread(a_compiled_version, shared_registry(), model=MODEL)
    await eventually(lambda: answers_with(api, before, "compiled-trees"), 120, "the first version")
    both = BothWays(api, [{"features": row, "entity_id": entity} for entity, row in rows.items()])
    async with both.on():
        await both.more(200)
        other = fitted_to_the_opposite()
        after = await asyncio.to_thread(a_model_version, shared_registry(), model=MODEL, estimator=other)
        await both.answered_by(after)
        assert await answers_with(api, after, "predict_proba")
        await both.more(200)
        client = MlflowClient(shared_registry())
        await asyncio.to_thread(client.set_registered_model_alias, MODEL, "champion", before)
        await both.answered_by(before)
        assert await answers_with(api, before, "compiled-trees")
        await both.more(50)

    both.without_a_loss()
    store = ModelStore(shared_registry(), MODEL, "champion", tmp_path)
    scores: dict[str, dict[str, float]] = {}
    for version in (before, after):
        files = (await asyncio.to_thread(store.load, version)).files
        model = await asyncio.to_thread(read_estimator, files, version)
        columns = {name: [row[name] for row in rows.values()] for name in GOOD}
        frame = pd.DataFrame(columns).astype({"distance": float, "seats": float, "carrier": "str"})
        scores[version] = dict(zip(rows, model.predict_proba(frame)[:, 1].tolist(), strict=True))
    assert all(abs(scores[before][entity] - scores[after][entity]) > 0.01 for entity in rows)
    answers = {answer.id: answer for answer in both.answers}
    assert {answer.version for answer in both.answers} == {before, after}
    for record in await sent(api, set(answers)):
        event = decode_event(record.value)
        assert event.score == pytest.approx(scores[event.model_version][event.entity_id], abs=1e-9)
        assert answers[event.id] == (event.id, event.model_version, event.score)


class BothWays:
    """Two loads of the same rows: one by one, and ten in a batch."""

    def __init__(self, api: Api, bodies: list[dict[str, Any]]) -> None:
        one_by_one = Load(api.url, bodies, connections=2, pause=0.003)
        self._loads = one_by_one, Load(api.url, bodies, connections=2, pause=0.005, rows=10)

    @property
    def answers(self) -> list[Answer]:
        return [answer for load in self._loads for answer in load.answers]

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        single, batches = self._loads
        async with single.on(), batches.on():
            yield

    async def more(self, count: int) -> None:
        """So many more in either way."""
        for load in self._loads:
            await load.more(count)

    async def answered_by(self, version: str) -> None:
        for load in self._loads:
            await eventually(lambda load=load: load.answers[-1].version == version, 120, f"answers of {version}")

    def without_a_loss(self) -> None:
        assert [(load.refused, load.lost) for load in self._loads] == [({}, 0)] * 2


async def answers_with(api: Any, version: str, scorer: str) -> bool:
    said = (await api.get("/model")).json()
    return (said["version"], said["scorer"]) == (version, scorer)


def fitted_to_the_opposite() -> Any:
    """A pipeline that gives a high score where the usual one gives a low one."""
    pipeline = a_fitted_pipeline(a_schema())
    columns = reference_columns(a_schema(), 200)
    return pipeline.fit(pd.DataFrame(columns), columns["distance"] < 105)
