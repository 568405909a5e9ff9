"""CORS: nothing unless origins are named; then both doors, for those origins alone."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from tests.keys import an_entry, bearer, write_keys
from tests.serving import a_served, an_app, settings_for

GOOD = json.dumps({"features": {"distance": 70, "seats": None, "carrier": "a"}}).encode()
HERE, THERE = "https://a.example", "https://b.example:8443"


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")


def cors(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def an_open_app(directory: Path, **settings: Any) -> Any:
    """For pages of HERE and THERE. It has no `app` to swap a model into: see `services`."""
    app = an_app(directory, cors_origins=f"{HERE}, {THERE}", **settings)
    app.app.app.state.services.predictor.swap(a_served())
    return app


async def preflight(http: httpx.AsyncClient, path: str, origin: str, headers: str) -> httpx.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": headers,
    }
    return await http.options(path, headers=asked)


async def test_without_origins_no_page_may_call(tmp_path: Path):
    async with client(an_app(tmp_path, served=a_served())) as http:
        answer = await http.post("/predict", content=GOOD, headers={"content-type": "application/json", "origin": HERE})
        assert answer.status_code == 200
        assert cors(answer) == {}
        assert cors(await preflight(http, "/predict", HERE, "x-api-key")) == {}


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain", "/model"])
@pytest.mark.parametrize("origin", [HERE, THERE])
async def test_a_page_of_a_named_origin_may_ask_with_a_key_and_a_request_id(tmp_path: Path, path: str, origin: str):
    async with client(an_open_app(tmp_path)) as http:
        answer = await preflight(http, path, origin, "authorization, x-api-key, idempotency-key, content-type")

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers


async def test_both_doors_and_refusals_too_name_the_origin_and_what_may_be_read(tmp_path: Path):
    keys = write_keys(tmp_path / "keys.json", [an_entry(1)])
    async with client(an_open_app(tmp_path, keys_file=keys)) as http:
        headers = {"origin": HERE, "content-type": "application/json"}
        fast = await http.post("/predict", content=GOOD, headers=headers | bearer(1))
        plain = await http.get("/model", headers=headers | bearer(1))
        refused = await http.post("/predict", content=GOOD, headers=headers)

    assert (fast.status_code, plain.status_code, refused.status_code) == (200, 200, 401)
    for answer in (fast, plain, refused):
        assert answer.headers["access-control-allow-origin"] == HERE
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


async def test_a_page_of_another_origin_may_not(tmp_path: Path):
    async with client(an_open_app(tmp_path)) as http:
        answer = await http.post(
            "/predict", content=GOOD, headers={"content-type": "application/json", "origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in answer.headers
        assert (await preflight(http, "/predict", "https://evil.example", "x-api-key")).status_code == 400


@pytest.mark.parametrize("wrong", ["a.example", "https://a.example/", "https://a.example/x", "https://*.example", "x,"])
def test_what_is_no_origin_is_refused_at_the_start(tmp_path: Path, wrong: str):
    with pytest.raises(ValidationError, match="is no origin: write https://host"):
        settings_for(tmp_path, cors_origins=wrong)
