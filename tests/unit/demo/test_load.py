"""The load generator against a real HTTP server: every body once, a steady rate, and an honest count."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec
import pandas as pd
import pytest
from aiohttp import web

from contracts.schema import Feature
from demo.load import Tally, send
from demo.traffic import bodies
from tests.builders import NOON
from tests.unit.demo.serving import served
from training.data.description import Description

Serve = Callable[[Callable[[bytes], web.Response]], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as servers:

        async def start(answer: Callable[[bytes], web.Response]) -> str:
            async def handle(request: web.Request) -> web.Response:
                return answer(await request.read())

            return await servers.enter_async_context(served(handle, "/predict"))

        yield start


def accepted(body: bytes) -> web.Response:
    return web.json_response({"prediction_id": body.decode(), "score": 0.5})


async def test_every_body_is_sent_once_and_its_answer_counted(serve: Serve) -> None:
    tally, sent = Tally(), []
    url = await serve(accepted)
    await send([b"%d" % i for i in range(100)], url, tally, rate=0, connections=7, on_sent=sent.append)
    assert sorted(map(int, tally.answered)) == list(range(100))
    assert (tally.refused, tally.failed, sent[-1]) == ({}, 0, 100)


async def test_the_rate_is_not_exceeded(serve: Serve) -> None:
    tally, url = Tally(), await serve(accepted)
    began = time.perf_counter()
    await send([b"x"] * 50, url, tally, rate=200)
    assert time.perf_counter() - began >= 49 / 200


async def test_a_refusal_is_counted_by_status_and_the_first_one_kept(serve: Serve) -> None:
    tally, url = Tally(), await serve(lambda body: web.Response(status=422, text="no such feature"))
    await send([b"x"] * 3, url, tally, rate=0)
    assert (tally.answered, dict(tally.refused), tally.first_refusal) == ([], {422: 3}, "no such feature")


async def test_a_503_is_tried_again_until_it_is_answered(serve: Serve) -> None:
    busy = [503, 503]
    tally = Tally()
    url = await serve(lambda body: web.Response(status=busy.pop()) if busy else accepted(body))
    await send([b"x"], url, tally, rate=0, connections=1)
    assert (tally.answered, dict(tally.refused)) == (["x"], {})


async def test_a_server_that_is_away_is_reported_after_the_patience_has_ended() -> None:
    tally = Tally()
    await send([b"x"], "http://127.0.0.1:9", tally, rate=0, patience=0.1)
    assert (dict(tally.refused), tally.first_refusal) == ({0: 1}, "no connection to http://127.0.0.1:9/predict")
    assert tally.failed >= 1


async def test_what_is_left_is_not_sent_to_a_server_that_stays_away() -> None:
    tally, sent = Tally(), []
    began = time.perf_counter()
    await send([b"x"] * 1_000, "http://127.0.0.1:9", tally, rate=0, connections=4, patience=0.1, on_sent=sent.append)
    assert (tally.gave_up, dict(tally.refused), sent) == (True, {0: 4}, [1, 2, 3, 4])
    assert time.perf_counter() - began < 10


async def test_an_answer_that_is_no_prediction_is_counted_as_a_refusal(serve: Serve) -> None:
    tally, url = Tally(), await serve(lambda body: web.Response(text="welcome"))
    await send([b"x"] * 2, url, tally, rate=0)
    assert (tally.answered, dict(tally.refused)) == ([], {200: 2})
    assert "without a prediction_id" in tally.first_refusal


def test_a_body_holds_the_row_as_json_with_null_for_what_is_missing() -> None:
    description = Description(
        "d", "f.csv", (Feature("x", "numeric"), Feature("c", "categorical"), Feature("b", "boolean")), entity="who"
    )
    rows = pd.DataFrame({"x": [1.5, None], "c": ["a", None], "b": [True, False], "who": ["n1", "n2"], "more": [0, 0]})
    first, second = (msgspec.json.decode(body) for body in bodies(rows, description, [NOON, NOON]))
    assert first == {
        "features": {"x": 1.5, "c": "a", "b": True},
        "entity_id": "n1",
        "event_time": "2026-01-01T12:00:00Z",
    }
    assert second["features"] == {"x": None, "c": None, "b": False}
