"""Rows of a batch become events without drafts: the same ones, byte for byte."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from api.predicting.drafts import draft, finish, finish_rows
from api.requests.schemas import RequestReader
from contracts.events import EventIds
from contracts.headers import Origin
from tests.builders import NOON, NOON_MS, a_baseline
from tests.serving import RECEIPTS

BODIES = (
    b'{"features": {"distance": 70.5, "seats": null, "carrier": "a\\"b"}}',
    b'{"features": {"distance": 1e300}, "entity_id": "N1 \xc3\xa4\\n"}',
    b'{"features": {"distance": 1}, "entity_id": "N2", "event_time": "2025-12-31T14:00:00.25+02:00"}',
    b'{"features": {}, "event_time": "2025-12-31T14:00:00Z"}',
)


@pytest.mark.parametrize("threshold", [None, 0.5])
@pytest.mark.parametrize("origin", [None, Origin("r-1")])
def test_rows_are_the_events_that_their_drafts_would_be(threshold: float | None, origin: Origin | None):
    baseline = a_baseline(threshold=threshold)
    reader = RequestReader(baseline.schema, timedelta(days=1))
    requests = [reader.read(body, NOON) for body in BODIES] * 100
    scores = [place / len(requests) for place in range(len(requests))]

    rows = finish_rows(requests, scores, 1.5, origin, EventIds("a.b", NOON_MS), baseline, NOON)

    drafts = [draft(request, score, 1.5, origin) for request, score in zip(requests, scores, strict=True)]
    assert rows == finish(drafts, EventIds("a.b", NOON_MS).next, baseline, NOON, no_answer)


def no_answer(_: Any) -> bytes:
    raise AssertionError("none of them has a ticket")


def test_receipts_of_many_are_those_of_each():
    """Of each length modulo 3, with times of their own, and of two versions."""
    for version in ("1", "12", "123"):
        baseline = a_baseline(threshold=0.5, version=version)
        reader = RequestReader(baseline.schema, timedelta(days=1))
        requests = [reader.read(body, NOON) for body in BODIES] * 5
        rows = finish_rows(requests, [0.25, 0.75] * 10, 1.5, None, EventIds("a.b", NOON_MS), baseline, NOON)
        events: list[Any] = rows.committed

        assert RECEIPTS.sign_all(events) == [RECEIPTS.sign(event) for event in events]
        assert RECEIPTS.sign_all(events[:1]) == [RECEIPTS.sign(events[0])]
    both: list[Any] = [*events, *finish_rows(requests, [0.5] * 20, 1, None, EventIds("b", 1), a_baseline(), NOON)[0]]
    assert RECEIPTS.sign_all(both) == [RECEIPTS.sign(event) for event in both]
    assert RECEIPTS.sign_all([]) == []
