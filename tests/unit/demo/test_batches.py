"""Rows and labels in batches against a real HTTP server: each once, each label with its receipt."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from demo.batches import BATCH, Answer, Batches
from demo.load import Tally
from tests.builders import NOON
from tests.unit.demo.serving import served

Handler = Callable[[str, str, Any], web.Response]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as servers:

        async def start(answer: Handler) -> str:
            async def handle(request: web.Request) -> web.Response:
                return answer(request.path, request.headers["idempotency-key"], await request.json())

            return await servers.enter_async_context(served(handle, "/predict/batch", "/labels"))

        yield start


def answered(path: str, key: str, body: Any) -> web.Response:
    """As the api answers; a row without a number is refused."""
    if path == "/labels":
        return web.json_response({"accepted": len(body["labels"]), "refused": 0})
    answers = [
        {"prediction_id": f"p{row['n']}", "receipt": f"r{row['n']}"} if row else {"error": "x"} for row in body["rows"]
    ]
    return web.json_response({"predictions": answers})


def rows_of(count: int) -> list[bytes]:
    return [json.dumps({"n": n}).encode() for n in range(count)]


async def test_every_row_is_answered_in_its_order_over_several_requests(serve: Serve) -> None:
    tally, url = Tally(), await serve(answered)
    async with Batches(url, tally, "act") as api:
        answers = await api.predict(rows_of(BATCH + 5))
    assert [answer.prediction_id for answer in answers] == [f"p{n}" for n in range(BATCH + 5)]
    assert tally.answered == [answer.prediction_id for answer in answers]


async def test_a_row_that_was_refused_is_counted_and_gets_no_label(serve: Serve) -> None:
    asked: list[Any] = []

    def kept(path: str, key: str, body: Any) -> web.Response:
        asked.append(body)
        return answered(path, key, body)

    tally, url = Tally(), await serve(kept)
    async with Batches(url, tally, "act") as api:
        answers = await api.predict([*rows_of(1), b"{}"])
        await api.label(answers, [1, 0], NOON)
    assert (dict(tally.refused), api.labels) == ({422: 1}, 1)
    label = asked[-1]["labels"]
    assert [(one["prediction_id"], one["receipt"], one["truth"]) for one in label] == [("p0", "r0", 1)]


async def test_what_was_not_answered_is_sent_again_with_the_same_key(serve: Serve) -> None:
    keys: list[str] = []

    def busy_once(path: str, key: str, body: Any) -> web.Response:
        keys.append(key)
        return web.Response(status=503) if len(keys) == 1 else answered(path, key, body)

    tally, url = Tally(), await serve(busy_once)
    async with Batches(url, tally, "act") as api:
        await api.predict(rows_of(1))
        await api.predict(rows_of(1))
    assert keys == ["act-1", "act-1", "act-2"]
    assert tally.answered == ["p0", "p0"]


async def test_what_is_refused_whole_is_given_up_and_the_reason_kept(serve: Serve) -> None:
    tally, url = Tally(), await serve(lambda *_: web.Response(status=413, text="too large"))
    async with Batches(url, tally, "act") as api:
        assert await api.predict(rows_of(1)) == []
        await api.label([Answer("p0", "r0")], [1], NOON)
    assert (dict(tally.refused), tally.first_refusal, api.labels) == ({413: 2}, "too large", 0)
