"""The OpenAPI page is whole and true, and its viewer needs nobody else's server."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.admission import OPEN
from api.http.openapi import Pages
from tests.builders import a_baseline
from tests.keys import an_entry, write_keys
from tests.serving import a_served, an_app, services

TURNED_AWAY = {"401", "403", "429"}
OF_A_BODY = {"400", "408", "413", "415", "422", "503"}


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://api")


async def page_of(app: Any) -> dict[str, Any]:
    async with client(app) as http:
        return (await http.get("/openapi.json")).json()


@pytest.fixture
async def page(tmp_path: Path) -> dict[str, Any]:
    keys = write_keys(tmp_path / "keys.json", [an_entry(1)])
    return await page_of(an_app(tmp_path, served=a_served(), keys_file=keys))


def operations(page: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, told) for path, methods in page["paths"].items() for method, told in methods.items()]


def shown(page: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A part, or what it refers to."""
    for name in part.get("$ref", "#").split("/")[1:]:
        page = page[name]
    return page if "$ref" in part else part


async def test_the_page_has_every_route_of_the_application(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())

    told = {(path, method) for path, method, _ in operations(await page_of(app))}

    assert told == {
        ("/predict", "post"),
        ("/predict/batch", "post"),
        ("/explain", "post"),
        ("/labels", "post"),
        ("/predictions/recent", "get"),
        ("/predictions/{prediction_id}", "get"),
        ("/model", "get"),
        ("/models", "get"),
        ("/health/live", "get"),
        ("/health/ready", "get"),
        ("/metrics", "get"),
    }


async def test_every_route_and_parameter_is_described_and_every_answer_has_a_form(page: dict[str, Any]):
    for path, _, told in operations(page):
        assert told["summary"], path
        assert told["tags"], path
        for parameter in told.get("parameters", ()):
            assert shown(page, parameter)["description"], (path, parameter)
        for status, answer in told["responses"].items():
            assert answer["description"], (path, status)
            assert list(answer["content"]) == [
                "text/plain"
                if (path, status) == ("/metrics", "200")
                else "application/json"
                if status in ("200", "202") or (path, status) == ("/health/ready", "503")
                else "application/problem+json"
            ], (path, status)


async def test_every_answer_names_its_headers(page: dict[str, Any]):
    for path, _, told in operations(page):
        for status, answer in told["responses"].items():
            headers = {name: shown(page, header) for name, header in answer["headers"].items()}
            assert "X-Request-Id" in headers
            assert all(header["description"] and header["schema"] for header in headers.values())
            if status in ("409", "429") or (status == "503" and path not in OPEN):
                assert "Retry-After" in headers, (path, status)
            if status in ("401", "403"):
                assert "WWW-Authenticate" in headers


async def test_statuses_are_those_that_a_route_can_give(page: dict[str, Any]):
    for path, method, told in operations(page):
        statuses = set(told["responses"])
        assert {"202" if path == "/labels" else "200", "500"} <= statuses
        assert (path in OPEN) == TURNED_AWAY.isdisjoint(statuses) == ("security" not in told)
        if method == "post":
            assert statuses >= OF_A_BODY | TURNED_AWAY
    once = {path for path, _, told in operations(page) if "409" in told["responses"]}
    assert once == {"/predict", "/predict/batch", "/labels"}


async def test_a_page_without_keys_asks_for_none(tmp_path: Path):
    page = await page_of(an_app(tmp_path, served=a_served()))

    assert "securitySchemes" not in page["components"]
    assert all(TURNED_AWAY.isdisjoint(told["responses"]) for _, _, told in operations(page))


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
async def test_the_example_of_each_request_can_be_sent_as_it_is(tmp_path: Path, path: str):
    app = an_app(tmp_path, served=a_served())
    page = await page_of(app)
    schema = page["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    example = shown(page, schema)["example"]

    async with client(app) as http:
        answer = await http.post("/predict/batch" if "rows" in example else "/predict", json=_as_predicted(example))

    assert answer.status_code == 200
    assert answer.json().get("refused", 0) == 0


def _as_predicted(example: dict[str, Any]) -> dict[str, Any]:
    """An explanation takes what a prediction takes, and how many reasons are wanted."""
    return {name: value for name, value in example.items() if name != "top"}


async def test_the_page_is_built_once_for_each_champion(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    pages = Pages((services(app).predict, services(app).batch, services(app).explain), 1000)
    one, other = a_served(), a_served(a_baseline(version="2"))

    first, general = (pages.page(app.app, served, keyed=True) for served in (one, None))

    for _ in range(2):  # strangers and clients take turns
        assert pages.page(app.app, one, keyed=True) is first
        assert pages.page(app.app, None, keyed=True) is general
    assert "flights/2" in pages.page(app.app, other, keyed=True)["info"]["description"]
    assert "securitySchemes" not in pages.page(app.app, None, keyed=False)["components"]


async def test_the_page_is_that_of_the_champion_of_now(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    before = await page_of(app)
    services(app).predictor.swap(a_served(a_baseline(version="2")))

    assert "flights/1" in before["info"]["description"]
    assert "flights/2" in (await page_of(app))["info"]["description"]


async def test_the_docs_page_and_its_files_come_from_here_alone(tmp_path: Path):
    async with client(an_app(tmp_path, served=a_served())) as http:
        docs = await http.get("/docs")
        links = re.findall(r'(?:src|href)="([^"]+)"', docs.text)
        files = [await http.get(link) for link in links]

    assert docs.status_code == 200
    assert len(links) == 3
    assert all(link.startswith("/docs/assets/") for link in links)
    assert "://" not in docs.text.replace("window.location", "")
    assert [file.status_code for file in files] == [200] * 3
    assert any(len(file.content) > 500_000 for file in files)


async def test_a_file_that_the_docs_page_does_not_have_is_a_problem(tmp_path: Path):
    async with client(an_app(tmp_path)) as http:
        for path in ("/docs/assets/nothing.js", "/docs/assets/../core.py"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=a-b", "items=1-2", "bytes=99999999-", f"bytes={'9' * 5000}-"])
async def test_a_file_of_the_docs_page_is_given_whole_whatever_range_is_asked_for(tmp_path: Path, asked: str):
    async with client(an_app(tmp_path)) as http:
        whole = await http.get("/docs/assets/favicon.png")
        answer = await http.get("/docs/assets/favicon.png", headers={"range": asked})

    assert (answer.status_code, answer.content, answer.headers["accept-ranges"]) == (200, whole.content, "none")
