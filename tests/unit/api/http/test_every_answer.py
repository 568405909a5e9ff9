"""What every answer has, whichever door it came out of: X-Request-Id, and its place in the latency histogram."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.headers import Origin
from tests.builders import NOON
from tests.serving import a_group, a_served, an_app, drain, services

GOOD = b'{"features": {"distance": 70}}'
JSON = {"content-type": "application/json"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

REQUESTS: dict[str, tuple[str, str, bytes, str, str]] = {  # method, path, body, route and status of the histogram
    "a prediction": ("POST", "/predict", GOOD, "/predict", "2xx"),
    "a refusal": ("POST", "/predict", b"[]", "/predict", "4xx"),
    "a model's failure": ("POST", "/predict", b'{"features": {"distance": -1}}', "/predict", "5xx"),
    "a wrong method": ("DELETE", "/predict", b"", "/predict", "4xx"),
    "a look-up without Redis": ("GET", "/predictions/some-id", b"", "/predictions/{prediction_id}", "5xx"),
    "a wrong parameter": ("GET", "/predictions/recent?limit=0", b"", "/predictions/recent", "4xx"),
    "the model": ("GET", "/model", b"", "/model", "2xx"),
    "health": ("GET", "/health/live", b"", "/health/live", "2xx"),
    "the page of the API": ("GET", "/openapi.json", b"", "/openapi.json", "2xx"),
    "no such path": ("GET", "/nothing/here", b"", "other", "4xx"),
}


async def ask(app: Any, name: str, **headers: str) -> httpx.Response:
    method, path, body, _, _ = REQUESTS[name]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return await http.request(method, path, content=body, headers={**JSON, **headers})


@pytest.mark.parametrize("door", ["fast", "plain"])
@pytest.mark.parametrize("name", REQUESTS)
async def test_an_answer_has_the_clients_own_request_id(tmp_path: Path, name: str, door: str):
    app = an_app(tmp_path, served=a_served())

    answer = await ask(app if door == "fast" else app.app, name, **{"x-request-id": "order-17"})

    assert answer.headers.get_list("x-request-id") == ["order-17"]


@pytest.mark.parametrize("name", REQUESTS)
async def test_without_one_each_answer_has_a_fresh_request_id(tmp_path: Path, name: str):
    app = an_app(tmp_path, served=a_served())

    ids = [(await ask(app, name, **{"x-request-id": "not one"})).headers["x-request-id"] for _ in range(2)]

    assert ids[0] != ids[1]
    assert all(re.fullmatch(r"[\x21-\x7e]{1,128}", id_) for id_ in ids)


async def test_the_fresh_request_id_of_a_prediction_is_the_predictions(tmp_path: Path):
    answer = await ask(an_app(tmp_path, served=a_served()), "a prediction")

    assert answer.headers["x-request-id"] == answer.json()["prediction_id"]


async def test_an_unexpected_error_has_a_request_id_too(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())

    async def broken() -> None:
        raise RuntimeError("a bug")

    app.app.add_api_route("/broken", broken)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api"
    ) as http:
        answer = await http.get("/broken", headers={"x-request-id": "r-1"})

    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-1")


async def test_what_the_client_said_of_its_request_is_in_the_record_of_its_event(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    await ask(app, "a prediction", **{"x-request-id": "order-17", "traceparent": TRACE, "tracestate": "a=1"})
    await ask(app, "a prediction")

    slice_ = services(app).outbox.backlog.read()
    records = [record for group in slice_.groups for record in group.records]
    assert [record.origin for record in records] == [Origin("order-17", TRACE, "a=1"), None]


@pytest.mark.parametrize("door", ["fast", "plain"])
@pytest.mark.parametrize("name", REQUESTS)
async def test_an_answer_is_timed_once_under_its_route_and_status(tmp_path: Path, name: str, door: str):
    app = an_app(tmp_path, served=a_served())
    *_, route, status = REQUESTS[name]

    await ask(app if door == "fast" else app.app, name)

    counts = {
        tuple(sample.labels.values()): sample.value
        for metric in services(app).telemetry.registry.collect()
        for sample in metric.samples
        if sample.name == "tidemark_api_request_seconds_count"
    }
    assert counts == {(route, status): 1}


async def test_requests_in_flight_count_those_without_an_answer(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    value = services(app).telemetry.registry.get_sample_value
    seen: list[float | None] = []

    async def receive() -> dict[str, Any]:
        seen.append(value("tidemark_api_requests_in_flight"))
        return {"type": "http.request", "body": GOOD, "more_body": False}

    async def send(_: Any) -> None: ...

    scope = {"type": "http", "path": "/predict", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    await app(scope, receive, send)

    assert seen == [1]
    assert value("tidemark_api_requests_in_flight") == 0


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
async def test_a_client_that_goes_away_is_no_error(tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture):
    app = an_app(tmp_path, served=a_served())

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None: ...

    json = (b"content-type", b"application/json")
    await app({"type": "http", "path": path, "method": "POST", "headers": [json], "query_string": b""}, receive, send)

    assert caplog.records == []
    assert services(app).telemetry.registry.get_sample_value("tidemark_api_requests_in_flight") == 0
    assert "tidemark_api_request_seconds_count" not in services(app).telemetry.page().decode()


def test_the_outbox_tells_how_old_its_oldest_event_is(tmp_path: Path):
    app = an_app(tmp_path, now=lambda: NOON + timedelta(seconds=7))
    outbox, value = services(app).outbox, services(app).telemetry.registry.get_sample_value
    name = "tidemark_api_outbox_oldest_age_seconds"

    assert value(name) == 0
    outbox.append(a_group(1))  # its events are of noon
    assert value(name) == 7
    assert drain(outbox) == ["1"]
    assert value(name) == 0
