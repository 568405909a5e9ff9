"""POST /predict/batch as a client sees it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.events import decode_event, parse_id
from tests.builders import a_baseline, a_schema
from tests.serving import FirstNumberScorer, a_served, an_app, of_one_identity, services

GOOD = {"distance": 70, "seats": None, "carrier": "a"}
JSON = {"content-type": "application/json"}


def row(distance: Any = 70, **fields: Any) -> dict[str, Any]:
    return {"features": {**GOOD, "distance": distance}, **fields}


async def ask(app: Any, body: Any, path: str = "/predict/batch") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        return await http.post(path, content=content, headers=JSON)


def events(app: Any) -> list[Any]:
    slice_ = services(app).outbox.backlog.read()
    groups = [] if slice_ is None else slice_.groups
    return [decode_event(record.value) for group in groups for record in group.records]


def counted(app: Any, series: str, **labels: str) -> float:
    return services(app).telemetry.registry.get_sample_value(f"tidemark_api_{series}", labels) or 0.0


async def test_each_row_is_answered_in_order_and_is_one_event(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), batch_rows=4)

    answer = await ask(app, {"rows": [row(n, entity_id=f"e{n}") for n in range(10)]})

    said = answer.json()
    assert (answer.status_code, said["answered"], said["refused"]) == (200, 10, 0)
    assert [prediction["score"] for prediction in said["predictions"]] == [n / 100 for n in range(10)]
    assert [(e.id, e.entity_id) for e in events(app)] == [
        (prediction["prediction_id"], f"e{n}") for n, prediction in enumerate(said["predictions"])
    ]
    assert counted(app, "predictions_total", model="flights", version="1") == 10


async def test_a_rows_answer_and_event_are_those_of_the_same_single_request(tmp_path: Path):
    one, other = (an_app(of_one_identity(tmp_path / name), served=a_served()) for name in ("one", "other"))
    request = row(71.5, entity_id="N1", event_time="2025-12-31T14:00:00+02:00")

    (in_batch,) = (await ask(one, {"rows": [request]})).json()["predictions"]
    alone = (await ask(other, request, "/predict")).json()

    own = {"prediction_id": "", "receipt": ""}  # a receipt is for its id
    assert {**in_batch, **own} == {**alone, **own}
    assert len(in_batch["receipt"]) == len(alone["receipt"]) > 0
    (event,), (single) = events(one), events(other)[0]
    assert {**as_dict(event), "id": "", "latency_ms": 0} == {**as_dict(single), "id": "", "latency_ms": 0}


def as_dict(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


async def test_good_rows_are_answered_although_others_are_bad(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    body = (
        b'{"rows": [{"features": {"distance": 1}}, {"features": {"distance": NaN}}, {"features": {"distnce": 1}}, 5,'
        b' {"features": {"distance": -1}}, {"features": {"distance": "1"}}, {"features": {}, "event_time": "9999-01-01'
        b'T00:00:00Z"}, {"features": {"distance": 3}, "entity_id": "a: NaN,"}]}'
    )

    said = (await ask(app, body)).json()

    assert (said["answered"], said["refused"]) == (2, 6)
    kinds = [entry["error"]["type"].rsplit(":")[-1] if "error" in entry else "" for entry in said["predictions"]]
    assert kinds == ["", "non-finite", "unknown-field", "wrong-type", "scoring", "wrong-type", "event-time", ""]
    pointers = [[e["pointer"] for e in entry.get("error", {}).get("errors", [])] for entry in said["predictions"]]
    assert pointers == [
        [],
        ["/rows/1/features/distance"],
        ["/rows/2/features/distnce"],
        ["/rows/3"],
        [],
        ["/rows/5/features/distance"],
        ["/rows/6/event_time"],
        [],
    ]
    statuses = [entry["error"]["status"] for entry in said["predictions"] if "error" in entry]
    assert statuses == [422, 422, 422, 500, 422, 422]
    assert [(event.score, event.entity_id) for event in events(app)] == [(0.01, None), (0.03, "a: NaN,")]
    assert counted(app, "refused_requests_total", category="wrong-type") == 2
    assert counted(app, "refused_requests_total", category="non-finite") == 1
    assert counted(app, "failed_requests_total", why="scoring") == 1


@pytest.mark.parametrize(
    ("body", "status", "kind", "where"),
    [
        (b'{"rows": []}', 422, "row-count", "/rows"),
        (json.dumps({"rows": [row()] * 1001}).encode(), 422, "row-count", "/rows"),
        (b'{"rows": {}}', 422, "wrong-type", "/rows"),
        (b'{"rows": null}', 422, "wrong-type", "/rows"),
        (b"{}", 422, "missing-field", "/rows"),
        (b'{"row": []}', 422, "unknown-field", "/row"),
        (b'{"rows": [{"features": {}}], "more": 1}', 422, "unknown-field", "/more"),
        (b"[]", 422, "wrong-type", ""),
        (b"", 400, "not-json", None),
        (b'{"rows": [', 400, "not-json", None),
        (b'{"rows": [{]}', 400, "not-json", None),
        (b'{"rows": ["\xff"]}', 400, "not-utf-8", None),
        (b'{"rows":' + b"[" * 100_000, 422, "wrong-type", "/rows/0"),
        (b" " * 3_000_000, 413, "too-large", None),
    ],
)
async def test_a_body_that_is_no_batch_is_refused_whole_and_makes_no_event(
    tmp_path: Path, body: bytes, status: int, kind: str, where: str | None
):
    app = an_app(tmp_path, served=a_served())

    answer = await ask(app, body)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"urn:tidemark:problem:{kind}")
    assert [error["pointer"] for error in problem.get("errors", [])] == ([] if where is None else [where])
    assert services(app).outbox.backlog.pending_bytes == 0
    assert counted(app, "refused_requests_total", category=kind) == 1


async def test_a_thousand_rows_are_taken(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())

    assert (await ask(app, {"rows": [row()] * 1000})).json()["answered"] == 1000


async def test_a_batch_that_the_outbox_has_no_room_for_has_no_event_at_all(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), outbox_max_bytes=1 << 20)
    many = {"rows": [{"features": {**GOOD, "carrier": "x" * 1500}}] * 900}
    assert (await ask(app, {"rows": [row()] * 2})).status_code == 200

    answer = await ask(app, many)

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:tidemark:problem:outbox")
    assert answer.headers["retry-after"] == "5"
    assert len(events(app)) == 2
    assert counted(app, "predictions_total", model="flights", version="1") == 2


async def test_ids_of_a_source_rise_in_the_outbox_although_batches_and_single_requests_come_at_once(tmp_path: Path):
    """batches: |-score-|-score-|-score-|-commit-| one after the other   single: |-predict-| each in the gaps."""
    app = an_app(tmp_path, served=a_served(), batch_rows=5)

    batches = [asyncio.ensure_future(ask(app, {"rows": [row(n) for n in range(60)]})) for _ in range(3)]
    while not all(batch.done() for batch in batches):
        await ask(app, row(99), "/predict")

    sequences: dict[str, list[int]] = {}
    for id_ in [parse_id(event.id) for event in events(app)]:
        assert id_ is not None
        sequences.setdefault(id_.source, []).append(id_.sequence)
    assert [list(range(len(each))) for each in sequences.values()] == list(sequences.values())
    assert [len(each) for source, each in sequences.items() if source.endswith(".b")] == [180]
    assert len(sequences) == 2
    assert events(app)[0].score == 0.99  # a single request came in between


async def test_of_several_batches_one_that_the_outbox_refuses_takes_no_other_with_it(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), batch_rows=50, outbox_max_bytes=1 << 20)
    many = {"rows": [{"features": {**GOOD, "carrier": "x" * 1500}}] * 900}

    answers = await asyncio.gather(
        *(ask(app, each) for each in ({"rows": [row(1)] * 60}, many, {"rows": [row(2)] * 60}))
    )

    assert [answer.status_code for answer in answers] == [200, 503, 200]
    found = [parse_id(event.id) for event in events(app)]
    assert len(found) == 120
    assert len(set(found)) == 120


async def test_rows_are_scored_some_at_a_time_and_others_are_answered_meanwhile(tmp_path: Path):
    scorer = FirstNumberScorer()
    app = an_app(tmp_path, served=a_served(scorer=scorer), batch_rows=10)

    batch = asyncio.ensure_future(ask(app, {"rows": [row(n) for n in range(100)]}))
    single = asyncio.ensure_future(ask(app, row(99), "/predict"))
    done, _ = await asyncio.wait([batch, single], return_when=asyncio.FIRST_COMPLETED)

    assert done == {single}
    assert (await batch).json()["answered"] == 100
    assert sorted(scorer.batches) == [1] + [10] * 10


async def test_several_batches_take_turns(tmp_path: Path):
    scorer = FirstNumberScorer()
    app = an_app(tmp_path, served=a_served(scorer=scorer), batch_rows=10)

    answers = await asyncio.gather(*(ask(app, {"rows": [row(n)] * 40}) for n in range(3)))

    for n, answer in enumerate(answers):
        assert {prediction["score"] for prediction in answer.json()["predictions"]} == {n / 100}
    assert scorer.batches == [10] * 12


async def test_a_row_with_very_many_faults_is_told_the_first_ones(tmp_path: Path):
    answer = await ask(an_app(tmp_path, served=a_served()), {"rows": [{"features": {f"f{n}": 1 for n in range(30)}}]})

    assert len(answer.json()["predictions"][0]["error"]["errors"]) == 5


async def test_a_new_champion_reads_the_next_batch(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    await ask(app, {"rows": [row()]})
    services(app).predictor.swap(a_served(a_baseline(version="2", schema=a_schema(("age", "seats")))))

    said = (await ask(app, {"rows": [{"features": {"age": 5}}, row()]})).json()

    assert said["predictions"][0]["model_version"] == "2"
    assert said["predictions"][1]["error"]["errors"][0]["pointer"] == "/rows/1/features/distance"


async def test_without_a_model_the_batch_gets_503(tmp_path: Path):
    answer = await ask(an_app(tmp_path), {"rows": [row()]})

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:tidemark:problem:no-model")


async def test_only_post_is_taken(tmp_path: Path):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(an_app(tmp_path)), base_url="http://api") as http:
        answer = await http.get("/predict/batch")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_the_page_shows_the_batch_with_an_example_that_is_answered(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        page = (await http.get("/openapi.json")).json()

    schemas = page["components"]["schemas"]
    body = page["paths"]["/predict/batch"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/BatchRequest"}
    assert (schemas["BatchRequest"]["properties"]["rows"]["maxItems"]) == 1000
    assert (await ask(app, schemas["BatchRequest"]["example"])).json()["answered"] == 2
