"""What requests of many rows cost of a key's rate, whatever becomes of them; by the fast path and the plain one."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.guard.key_ring import KeyRing
from tests.fakes import ManualClock
from tests.keys import an_entry, bearer
from tests.serving import a_served, an_app, services

ROW = b'{"features": {"distance": 70}}'
BATCH = b'{"rows": [%s]}' % b", ".join([ROW] * 3)
WRONG = b'{"rows": [%s]}' % b", ".join([ROW, b'{"features": {"distnce": 70}}'])


class Client:
    """Has a key with a rate of one row a second. clock: of that rate."""

    def __init__(self, directory: Path, door: str, burst: int) -> None:
        app = an_app(directory, served=a_served())
        self.clock = ManualClock(0.0)
        entry = an_entry(1, scopes=("predict", "label"), rate=1.0, burst=burst)
        services(app).guard._clock = self.clock
        services(app).guard.use(KeyRing((entry,), self.clock))
        self._app = app if door == "fast" else app.app

    async def post(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
            sent = {"content-type": "application/json", **bearer(1), **headers}
            return await http.post(path, content=content, headers=sent)


@pytest.fixture(params=["fast", "plain"])
def door(request: pytest.FixtureRequest) -> Any:
    return request.param


UNREAD = {
    "a batch that is not closed": ("/predict/batch", BATCH[:-1], 400),
    "a batch of nothing": ("/predict/batch", b'{"rows": []}', 422),
    "a batch that is too long": ("/predict/batch", b" " * (2 << 20 | 1), 413),
    "labels that are not closed": ("/labels", b'{"labels": [', 400),
    "a label that is none": ("/labels", b'{"truth": 1}', 422),
}


@pytest.mark.parametrize("name", UNREAD)
async def test_what_cannot_be_read_costs_a_row(tmp_path: Path, door: str, name: str):
    client = Client(tmp_path, door, burst=3)
    path, body, status = UNREAD[name]

    answers = [await client.post(path, body) for _ in range(6)]
    client.clock.now += 1.5
    answers.append(await client.post(path, body))

    assert [answer.status_code for answer in answers] == [status] * 4 + [429] * 2 + [status]
    assert answers[4].headers["retry-after"] == "3"


async def test_an_answer_that_is_given_again_costs_a_row(tmp_path: Path, door: str):
    client = Client(tmp_path, door, burst=5)

    answers = [await client.post("/predict/batch", BATCH, **{"idempotency-key": "k"}) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true", "true", "true", None]


async def test_a_batch_costs_its_rows_and_one_over_the_rate_nothing(tmp_path: Path, door: str):
    client = Client(tmp_path, door, burst=8)

    answers = [await client.post("/predict/batch", BATCH) for _ in range(9)]
    client.clock.now += 1.5
    answers.append(await client.post("/predict/batch", BATCH))

    assert [answer.status_code for answer in answers] == [200] * 2 + [429] * 7 + [200]
    assert [answers[-2].headers["retry-after"], answers[-2].json()["type"]] == ["2", "urn:tidemark:problem:rate"]


async def test_a_batch_with_a_wrong_row_costs_its_rows_and_one_over_the_rate_a_row(tmp_path: Path, door: str):
    client = Client(tmp_path, door, burst=3)

    answers = [await client.post("/predict/batch", WRONG) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 429]
    assert [answer.headers.get("retry-after") for answer in answers[1:]] == ["3", "4", "3", "3"]
    assert json.loads(answers[0].content)["answered"] == 1
