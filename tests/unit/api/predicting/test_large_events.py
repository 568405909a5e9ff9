"""Events that Kafka might not take for their size: none is made, whoever answers, and the others are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.errors import EventTooLarge
from api.idempotency.ticket import Ticket
from api.predicting.drafts import Finished, draft, finish, finish_rows
from api.predicting.predictor import Job
from api.requests.schemas import RequestReader
from contracts.events import EventIds
from contracts.schema import Feature, FeatureSchema
from contracts.topics import MOST_EVENT_BYTES
from tests.builders import NOON, NOON_MS, a_baseline, a_schema
from tests.rollouts import RollingDesk, a_rollout

BASELINE = a_baseline(threshold=0.5)
READER = RequestReader(BASELINE.schema, timedelta(days=1))


def a_request(size: int) -> Any:
    return READER.read(msgspec.json.encode({"features": {"distance": 1, "carrier": "x" * size}}), NOON)


def made(sizes: list[int], way: str) -> Finished:
    requests, scores = [a_request(size) for size in sizes], [0.25] * len(sizes)
    ids = EventIds("a.b", NOON_MS)
    if way == "rows":
        return finish_rows(requests, scores, 1.5, None, ids, BASELINE, NOON)
    drafts = [draft(request, score, 1.5, None) for request, score in zip(requests, scores, strict=True)]
    return finish(drafts, ids.next, BASELINE, NOON, lambda _: b"")


@pytest.mark.parametrize("way", ["rows", "drafts"])
def test_an_event_of_a_million_bytes_is_made_and_one_of_a_byte_more_is_not(way: str) -> None:
    around = len(made([1], way).records[0].value) - 1

    found = made([1, MOST_EVENT_BYTES - around, MOST_EVENT_BYTES - around + 1, 2_000_000, 1], way)

    assert [len(record.value) for record in found.records[:2]] == [around + 1, MOST_EVENT_BYTES]
    assert len(found.records) == 3
    first, second = found.committed[2:4]
    assert isinstance(first, EventTooLarge)
    assert isinstance(second, EventTooLarge)
    ((pointer, detail, category),) = first.errors
    assert (pointer, category) == ("/features/carrier", "too-large")
    assert detail.startswith("makes an event of 1000001 bytes, and Kafka is sure to take 1000000: ")


def test_of_many_small_features_none_is_pointed_at() -> None:
    schema = FeatureSchema(tuple(Feature(f"{'n' * 200}{number}", "numeric") for number in range(5_000)))
    reader = RequestReader(schema, timedelta(days=1))
    request = reader.read(b'{"features": {}}', NOON)

    (error,) = finish_rows([request], [0.5], 1, None, EventIds("a", 1), a_baseline(schema=schema), NOON).committed

    assert isinstance(error, EventTooLarge)
    assert error.errors[0].pointer == "/features"


def a_job(desk: RollingDesk, size: int, ticket: Ticket | None = None, entity: str | None = None) -> Job:
    served = desk.predictor.current()
    body: dict[str, Any] = {"features": {"distance": 1, "carrier": "x" * size}, "entity_id": entity}
    return Job(served, served.reader.read(msgspec.json.encode(body), NOON), 0.0, None, ticket)


async def test_of_requests_that_are_answered_together_only_the_large_one_is_refused_and_its_key_is_free(
    tmp_path: Path,
) -> None:
    desk = RollingDesk(tmp_path)
    desk.roll(None)
    tickets = [Ticket(bytes([n]), NOON_MS) for n in range(3)]
    jobs = [a_job(desk, size, ticket) for size, ticket in zip([1, 1_000_000, 1], tickets, strict=True)]

    one, large, other = await asyncio.gather(*map(desk.predictor.submit, jobs), return_exceptions=True)

    assert isinstance(large, EventTooLarge)
    assert [ticket.committed for ticket in tickets] == [True, False, True]
    assert [record.id for record in desk.records()] == [one.id, other.id]
    assert all(record.outcome for record in desk.records())


LONG_NAME = "a" * 200


async def about_a_million(desk: RollingDesk) -> Job:
    """A request whose event the champion can still make, and version 2, with one more feature, cannot."""
    desk.roll(None)
    await desk.predictor.submit(a_job(desk, 1))
    around = len(desk.records()[-1].value) - 1
    return a_job(desk, MOST_EVENT_BYTES - around - 100)


async def test_a_canarys_event_that_is_too_large_is_refused_and_not_written(tmp_path: Path) -> None:
    desk = RollingDesk(tmp_path, schema=a_schema((LONG_NAME, "distance")))
    job = await about_a_million(desk)
    assert (await desk.predictor.submit(job)).role == "champion"
    desk.roll(a_rollout())
    before = len(desk.records())

    with pytest.raises(EventTooLarge):
        await desk.predictor.submit(job)

    assert len(desk.records()) == before


async def test_a_shadows_event_that_is_too_large_counts_as_failed_and_is_not_written(tmp_path: Path) -> None:
    desk = RollingDesk(tmp_path, a_rollout("shadow"), schema=a_schema((LONG_NAME, "distance")))
    job = await about_a_million(desk)
    desk.roll(a_rollout("shadow"))

    assert (await desk.predictor.submit(job)).role == "champion"
    await desk.predictor.submit(a_job(desk, 1))
    await desk.scored(2)

    assert desk.outcomes() == [1, 1, 0]
    assert desk.troubles == {("shadow", "too-large"): 1}


async def test_what_the_champion_refused_is_not_offered_to_a_shadow(tmp_path: Path) -> None:
    desk = RollingDesk(tmp_path, a_rollout("shadow"))
    with pytest.raises(EventTooLarge):
        await desk.predictor.submit(a_job(desk, 1_000_000))
    assert desk.shadow.waiting == 0
