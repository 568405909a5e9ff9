"""Look-ups without a Redis: what their parameters may be, and what is said of wrong ones."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.requests.cursor import CURSOR, read_cursor, write_cursor
from tests.serving import an_app, services


async def get(directory: Path, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(an_app(directory)), base_url="http://api") as http:
        return await http.get(path)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("cursor=", "cursor"),
        ("cursor=20", "cursor"),
        ("cursor=AAYKJBgeQAB", "cursor"),
        ("cursor=zzzzzzzzzzz", "cursor"),
        ("cursor=AAYKJBgeQA%3D", "cursor"),
        ("decision=maybe", "decision"),
        ("decision=1", "decision"),
        ("entity=", "entity"),
        (f"entity={'x' * 201}", "entity"),
        ("model=", "model"),
    ],
)
async def test_a_wrong_parameter_is_named(tmp_path: Path, query: str, parameter: str):
    answer = await get(tmp_path, f"/predictions/recent?{query}")

    assert answer.status_code == 422
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [parameter]
    assert not answer.json()["errors"][0]["detail"].startswith("Value error")


@pytest.mark.parametrize(
    ("path", "parameter", "detail"),
    [
        ("/predictions/recent?entity_id=nobody", "entity_id", "is no parameter: leave it out; did you mean entity?"),
        (
            "/predictions/recent?limit=1&zz=1",
            "zz",
            "is no parameter: leave it out; there are model, entity, decision, limit, cursor",
        ),
        ("/predictions/one?limit=1", "limit", "is no parameter: leave it out; there are none here"),
        ("/model?version=2", "version", "is no parameter: leave it out; there are none here"),
        ("/models?limit=2", "limit", "is no parameter: leave it out; there are none here"),
    ],
)
async def test_a_parameter_that_a_route_does_not_have_is_refused(
    tmp_path: Path, path: str, parameter: str, detail: str
):
    answer = await get(tmp_path, path)

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:tidemark:problem:parameter")
    assert answer.json()["errors"] == [{"detail": detail, "parameter": parameter}]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=x", "must be a whole number"),
        ("limit=0", "must be at least 1"),
        ("limit=1001", "must be at most 1000"),
        ("decision=1", "must be 'true' or 'false'"),
        ("model=", "may not be empty"),
        (f"entity={'x' * 201}", "must have at most 200 characters"),
    ],
)
async def test_a_wrong_parameter_is_told_in_plain_words(tmp_path: Path, query: str, detail: str):
    assert (await get(tmp_path, f"/predictions/recent?{query}")).json()["errors"][0]["detail"] == detail


async def test_all_parameters_together_are_taken_and_without_redis_it_says_when_to_try_again(tmp_path: Path):
    answer = await get(
        tmp_path, "/predictions/recent?model=flights/1&entity=N1&decision=false&limit=1000&cursor=AAYKJBgeQAA"
    )

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_with_too_many_look_ups_at_a_time_one_more_is_told_so_and_redis_is_not_thought_away(tmp_path: Path):
    app = an_app(tmp_path, redis_url="redis://127.0.0.1:1/0")
    mirror = services(app).mirror
    mirror._turns = asyncio.Semaphore(0)
    before = mirror.health

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        answer = await http.get("/predictions/one")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["type"] == "urn:tidemark:problem:lookups"
    assert "at a time" in answer.json()["detail"]
    assert mirror.health is before


@given(st.integers(0, (1 << 53) - 1))
def test_a_cursor_is_read_as_it_was_written_and_looks_as_the_page_says(place: int):
    assert read_cursor(write_cursor(place)) == place
    assert re.fullmatch(CURSOR, write_cursor(place))


@given(st.text(max_size=14) | st.from_regex(r"\A[A-Za-z0-9_-]{11}\Z"))
def test_a_text_is_a_cursor_exactly_where_it_has_its_form(text: str):
    try:
        place = read_cursor(text)
    except ValueError:
        assert not re.fullmatch(CURSOR, text)
    else:
        assert write_cursor(place) == text
