"""POST /predict/batch by the fast path and by the plain one: one answer and the same events, byte for byte."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import a_served, an_app, of_one_identity, services

GOOD = b'{"features": {"distance": 70, "seats": null, "carrier": "a"}}'
JSON = {"content-type": "application/json", "x-request-id": "r-1"}


def rows(*texts: bytes) -> bytes:
    return b'{"rows": [%s]}' % b", ".join(texts)


BODIES = {
    "good": rows(GOOD, GOOD),
    "a bad row": rows(GOOD, b'{"features": {"distnce": 1}}', GOOD),
    "a row that the model fails on": rows(GOOD, b'{"features": {"distance": -1}}'),
    "a number that is none": rows(GOOD, b'{"features": {"distance": NaN}}'),
    "a row from the future": rows(b'{"features": {"distance": 1}, "event_time": "2099-01-01T00:00:00Z"}'),
    "a bad row that is deep": rows(GOOD, b'{"features": {"distance": %s}}' % (b"[" * 2000 + b"]" * 2000)),
    "a bad row that is long": rows(GOOD, b'{"features": {"distance": "%s"}}' % (b"x" * 70_000)),
    "no row": rows(),
    "1,001 rows": rows(*[GOOD] * 1001),
    "rows twice": b'{"rows": [%s], "rows": [%s]}' % (GOOD, GOOD),
    "brackets": b'{"rows": [' + b"[" * 100_000,
    "no batch": b"[]",
    "no JSON": b"x",
    "nothing": b"",
    "no UTF-8": rows(GOOD).replace(b'"a"', b'"\xff"'),
    "too long": b" " * (2 << 20 | 1),
}
HEADERS: list[dict[str, str]] = [
    JSON,
    {**JSON, "idempotency-key": "k"},
    {**JSON, "idempotency-key": "k"},
    {**JSON, "idempotency-key": "k" * 300},
    {**JSON, "content-type": "text/plain"},
    {**JSON, "content-encoding": "gzip"},
]
"""Sent one after the other."""


@pytest.mark.parametrize("name", BODIES)
async def test_both_paths_answer_a_batch_alike_and_make_the_same_events(tmp_path: Path, name: str):
    fast = an_app(of_one_identity(tmp_path / "fast"), served=a_served())
    plain = an_app(of_one_identity(tmp_path / "plain"), served=a_served())

    one, other = await said(fast, BODIES[name]), await said(plain.app, BODIES[name])

    assert one == other
    assert made(fast) == made(plain)
    assert counted(fast) == counted(plain)
    first_answers = [content for _, headers, content in one if (b"idempotent-replayed", b"true") not in headers]
    assert len(made(fast)) == sum(json.loads(content).get("answered", 0) for content in first_answers)


async def said(app: Any, body: bytes) -> list[tuple[int, list[tuple[bytes, bytes]], bytes]]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        answers = [await http.post("/predict/batch", content=body, headers=headers) for headers in HEADERS]
    return [(answer.status_code, answer.headers.raw, answer.content) for answer in answers]


def made(app: Any) -> list[Any]:
    """The events, but for the time that each took."""
    slice_ = services(app).outbox.backlog.read()
    records = [] if slice_ is None else [record for group in slice_.groups for record in group.records]
    return [(record.key, record.id, {**json.loads(record.value), "latency_ms": 0}, record.origin) for record in records]


def counted(app: Any) -> dict[str, float]:
    """Refusals and failures by their words."""
    lines = services(app).telemetry.page().decode().splitlines()
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith(("tidemark_api_refused_requests_total{", "tidemark_api_failed_requests_total{"))
    }
