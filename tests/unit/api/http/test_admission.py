"""Keys, rates and the bound on what waits, as a client sees them: by the fast path and by the plain one alike."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.admission import OPEN
from tests.keys import a_key, an_entry, bearer, write_keys
from tests.serving import a_served, an_app, services
from tests.waiting import eventually

GOOD = json.dumps({"features": {"distance": 70, "seats": None, "carrier": "a"}}).encode()
JSON = {"content-type": "application/json"}
WRONG = f"{a_key(1)[:-1]}f"
KEYS = (
    an_entry(1, scopes=("predict",)),
    an_entry(2, scopes=("read",)),
    an_entry(3, expires=datetime(2020, 1, 1, tzinfo=UTC)),
    an_entry(4, rate=1.0, burst=2, scopes=("predict", "read")),
)
OPENED = {*OPEN, "/docs", "/openapi.json"}


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api")


def keyed(directory: Path, **settings: Any) -> Any:
    directory.mkdir(exist_ok=True)
    return an_app(directory, served=a_served(), keys_file=write_keys(directory / "keys.json", KEYS), **settings)


async def predict(app: Any, headers: Any, body: bytes = GOOD, times: int = 1) -> httpx.Response:
    """The last of some answers. headers: a dict, or pairs in bytes."""
    pairs = [*JSON.items(), *(headers.items() if isinstance(headers, dict) else headers)]
    async with client(app) as http:
        for _ in range(times):
            answer = await http.post("/predict", content=body, headers=pairs)
    return answer


REFUSED: dict[str, tuple[Any, int, int, str]] = {
    "no key": ({}, 1, 401, "no-key"),
    "another scheme": ({"authorization": "Basic dTpw"}, 1, 401, "no-key"),
    "a wrong key": ({"authorization": f"Bearer {WRONG}"}, 1, 401, "wrong-key"),
    "a key of another server": ({"x-api-key": a_key(9)}, 1, 401, "wrong-key"),
    "10 kB": ({"authorization": "Bearer " + "x" * 10_240}, 1, 401, "wrong-key"),
    "not ASCII": ([(b"authorization", b"Bearer cl\xc3\xa9\xff")], 1, 401, "wrong-key"),
    "two keys": ([(b"authorization", f"Bearer {a_key(n)}".encode()) for n in (1, 2)], 1, 401, "wrong-key"),
    "the same key twice": ([(b"x-api-key", a_key(1).encode())] * 2, 1, 401, "wrong-key"),
    "a key in each header": ({**bearer(1), "x-api-key": a_key(2)}, 1, 401, "wrong-key"),
    "an expired key": (bearer(3), 1, 401, "expired-key"),
    "a key for reading": (bearer(2), 1, 403, "scope"),
    "more than the rate": (bearer(4), 3, 429, "rate"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_both_paths_turn_away_alike_with_a_problem_that_is_counted_and_makes_no_event(tmp_path: Path, name: str):
    headers, times, status, category = REFUSED[name]
    fast, plain = keyed(tmp_path / "fast"), keyed(tmp_path / "plain")

    one, other = await predict(fast, headers, times=times), await predict(plain.app, headers, times=times)

    for answer in (one, other):
        assert answer.headers.pop("x-request-id")
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:tidemark:problem:{category}")
        assert answer.headers["content-type"] == "application/problem+json"
    assert one.content == other.content
    assert sorted(one.headers.items()) == sorted(other.headers.items())
    for app in (fast, plain):
        assert (
            services(app).telemetry.registry.get_sample_value(
                "tidemark_api_refused_requests_total", {"category": category}
            )
            == 1
        )
        committed = services(app).outbox.backlog.pending_bytes
        assert (committed > 0) == (times > 1)


async def test_an_answer_of_401_says_how_to_get_in_and_nothing_of_what_was_sent(tmp_path: Path):
    app = keyed(tmp_path)

    assert (await predict(app, {})).headers["www-authenticate"] == 'Bearer realm="tidemark"'
    wrong = await predict(app, {"authorization": f"Bearer {WRONG}"})
    assert wrong.headers["www-authenticate"] == 'Bearer realm="tidemark", error="invalid_token"'
    assert WRONG not in wrong.text
    scope = await predict(app, bearer(2))
    assert 'error="insufficient_scope", scope="predict"' in scope.headers["www-authenticate"]


async def test_who_is_over_its_rate_is_told_when_to_come_back(tmp_path: Path):
    answer = await predict(keyed(tmp_path), bearer(4), times=3)

    assert answer.headers["retry-after"] == "1"
    assert answer.headers["ratelimit"] == '"rows";r=0;t=1'


@pytest.mark.parametrize("header", [bearer(1), {"x-api-key": a_key(1)}])
async def test_a_key_opens_what_its_scope_names(tmp_path: Path, header: dict[str, str]):
    app = keyed(tmp_path)

    assert (await predict(app, header)).status_code == 200
    assert (await predict(app.app, header)).status_code == 200
    async with client(app) as http:
        assert (await http.get("/model", headers=header)).status_code == 403
        assert (await http.get("/model", headers=bearer(2))).status_code == 200


async def test_a_batch_costs_its_rows_and_makes_no_event_when_they_are_too_many(tmp_path: Path):
    app = keyed(tmp_path)
    row = json.loads(GOOD)
    async with client(app) as http:

        async def batch(rows: int) -> httpx.Response:
            return await http.post("/predict/batch", json={"rows": [row] * rows}, headers=bearer(4))

        many = await batch(3)
        assert (many.status_code, many.json()["type"]) == (422, "urn:tidemark:problem:row-count")
        assert many.json()["errors"][0]["detail"] == "has 3 rows: this API key may send 2 at a time"
        assert services(app).outbox.backlog.pending_bytes == 0
        assert (await batch(2)).status_code == 200
        over = await batch(1)
        assert (over.status_code, over.json()["type"]) == (429, "urn:tidemark:problem:rate")


async def test_a_body_is_not_read_for_a_stranger(tmp_path: Path):
    async def unread() -> Any:
        raise AssertionError("the body was read")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [(b"content-type", b"application/json")]}
    await keyed(tmp_path)(scope, unread, send)

    assert sent[0]["status"] == 401


async def page_of(app: Any, headers: dict[str, str] | None = None) -> Any:
    async with client(app) as http:
        return (await http.get("/openapi.json", headers=headers)).json()


def routes(page: Any) -> Iterator[tuple[str, str]]:
    """Method and path of every route of the page."""
    for path, operations in page["paths"].items():
        for method in operations:
            yield method, path


async def test_every_route_is_closed_but_for_those_that_are_named_open(tmp_path: Path):
    app = keyed(tmp_path)
    async with client(app) as http:
        found = {path: (await http.request(method, path)).status_code for method, path in routes(await page_of(app))}
        found |= {path: (await http.get(path)).status_code for path in ("/docs", "/openapi.json")}

    assert {path for path, status in found.items() if status != 401} == OPENED
    assert len(found) > len(OPENED) + 4


async def test_a_path_that_is_not_there_is_told_to_anybody(tmp_path: Path):
    async with client(keyed(tmp_path)) as http:
        assert (await http.get("/nowhere")).status_code == 404


async def test_the_page_says_how_to_send_a_key_where_one_is_needed(tmp_path: Path):
    page = await page_of(keyed(tmp_path))

    assert set(page["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    for path, operations in page["paths"].items():
        for method, operation in operations.items():
            assert ("security" in operation) == (path not in OPEN), path
            assert ({"401", "403", "429"} <= set(operation["responses"])) == (path not in OPEN), path
            assert ("408" in operation["responses"]) == (method == "post"), path


async def test_the_page_asks_for_no_key_where_none_is_configured(tmp_path: Path):
    page = await page_of(an_app(tmp_path, served=a_served()))

    assert "securitySchemes" not in page["components"]
    assert not any("security" in operation for path in page["paths"].values() for operation in path.values())


@pytest.mark.parametrize("headers", [{}, {"x-api-key": WRONG}, bearer(3)], ids=["no key", "a wrong one", "expired"])
async def test_strangers_are_told_nothing_of_the_model_by_the_page(tmp_path: Path, headers: dict[str, str]):
    app = keyed(tmp_path)
    async with client(app) as http:
        answer = await http.get("/openapi.json", headers=headers)

    for told in ("distance", "seats", "carrier", "flights", '"example"'):
        assert told not in answer.text, told
    assert "curl -H 'X-API-Key: KEY'" in answer.json()["info"]["description"]
    assert answer.headers["vary"] == "Authorization, X-API-Key"


@pytest.mark.parametrize("number", [1, 2])
async def test_with_a_key_for_anything_the_page_is_the_models_own(tmp_path: Path, number: int):
    page = await page_of(keyed(tmp_path), bearer(number))

    assert set(page["components"]["schemas"]["PredictionRequest"]["example"]["features"]) == {
        "distance",
        "seats",
        "carrier",
    }
    assert "Serving `flights/1`." in page["info"]["description"]


async def test_the_page_for_strangers_has_the_same_routes_and_answers(tmp_path: Path):
    app = keyed(tmp_path)
    general, own = await page_of(app), await page_of(app, bearer(1))

    assert general["paths"] == own["paths"]
    assert set(general["components"]["schemas"]) <= set(own["components"]["schemas"])


async def test_with_no_room_left_both_paths_turn_predictions_away_and_answer_the_rest(tmp_path: Path):
    for path in ("fast", "plain"):
        app = an_app(tmp_path / path, served=a_served(), max_waiting=1)
        services(app).predictor._batcher._waiting.append(None)
        door = app if path == "fast" else app.app

        answer = await predict(door, {})

        assert (answer.status_code, answer.json()["type"]) == (503, "urn:tidemark:problem:overloaded")
        assert answer.headers["retry-after"] == "1"
        async with client(door) as http:
            assert (await http.get("/health/ready")).status_code == 200
            assert (await http.get("/model")).status_code == 200
        registry = services(app).telemetry.registry
        assert registry.get_sample_value("tidemark_api_failed_requests_total", {"why": "overloaded"}) == 1


async def test_a_batch_too_many_is_turned_away(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), max_batches=1)
    services(app).batch.room.enter("another")
    async with client(app) as http:
        answer = await http.post("/predict/batch", json={"rows": [json.loads(GOOD)]})

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:tidemark:problem:overloaded")


async def test_a_body_that_stays_away_is_given_up_and_its_connection_closed_by_both_paths(tmp_path: Path):
    async def slowly() -> Any:
        yield b'{"features"'
        await asyncio.Event().wait()

    for path in ("fast", "plain"):
        app = an_app(tmp_path / path, served=a_served(), body_timeout_seconds=0.05)
        door = app if path == "fast" else app.app
        async with client(door) as http:
            answer = await http.post("/predict", content=slowly(), headers=JSON)
        assert (answer.status_code, answer.json()["type"]) == (408, "urn:tidemark:problem:body-late")
        assert answer.headers["connection"] == "close"


async def test_whether_it_is_ready_is_for_everybody_and_why_not_is_for_who_has_a_key(tmp_path: Path):
    async with client(keyed(tmp_path)) as http:
        stranger, wrong, writer, expired = [
            (await http.get("/health/ready", headers=headers)).json()
            for headers in ({}, {"x-api-key": WRONG}, bearer(1), bearer(3))
        ]
        reader = (await http.get("/health/ready", headers=bearer(2))).json()

    assert stranger == wrong == writer == expired
    assert stranger["status"] == reader["status"]
    assert {part["detail"] for part in stranger["dependencies"].values()} == {""}
    assert all(part["detail"] for part in reader["dependencies"].values())


async def test_a_place_for_a_batch_is_held_from_before_its_body_comes_until_its_answer(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), max_batches=1)
    room, let_come = services(app).batch.room, asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"rows": ['
        await let_come.wait()
        yield GOOD + b"]}"

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    async with client(app) as http:
        first = asyncio.create_task(http.post("/predict/batch", content=slow(), headers=JSON))
        await eventually(lambda: room.taken == 1, 10, "a batch whose body is not there")
        second = await http.post("/predict/batch", content=unread(), headers=JSON)
        assert second.status_code == 503
        let_come.set()
        assert (await first).status_code == 200
    assert room.taken == 0


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b" " * 3_000_000, 413), (b'{"rows": []}', 422), (b'{"rows": [{}]}', 200)]
)
async def test_a_place_for_a_batch_is_given_back_whatever_comes_of_it(tmp_path: Path, content: bytes, status: int):
    app = an_app(tmp_path, served=a_served(), max_batches=1)
    async with client(app) as http:
        for _ in range(2):
            answer = await http.post("/predict/batch", content=content, headers=JSON)
            assert answer.status_code == status
    assert services(app).batch.room.taken == 0


@pytest.mark.parametrize("path", ["/predict/", "/model/", "/predict/batch/"])
async def test_a_slash_too_many_is_a_problem_and_leads_nowhere(tmp_path: Path, path: str):
    async with client(an_app(tmp_path, served=a_served())) as http:
        answer = await http.post(path, content=GOOD, headers={**JSON, "host": "evil"})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("name", "sender"), [("an expired key", 3), ("a key for reading", 2), ("more than the rate", 4), ("no key", None)]
)
async def test_the_line_of_a_refusal_names_the_client_where_the_key_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, sender: int | None
):
    headers, times, _, category = REFUSED[name]
    app = keyed(tmp_path)

    with caplog.at_level(logging.INFO):
        await predict(app, headers, times=times)

    (record,) = [record for record in caplog.records if record.name == "api.refused"]
    known = {} if sender is None else {"client": f"client-{sender}"}
    assert {"category": category, **known}.items() <= vars(record).items()
    assert hasattr(record, "client") == (sender is not None)


async def test_the_line_of_a_refused_look_up_names_the_client_too(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    app = keyed(tmp_path)

    with caplog.at_level(logging.INFO):
        async with client(app) as http:
            assert (await http.get("/model", headers=bearer(3))).status_code == 401

    (record,) = [record for record in caplog.records if record.name == "api.refused"]
    assert {"category": "expired-key", "client": "client-3"}.items() <= vars(record).items()
