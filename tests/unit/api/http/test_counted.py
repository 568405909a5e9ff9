"""Every problem that is answered moves one counter by one, under the word that its type ends with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.keys import an_entry, bearer, write_keys
from tests.serving import a_served, an_app, services

JSON = {"content-type": "application/json", **bearer(1)}
GOOD = b'{"features": {"distance": 70}}'
KEYS = (an_entry(1), an_entry(2, scopes=("predict",)), an_entry(3, scopes=("read",), rate=1.0, burst=1))
COUNTERS = {"refused_requests_total": "category", "failed_requests_total": "why"}


class Asked(NamedTuple):
    """before: what is done to the application first. model: whether one is loaded."""

    method: str
    path: str
    word: str
    headers: dict[str, str] = JSON
    body: bytes = b""
    before: Callable[[Any], None] = lambda _: None
    model: bool = True


class _NothingFound:
    async def execute_command(self, *_: Any) -> None:
        return None


def nothing_kept(app: Any) -> None:
    services(app).mirror._reader = _NothingFound()


def a_bug(app: Any) -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    app.app.add_api_route("/broken", broken)


ASKED: dict[str, Asked] = {
    "a wrong parameter": Asked("GET", "/predictions/recent?limit=0", "parameter"),
    "two wrong parameters": Asked("GET", "/predictions/recent?limit=0&decision=maybe", "parameter"),
    "no such path": Asked("GET", "/somebody/17", "not-found"),
    "no such file": Asked("GET", "/docs/assets/nothing.js", "not-found"),
    "a wrong method": Asked("DELETE", "/model", "method-not-allowed"),
    "a wrong method of the fast path": Asked("PUT", "/predict", "method-not-allowed"),
    "a look-up without a key": Asked("GET", "/predictions/some-id", "no-key", {}),
    "a look-up with a key for predictions": Asked("GET", "/model", "scope", bearer(2)),
    "a look-up without Redis": Asked("GET", "/predictions/some-id", "lookups"),
    "recent ones without Redis": Asked("GET", "/predictions/recent", "lookups"),
    "no such prediction": Asked("GET", "/predictions/some-id", "no-such-prediction", before=nothing_kept),
    "the model before there is one": Asked("GET", "/model", "no-model", model=False),
    "a bug": Asked("GET", "/broken", "unexpected", before=a_bug),
    "a body that is no JSON": Asked("POST", "/predict", "not-json", body=b"distance"),
    "a row without its features": Asked("POST", "/predict", "missing-field", body=b"{}"),
    "a row that the model fails on": Asked("POST", "/predict", "scoring", body=b'{"features": {"distance": -1}}'),
    "a batch that is none": Asked("POST", "/predict/batch", "missing-field", body=b"{}"),
    "an explanation of no row": Asked("POST", "/explain", "not-json"),
    "a prediction before there is a model": Asked("POST", "/predict", "no-model", body=GOOD, model=False),
    "a prediction with a key for reading": Asked("POST", "/predict", "scope", {**JSON, **bearer(3)}, GOOD),
}


def counts(app: Any) -> dict[tuple[str, str], float]:
    """By counter and label."""
    return {
        (name, sample.labels[label]): sample.value
        for metric in services(app).telemetry.registry.collect()
        for sample in metric.samples
        for name, label in COUNTERS.items()
        if sample.name == f"tidemark_api_{name}"
    }


async def ask(app: Any, asked: Asked) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return await http.request(asked.method, asked.path, headers=asked.headers, content=asked.body)


@pytest.mark.parametrize("door", ["fast", "plain"])
@pytest.mark.parametrize("name", ASKED)
async def test_a_problem_moves_exactly_one_counter_by_one(tmp_path: Path, name: str, door: str):
    asked = ASKED[name]
    served = a_served() if asked.model else None
    app = an_app(tmp_path, served=served, keys_file=write_keys(tmp_path / "keys.json", KEYS))
    asked.before(app)

    answer = await ask(app if door == "fast" else app.app, asked)

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:tidemark:problem:{asked.word}"
    counter = "failed_requests_total" if answer.status_code >= 500 else "refused_requests_total"
    assert counts(app) == {(counter, asked.word): 1}


async def test_a_rate_that_look_ups_have_used_up_is_counted_once(tmp_path: Path):
    app = an_app(tmp_path, served=a_served(), keys_file=write_keys(tmp_path / "keys.json", KEYS))

    answers = [await ask(app, Asked("GET", "/model", "rate", bearer(3))) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert counts(app) == {("refused_requests_total", "rate"): 1}
