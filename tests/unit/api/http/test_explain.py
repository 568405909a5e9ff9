"""POST /explain as a client sees it: what /predict refuses is refused alike, and nothing becomes an event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.models.compiled import CompiledRows
from api.models.served import Served
from api.requests.schemas import RequestReader
from contracts.compiled_scorer import CompiledScorer
from tests.builders import NOON
from tests.purchases import ROWS, SCHEMA, a_folder, baseline, compiled
from tests.serving import a_served, an_app, services

JSON = {"content-type": "application/json"}
GOOD = {"features": dict(zip(SCHEMA.names, ROWS[0], strict=True))}


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api")


async def ask(app: Any, body: Any, path: str = "/explain") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client(app) as http:
        return await http.post(path, content=content, headers=JSON)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Purchases, scored by their compiled form."""
    form = compiled("hgb")
    folder = a_folder(tmp_path_factory.mktemp("model") / "files", form)
    reader = RequestReader(SCHEMA, timedelta(days=366))
    return Served(baseline(), CompiledRows(CompiledScorer(form)), reader, NOON, folder=folder)


@pytest.fixture
async def app(tmp_path: Path, served: Served) -> AsyncIterator[Any]:
    app = an_app(tmp_path, served=served, explain_timeout_seconds=60)
    yield app
    await services(app).explanations.close()


async def test_an_explanation_is_of_the_score_that_predict_gives_and_makes_no_event(app: Any):
    answer = await ask(app, {**GOOD, "entity_id": "N1", "event_time": "2026-01-01T00:00:00Z", "top": 2})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert services(app).outbox.backlog.pending_bytes == 0
    said = answer.json()
    predicted = (await ask(app, GOOD, "/predict")).json()
    assert [said[name] for name in ("score", "model", "model_version")] == [
        predicted[name] for name in ("score", "model", "model_version")
    ]
    assert len(said["reasons"]) == 2
    assert said["method"] == "tree_shap"


async def test_the_largest_five_reasons_are_given_unless_the_request_says_otherwise(app: Any):
    unsaid, five = (await ask(app, GOOD)).json(), (await ask(app, {**GOOD, "top": 5})).json()

    assert unsaid == five
    assert len(five["reasons"]) == sum(each["contribution"] != 0 for each in five["contributions"]) > 3


async def test_the_answer_and_the_request_are_as_the_openapi_page_has_them(app: Any):
    import jsonschema

    async with client(app) as http:
        page = (await http.get("/openapi.json")).json()
    body = page["paths"]["/explain"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ExplanationRequest"}
    example = page["components"]["schemas"]["ExplanationRequest"]["example"]

    answer = await ask(app, example)

    assert answer.status_code == 200
    for name, value in (("ExplanationRequest", example), ("Explanation", answer.json())):
        schema = {"$ref": f"#/components/schemas/{name}", "components": page["components"]}
        jsonschema.validate(value, schema)


@pytest.mark.parametrize(
    "body",
    [
        b"amount=1",
        b"",
        b'{"features": {"shop": "\xff"}}',
        b'{"features": {"amount": NaN}}',
        b" " * 70_000,
        {"features": {"amuont": 1}},
        {"features": {"amount": "1"}},
        {"features": {}, "event_time": "1066-10-14T12:00:00Z"},
        {"features": {}, "entity_id": ""},
        {"feature": {}},
        [],
    ],
    ids=lambda body: str(body)[:40],
)
async def test_what_predict_refuses_is_refused_alike(app: Any, body: Any):
    one, other = await ask(app, body), await ask(app, body, "/predict")

    assert one.status_code == other.status_code >= 400
    assert one.json() == other.json()


@pytest.mark.parametrize("top", [0, 51, -1, 1.5, "3", None, True])
async def test_a_wrong_number_of_reasons_is_pointed_to(app: Any, top: Any):
    answer = await ask(app, {**GOOD, "top": top})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"detail": "must be a whole number from 1 to 50", "pointer": "/top"}]


async def test_a_mistyped_top_is_told_what_was_meant(app: Any):
    (fault,) = (await ask(app, {**GOOD, "topp": 1})).json()["errors"]
    assert fault == {"detail": "unknown field: leave it out; did you mean top?", "pointer": "/topp"}


async def test_without_a_model_or_without_its_files_the_answer_is_503_and_says_when_to_try_again(tmp_path: Path):
    without_model = an_app(tmp_path / "one", served=None)
    without_files = an_app(tmp_path / "two", served=a_served(baseline()))
    for app, kind in ((without_model, "no-model"), (without_files, "explain-busy")):
        answer = await ask(app, GOOD)
        assert answer.status_code == 503
        assert answer.json()["type"] == f"urn:tidemark:problem:{kind}"
        assert int(answer.headers["retry-after"]) >= 1
