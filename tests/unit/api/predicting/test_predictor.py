import asyncio
from contextlib import nullcontext
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from api.errors import NoModel, OutboxClosed, ScoringFailed
from api.idempotency.ticket import Ticket
from api.outbox.log import Outbox
from api.outbox.settler import Settler
from api.predicting.predictor import Job, Predictor
from api.predicting.rows import RowsPredictor
from api.telemetry import Telemetry
from contracts.events import PredictionEvent, decode_event, parse_id
from contracts.topics import PREDICTIONS, partition_of
from tests.builders import NOON, NOON_MS, a_baseline, a_schema
from tests.serving import FirstNumberScorer, a_predictor, a_served, an_outbox, services
from tests.unit.api.outbox.failing_disk import disk_that_does_not_sync


class Desk:
    """A predictor with its outbox; `ask` sends a request with the given first number. settled: each group is."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        settled = settings.pop("settled", False)
        self.outbox: Outbox = an_outbox(directory, max_bytes=settings.pop("max_bytes", 1 << 30), each_group=settled)
        self.settler = Settler(self.outbox)
        if settled:
            settings["settle"] = self.settler.settle
        self.predictor: Predictor = a_predictor(self.outbox, **settings)

    async def ask(self, number: float, served: Any = None, **fields: Any) -> PredictionEvent[Any]:
        served = served or self.predictor.current()
        body = msgspec.json.encode({"features": {served.baseline.schema.names[0]: number}, **fields})
        return await self.predictor.submit(Job(served, served.reader.read(body, NOON), 0.0))

    def sent(self) -> list[PredictionEvent[Any]]:
        slice_ = self.outbox.backlog.read()
        groups = [] if slice_ is None else slice_.groups
        return [decode_event(record.value) for group in groups for record in group.records]


async def test_an_answer_is_in_the_outbox_before_it_goes_out(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())

    event = await desk.ask(70, entity_id="N1")

    assert event.score == 0.7
    assert event.decision is True
    (sent,) = desk.sent()
    assert sent.id == event.id
    assert sent.features == {"distance": 70.0, "seats": None, "carrier": None}
    assert (sent.entity_id, sent.model, sent.model_version, sent.role) == ("N1", "flights", "1", "champion")


async def test_ids_carry_source_and_epoch_and_rise(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())

    events = await asyncio.gather(*(desk.ask(n) for n in range(3)))

    ids = [parse_id(event.id) for event in events]
    assert [(id_.source, id_.epoch, id_.sequence) for id_ in ids if id_] == [("api.test", NOON_MS, n) for n in range(3)]


async def test_the_record_goes_where_its_entity_goes_or_by_its_own_id(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())
    await desk.ask(1, entity_id="N1")
    own = await desk.ask(1)

    slice_ = desk.outbox.backlog.read()
    assert slice_ is not None
    keys = [record.key for group in slice_.groups for record in group.records]
    assert keys == [b"N1", own.id.encode()]
    assert 0 <= partition_of(keys[1], PREDICTIONS.partitions) < PREDICTIONS.partitions


async def test_the_event_time_is_the_requests_in_utc_or_now(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())
    there = NOON.astimezone(timezone(timedelta(hours=2))) - timedelta(days=1)

    given = await desk.ask(1, event_time=there)
    now = await desk.ask(1)

    assert given.event_time.isoformat() == "2025-12-31T12:00:00+00:00"
    assert now.event_time == NOON


async def test_without_a_threshold_there_is_no_decision(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served(a_baseline(threshold=None)))

    assert (await desk.ask(99)).decision is None


async def test_a_score_at_the_threshold_is_positive(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())

    assert (await desk.ask(50)).decision is True
    assert (await desk.ask(49.9)).decision is False


async def test_requests_that_arrive_together_are_scored_together(tmp_path: Path):
    desk, scorer = Desk(tmp_path), FirstNumberScorer()
    desk.predictor.swap(a_served(scorer=scorer))

    await asyncio.gather(*(desk.ask(n) for n in range(5)))

    assert scorer.batches == [5]


async def test_a_row_that_the_model_chokes_on_costs_its_neighbours_nothing(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())

    answers = await asyncio.gather(*(desk.ask(n) for n in (1, 2, -1, 4, -1)), return_exceptions=True)

    assert [type(answer) is ScoringFailed for answer in answers] == [False, False, True, False, True]
    assert [event.score for event in desk.sent()] == [0.01, 0.02, 0.04]


class EndlessScorer(FirstNumberScorer):
    def score(self, rows: Any) -> Any:
        return super().score(rows) / 0.0


@pytest.mark.filterwarnings("ignore:divide by zero")
async def test_a_score_that_is_no_number_is_no_answer_and_no_event(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served(scorer=EndlessScorer()))

    with pytest.raises(ScoringFailed, match="not a finite number"):
        await desk.ask(1)
    assert desk.sent() == []


async def test_there_is_no_answer_without_an_event(tmp_path: Path):
    desk = Desk(tmp_path, max_bytes=10)
    desk.predictor.swap(a_served())

    with pytest.raises(OutboxClosed):
        await desk.ask(1)


def total(desk: Desk) -> float:
    """Of tidemark_api_predictions_total."""
    registry = desk.predictor._telemetry.registry
    labels = {"model": "flights", "version": "1"}
    return registry.get_sample_value("tidemark_api_predictions_total", labels) or 0.0


async def asked_with_key(desk: Desk) -> tuple[Ticket, Any]:
    """The ticket of a request, and its event or error."""
    ticket, served = Ticket(b"d" * 32, NOON_MS), desk.predictor.current()
    body = msgspec.json.encode({"features": {served.baseline.schema.names[0]: 1.0}})
    job = Job(served, served.reader.read(body, NOON), 0.0, ticket=ticket)
    (answer,) = await asyncio.gather(desk.predictor.submit(job), return_exceptions=True)
    return ticket, answer


async def test_a_key_is_committed_and_a_prediction_counted_with_its_event(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())

    ticket, event = await asked_with_key(desk)

    assert ticket.committed
    assert total(desk) == 1
    (sent,) = desk.sent()
    assert sent.id == event.id


async def test_a_key_whose_event_cannot_be_made_is_not_committed(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.predictor.swap(a_served())

    with mock.patch("api.predicting.drafts.encode_event", side_effect=RecursionError):
        ticket, error = await asked_with_key(desk)

    assert isinstance(error, RecursionError)
    assert not ticket.committed
    assert total(desk) == 0
    assert desk.sent() == []


async def test_where_groups_are_settled_a_refused_prediction_is_no_event_is_not_counted_and_its_key_is_free(
    tmp_path: Path,
):
    desk = Desk(tmp_path, settled=True)
    desk.predictor.swap(a_served())

    with disk_that_does_not_sync():
        ticket, error = await asked_with_key(desk)

    assert isinstance(error, OutboxClosed)
    assert not ticket.committed
    assert total(desk) == 0
    await desk.settler.settle()
    assert desk.sent() == []
    ticket, event = await asked_with_key(desk)
    assert ticket.committed
    assert total(desk) == 1
    assert [sent.id for sent in desk.sent()] == [event.id]


@pytest.mark.parametrize("settles", [True, False])
async def test_many_rows_are_settled_together_or_refused_together(tmp_path: Path, settles: bool):
    desk = Desk(tmp_path, settled=True)
    desk.predictor.swap(a_served())
    served = desk.predictor.current()
    rows = RowsPredictor(desk.predictor, Telemetry(), rows=2, settle=desk.settler.settle)
    bodies = [msgspec.json.encode({"features": {served.baseline.schema.names[0]: float(n)}}) for n in range(5)]
    requests = [served.reader.read(body, NOON) for body in bodies]

    with nullcontext() if settles else disk_that_does_not_sync():
        (found,) = await asyncio.gather(rows.submit(served, requests, 0.0), return_exceptions=True)

    assert isinstance(found, list) is settles
    await desk.settler.settle()
    assert len(desk.sent()) == total(desk) == (5 if settles else 0)


async def test_an_id_that_the_outbox_refused_is_not_given_again(tmp_path: Path):
    desk = Desk(tmp_path, max_bytes=400)
    desk.predictor.swap(a_served())
    first = await desk.ask(1)
    with pytest.raises(OutboxClosed):
        await desk.ask(2)
    slice_ = desk.outbox.backlog.read()
    assert slice_ is not None
    desk.outbox.backlog.ack(slice_)

    third = await desk.ask(3)

    assert [int(event.id[-10:], 16) for event in (first, third)] == [0, 2]


async def test_without_a_model_nothing_is_served(tmp_path: Path):
    with pytest.raises(NoModel):
        Desk(tmp_path).predictor.current()


async def test_a_request_is_scored_by_the_version_it_was_read_with(tmp_path: Path):
    """before the swap: |a--read(1)--------submit|   after it: |--read(2)--submit|, all in one batch."""
    desk = Desk(tmp_path)
    old = a_served()
    new = a_served(a_baseline(version="2", schema=a_schema(("seats", "distance", "age"))))
    desk.predictor.swap(old)
    waiting = [asyncio.ensure_future(desk.ask(10)), asyncio.ensure_future(desk.ask(20, served=old))]

    desk.predictor.swap(new)
    waiting.append(asyncio.ensure_future(desk.ask(30)))
    waiting.append(asyncio.ensure_future(desk.ask(40, served=old)))
    events = await asyncio.gather(*waiting)

    assert [(event.model_version, event.score) for event in events] == [("2", 0.1), ("1", 0.2), ("2", 0.3), ("1", 0.4)]
    assert {event.id for event in desk.sent()} == {event.id for event in events}
    assert len({event.id for event in events}) == 4


async def test_a_group_in_the_outbox_names_the_baseline_it_needs(tmp_path: Path):
    desk = Desk(tmp_path)
    old, new = a_served(), a_served(a_baseline(version="2"))
    desk.predictor.swap(new)
    await asyncio.gather(desk.ask(1, served=old), desk.ask(2))

    slice_ = desk.outbox.backlog.read()

    assert slice_ is not None
    assert [group.baseline for group in slice_.groups] == ["flights/1", "flights/2"]


def test_the_metrics_name_one_champion(tmp_path: Path):
    from tests.serving import an_app

    app = an_app(tmp_path, served=a_served())
    services(app).predictor.swap(a_served(a_baseline(version="2")))

    lines = [line for line in services(app).telemetry.page().decode().splitlines() if "api_model_info{" in line]
    assert lines == ['tidemark_api_model_info{model="flights",scorer="first-number",version="2"} 1.0']
