"""What a client sees: the fast path and the plain path, problems, health, the OpenAPI page."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.schema import Feature, FeatureSchema
from tests.builders import a_baseline
from tests.serving import FirstNumberScorer, a_served, an_app, of_one_identity, services

GOOD = {"distance": 70, "seats": None, "carrier": "a"}
JSON = {"content-type": "application/json"}


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api")


class BrokenScorer(FirstNumberScorer):
    def score(self, rows: Any) -> Any:
        if any(row.f0 == 13 for row in rows):
            raise RuntimeError("a bug")
        return super().score(rows)


REQUESTS: dict[str, tuple[bytes, dict[str, str]]] = {
    "good": (json.dumps({"features": GOOD}).encode(), JSON),
    "good, with all fields": (
        json.dumps({"features": GOOD, "entity_id": "N1", "event_time": "2026-01-01T00:00:00Z"}).encode(),
        {"content-type": 'application/json; charset="UTF-8"'},
    ),
    "another JSON": (json.dumps({"features": GOOD}).encode(), {"content-type": "application/vnd.us+json"}),
    "charset as many write it": (
        json.dumps({"features": GOOD}).encode(),
        {"content-type": "application/json;charset=utf8"},
    ),
    "a parameter of another's": (
        json.dumps({"features": GOOD}).encode(),
        {"content-type": 'application/json; profile="a; charset=b"; charset=utf-8; x=1'},
    ),
    "unknown feature": (b'{"features": {"distnce": 1}}', JSON),
    "NaN": (b'{"features": {"distance": NaN}}', JSON),
    "not JSON": (b"distance=1", JSON),
    "empty": (b"", JSON),
    "bad UTF-8": (b'{"features": {"carrier": "\xff"}}', JSON),
    "too large": (b" " * 70_000, JSON),
    "form": (b"distance=1", {"content-type": "application/x-www-form-urlencoded"}),
    "no content type": (b"{}", {}),
    "another charset": (b"{}", {"content-type": "application/json; charset=latin-1"}),
    "the model fails": (b'{"features": {"distance": -1}}', JSON),
}
STATUS = {
    "good": 200,
    "good, with all fields": 200,
    "another JSON": 200,
    "charset as many write it": 200,
    "a parameter of another's": 200,
    "unknown feature": 422,
    "NaN": 422,
    "not JSON": 400,
    "empty": 400,
    "bad UTF-8": 400,
    "too large": 413,
    "form": 415,
    "no content type": 415,
    "another charset": 415,
    "the model fails": 500,
}


async def ask(app: Any, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with client(app) as http:
        return await http.post("/predict", content=body, headers=headers)


def unnamed(headers: httpx.Headers) -> list[tuple[bytes, bytes]]:
    """In their order, without the id that each answer has of its own."""
    return [(name, value) for name, value in headers.raw if name != b"x-request-id"]


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_fast_path_and_the_plain_path_answer_alike_byte_for_byte(tmp_path: Path, name: str):
    fast, plain = (an_app(of_one_identity(tmp_path / name), served=a_served()) for name in ("fast", "plain"))

    one, other = await ask(fast, *REQUESTS[name]), await ask(plain.app, *REQUESTS[name])

    assert one.status_code == other.status_code == STATUS[name]
    assert "x-request-id" in one.headers
    assert unnamed(one.headers) == unnamed(other.headers)
    assert one.content == other.content
    if one.status_code == 200:
        assert one.json()["receipt"]


@pytest.mark.parametrize("name", [name for name, status in STATUS.items() if status != 200])
async def test_every_refusal_is_a_problem_and_none_makes_an_event(tmp_path: Path, name: str):
    app = an_app(tmp_path, served=a_served())

    answer = await ask(app, *REQUESTS[name])

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == STATUS[name]
    assert problem["type"].startswith("urn:tidemark:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert services(app).outbox.backlog.pending_bytes == 0


@pytest.mark.parametrize("name", [name for name, status in STATUS.items() if 400 <= status < 500])
async def test_refusals_are_counted_by_category(tmp_path: Path, name: str):
    app = an_app(tmp_path, served=a_served())

    category = (await ask(app, *REQUESTS[name])).json()["type"].rsplit(":", 1)[1]

    registry = services(app).telemetry.registry
    assert registry.get_sample_value("tidemark_api_refused_requests_total", {"category": category}) == 1


async def test_faults_point_to_their_fields(tmp_path: Path):
    answer = await ask(an_app(tmp_path, served=a_served()), b'{"features": {"distance": "1", "seat": 2}}', JSON)

    assert answer.json()["errors"] == [
        {"detail": "unknown feature: leave it out; did you mean seats?", "pointer": "/features/seat"},
        {"detail": "must be a number or null, without quotes", "pointer": "/features/distance"},
    ]


async def test_without_a_model_predictions_get_503_and_when_to_try_again(tmp_path: Path):
    answer = await ask(an_app(tmp_path), *REQUESTS["good"])

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["type"] == "urn:tidemark:problem:no-model"


async def test_a_full_outbox_gives_503_and_when_to_try_again(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), outbox_max_bytes=1 << 20, body_limit_bytes=500_000)
    large = json.dumps({"features": {**GOOD, "carrier": "x" * 490_000}}).encode()
    assert [(await ask(app, large, JSON)).status_code for _ in range(2)] == [200, 200]

    answer = await ask(app, large, JSON)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["type"] == "urn:tidemark:problem:outbox"


@pytest.mark.parametrize("path", ["fast", "plain"])
async def test_an_unexpected_error_is_a_problem_with_an_id_that_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
):
    app = an_app(tmp_path, served=a_served(scorer=BrokenScorer()))

    answer = await ask(app if path == "fast" else app.app, b'{"features": {"distance": 13}}', JSON)

    assert answer.status_code == 500
    assert "bug" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json()["id"] in caplog.text
    assert "a bug" in caplog.text


async def test_a_body_may_come_in_pieces_and_is_counted_as_it_comes(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())

    async def pieces(size: int):
        yield b'{"features": {"distance": 70}'
        for _ in range(size):
            yield b" " * 1000
        yield b"}"

    async with client(app) as http:
        good = await http.post("/predict", content=pieces(3), headers=JSON)
        large = await http.post("/predict", content=pieces(70), headers=JSON)

    assert good.status_code == 200
    assert large.status_code == 413


async def test_a_client_that_goes_away_in_its_body_gets_no_answer_and_makes_no_event(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    await app({"type": "http", "method": "POST", "path": "/predict", "headers": headers}, receive, send)

    assert sent == []
    assert services(app).outbox.backlog.pending_bytes == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/predict", 405, "method-not-allowed"),
        ("DELETE", "/model", 405, "method-not-allowed"),
        ("GET", "/predictions/recent?limit=0", 422, "parameter"),
        ("GET", "/predictions/recent?limit=x", 422, "parameter"),
        ("GET", "/predictions/recent", 503, "lookups"),
        ("GET", "/predictions/some-id", 503, "lookups"),
        ("GET", "/model", 503, "no-model"),
    ],
)
async def test_the_other_routes_refuse_with_problems_too(
    tmp_path: Path, method: str, path: str, status: int, kind: str
):
    async with client(an_app(tmp_path)) as http:
        answer = await http.request(method, path)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:tidemark:problem:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_is_told_the_right_ones(tmp_path: Path):
    async with client(an_app(tmp_path)) as http:
        assert (await http.get("/predict")).headers["allow"] == "POST"


async def test_a_wrong_parameter_is_named(tmp_path: Path):
    async with client(an_app(tmp_path)) as http:
        answer = await http.get("/predictions/recent?limit=5000")

    (fault,) = answer.json()["errors"]
    assert fault == {"detail": "must be at most 1000", "parameter": "limit"}


async def test_ready_says_what_each_dependency_is_doing(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    async with client(app) as http:
        answer = await http.get("/health/ready")

    state = answer.json()
    assert answer.status_code == 200
    assert state["status"] == "degraded"
    assert state["dependencies"] == {
        "model": {"state": "ok", "detail": "flights/1, from the registry"},
        "outbox": {"state": "ok", "detail": "0 bytes wait for Kafka"},
        "kafka": {"state": "away", "detail": "not connected yet"},
        "redis": {"state": "ok", "detail": "none is configured: no look-ups"},
        "registry": {"state": "away", "detail": "not asked yet; model-events is not read yet"},
        "labels": {"state": "ok", "detail": "0 bytes wait for Kafka"},
    }


async def test_ready_is_503_when_no_prediction_can_be_answered_and_live_is_not(tmp_path: Path):
    async with client(an_app(tmp_path)) as http:
        ready, live = await http.get("/health/ready"), await http.get("/health/live")

    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert (live.status_code, live.json()) == (200, {"status": "live"})


async def test_the_model_route_tells_what_answers(tmp_path: Path):
    baseline = a_baseline(version="7")
    async with client(an_app(tmp_path, served=a_served(baseline))) as http:
        model = (await http.get("/model")).json()

    assert (model["name"], model["version"], model["alias"], model["scorer"]) == (
        "flights",
        "7",
        "champion",
        "first-number",
    )
    assert (model["threshold"], model["baseline"]) == (0.5, baseline.digest)
    assert [feature["name"] for feature in model["schema"]["features"]] == ["distance", "seats", "carrier"]


async def test_the_page_shows_the_champions_features_and_changes_with_the_champion(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    other = a_served(a_baseline(version="2", schema=FeatureSchema((Feature("age", "numeric", nullable=False),))))

    async with client(app) as http:
        before = (await http.get("/openapi.json")).json()
        services(app).predictor.swap(other)
        after = (await http.get("/openapi.json")).json()

    body = before["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/PredictionRequest"}
    assert set(before["components"]["schemas"]["Features"]["properties"]) == {"distance", "seats", "carrier"}
    assert set(after["components"]["schemas"]["Features"]["properties"]) == {"age"}
    assert after["info"]["description"].endswith("Serving `flights/2`.")


async def test_every_reference_of_the_page_leads_somewhere(tmp_path: Path):
    for served in (None, a_served()):
        async with client(an_app(tmp_path / str(served is None), served=served)) as http:
            page = await http.get("/openapi.json")
        names = set(page.json()["components"]["schemas"])
        used = {part.split('"')[0] for part in page.text.split("#/components/schemas/")[1:]}
        assert used <= names


async def test_the_docs_page_is_there(tmp_path: Path):
    async with client(an_app(tmp_path)) as http:
        assert "swagger" in (await http.get("/docs")).text.lower()


async def test_metrics_show_what_was_answered(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    await ask(app, *REQUESTS["good"])

    async with client(app) as http:
        page = (await http.get("/metrics")).text

    assert 'tidemark_api_predictions_total{model="flights",version="1"} 1.0' in page
    assert "tidemark_api_outbox_pending_bytes 0.0" not in page
    assert 'tidemark_api_request_seconds_count{route="/predict",status="2xx"} 1.0' in page
