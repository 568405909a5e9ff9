"""What a client hears of an event that Kafka might not take, by either door and every reading path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.events import decode_event
from contracts.schema import Feature, FeatureSchema
from tests.builders import a_baseline
from tests.serving import a_served, an_app, services

JSON = {"content-type": "application/json"}
LARGE = 1_000_000
GOOD, BAD = {"features": {"distance": 7, "carrier": "a"}}, {"features": {"distance": "x"}}
TOO_LARGE = {"features": {"distance": 7, "carrier": "x" * LARGE}}


async def ask(app: Any, path: str, body: Any, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        return await http.post(path, content=json.dumps(body).encode(), headers={**JSON, **headers})


def events(app: Any) -> list[Any]:
    slice_ = services(app).outbox.backlog.read()
    groups = [] if slice_ is None else slice_.groups
    assert len(groups) <= 1  # a batch is one commit
    return [decode_event(record.value) for group in groups for record in group.records]


def counted(app: Any, series: str, **labels: str) -> float:
    return services(app).telemetry.registry.get_sample_value(f"tidemark_api_{series}", labels) or 0.0


@pytest.mark.parametrize("door", ["fast", "plain"])
@pytest.mark.parametrize(
    ("rows", "place"), [([GOOD, TOO_LARGE, GOOD], 1), ([BAD, GOOD, BAD, TOO_LARGE, GOOD], 3), ([TOO_LARGE], 0)]
)
async def test_a_row_whose_event_would_be_too_large_is_refused_in_its_place_and_costs_the_others_nothing(
    tmp_path: Path, rows: list[Any], place: int, door: str
):
    app = an_app(tmp_path, served=a_served())
    good, bad = rows.count(GOOD), rows.count(BAD)

    answer = await ask(app if door == "fast" else app.app, "/predict/batch", {"rows": rows})

    said = answer.json()
    assert (answer.status_code, said["answered"], said["refused"]) == (200, good, bad + 1)
    error = said["predictions"][place]["error"]
    assert error["type"] == "urn:tidemark:problem:too-large"
    assert (error["status"], error["title"]) == (413, "The event would be too large")
    (fault,) = error["errors"]
    assert fault["pointer"] == f"/rows/{place}/features/carrier"
    assert fault["detail"].startswith("makes an event of 1000")
    ids = [one["prediction_id"] for one in said["predictions"] if "error" not in one]
    assert [event.id for event in events(app)] == ids
    assert counted(app, "refused_requests_total", category="too-large") == 1
    assert counted(app, "predictions_total", model="flights", version="1") == good


async def test_a_batch_with_a_refused_row_is_answered_again_byte_for_byte(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    body = {"rows": [GOOD, TOO_LARGE]}
    first, again = [await ask(app, "/predict/batch", body, **{"idempotency-key": "k"}) for _ in range(2)]
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert len(events(app)) == 1


async def test_where_every_row_is_refused_nothing_is_written(tmp_path: Path):
    app = an_app(tmp_path, served=a_served())
    assert (await ask(app, "/predict/batch", {"rows": [TOO_LARGE]})).json()["refused"] == 1
    assert services(app).outbox.backlog.pending_bytes == 0


WIDE = FeatureSchema(tuple(Feature(f"{'n' * 300}{number}", "numeric") for number in range(4_000)))
"""A request of this model may be short, and its event names every feature."""


@pytest.mark.parametrize("door", ["fast", "plain"])
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}])
async def test_a_single_request_whose_event_would_be_too_large_is_refused_and_its_key_is_free(
    tmp_path: Path, door: str, headers: dict[str, str]
):
    app = an_app(tmp_path, served=a_served(a_baseline(schema=WIDE)))

    for attempt in (1, 2):
        answer = await ask(app if door == "fast" else app.app, "/predict", {"features": {WIDE.names[0]: 1}}, **headers)

        said = answer.json()
        assert (answer.status_code, said["type"]) == (413, "urn:tidemark:problem:too-large")
        assert [fault["pointer"] for fault in said["errors"]] == ["/features"]
        assert counted(app, "refused_requests_total", category="too-large") == attempt
    assert services(app).outbox.backlog.pending_bytes == 0
