import asyncio
import itertools
import time
from pathlib import Path

import pytest

from api.errors import OutboxClosed, ScoringFailed
from api.idempotency.ticket import Ticket
from api.predicting.drafts import Keep
from api.predicting.lane import SLOW_SECONDS
from contracts.events import parse_id
from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON_MS, a_baseline, a_schema
from tests.rollouts import ConstantScorer, RollingDesk, a_rollout, breaking, failing
from tests.serving import a_served

ENTITIES = [f"N{number}" for number in range(400)]


class Clock:
    """Stands still, but for what a test lets go by."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def roles(self, desk: RollingDesk, requests: int) -> list[str]:
        """Who answers one entity's requests, each half a second after the other's answer."""
        roles = []
        for _ in range(requests):
            roles.append((await desk.ask(entity_id="N1")).role)
            self.now += 0.5
        return roles


async def test_a_chosen_entity_is_answered_by_the_canary_and_the_event_says_so(tmp_path: Path):
    desk = RollingDesk(tmp_path)

    event = await desk.ask(entity_id="N1")

    assert (event.model_version, event.role, event.score) == ("2", "canary", 0.9)
    (sent,) = desk.sent()
    assert (sent.id, sent.model_version, sent.role) == (event.id, "2", "canary")


async def test_the_share_decides_and_an_entity_is_always_answered_by_the_same_version(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=25))

    first, second = [
        [event.model_version for event in await asyncio.gather(*(desk.ask(entity_id=entity) for entity in ENTITIES))]
        for _ in range(2)
    ]

    assert first == second
    assert 65 <= first.count("2") <= 135


async def test_rows_about_nobody_have_their_fair_chance_each(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=25))

    events = [await desk.ask() for _ in range(400)]

    assert 65 <= [event.role for event in events].count("canary") <= 135


async def test_the_counters_of_answers_are_those_of_the_versions(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=50))

    await asyncio.gather(*(desk.ask(entity_id=entity) for entity in ENTITIES))

    counted = [desk.value("predictions_total", model="flights", version=version) for version in "12"]
    assert sum(counted) == len(ENTITIES)
    assert counted[1] == desk.value("canary_rows_total") > 100


@pytest.mark.parametrize(
    ("scorer", "why"),
    [
        (ConstantScorer(hook=failing), "scoring"),
        (ConstantScorer(hook=breaking), "scoring"),
        (ConstantScorer(float("nan")), "scoring"),
        (ConstantScorer(float("inf")), "scoring"),
    ],
    ids=["raises", "breaks its promise", "nan", "infinite"],
)
async def test_what_the_canary_cannot_score_the_champion_answers(tmp_path: Path, scorer: ConstantScorer, why: str):
    desk = RollingDesk(tmp_path, scorer=scorer)

    events = await asyncio.gather(*(desk.ask(70, entity_id=entity) for entity in ENTITIES[:5]))

    assert {(event.model_version, event.role, event.score) for event in events} == {("1", "champion", 0.7)}
    assert desk.value("canary_fallbacks_total", why=why) == 5
    assert desk.troubles == {("canary", why): 5}
    assert desk.value("canary_rows_total") == 0


async def test_a_row_that_the_champion_cannot_score_either_has_no_answer(tmp_path: Path):
    desk = RollingDesk(tmp_path, scorer=ConstantScorer(hook=failing))

    with pytest.raises(ScoringFailed):
        await desk.ask(-1)


async def test_a_slow_canary_rests_and_meanwhile_the_champion_answers(tmp_path: Path):
    clock = Clock()

    def slow(_: object) -> None:
        clock.now += 0.5
        until = time.thread_time() + SLOW_SECONDS * 1.1
        while time.thread_time() < until:
            pass

    desk = RollingDesk(tmp_path, scorer=ConstantScorer(hook=slow), stopwatch=clock)

    assert await clock.roles(desk, 12) == ["canary", *["champion"] * 8, "canary", *["champion"] * 2]
    assert desk.value("canary_fallbacks_total", why="slow") == 10


async def test_a_machine_that_stands_still_now_and_then_gives_the_canary_no_rest(tmp_path: Path):
    clock, stands_still = Clock(), itertools.cycle([5.0, 5.0, *8 * [0.0]])

    def held_up(_: object) -> None:
        clock.now += next(stands_still)

    desk = RollingDesk(tmp_path, scorer=ConstantScorer(hook=held_up), stopwatch=clock)

    assert await clock.roles(desk, 30) == ["canary"] * 30
    assert not desk.troubles


async def test_a_canary_that_waits_again_and_again_and_does_not_compute_rests_too(tmp_path: Path):
    clock = Clock()

    waits = itertools.cycle([0.5, 0.0])

    def waiting(_: object) -> None:
        clock.now += next(waits)

    desk = RollingDesk(tmp_path, scorer=ConstantScorer(hook=waiting), stopwatch=clock)

    assert await clock.roles(desk, 16) == [*["canary"] * 5, *["champion"] * 8, *["canary"] * 2, "champion"]


async def test_rows_are_converted_to_the_canarys_features_and_its_events_have_those(tmp_path: Path):
    scorer = ConstantScorer()
    desk = RollingDesk(tmp_path, scorer=scorer, schema=a_schema(("age", "distance")))

    event = await desk.ask(70, entity_id="N1")

    assert scorer.rows == [(None, 70.0, None)]
    (sent,) = desk.sent()
    assert sent.id == event.id
    assert sent.features == {"age": None, "distance": 70.0, "carrier": None}


async def test_a_canary_that_fits_no_request_answers_nobody(tmp_path: Path):
    schema = FeatureSchema((Feature("age", "numeric", nullable=False),))
    desk = RollingDesk(tmp_path, schema=schema)

    event = await desk.ask(70, entity_id="N1")

    assert event.role == "champion"
    assert desk.value("canary_fallbacks_total", why="schema") == 1


async def test_a_row_without_what_the_canary_needs_is_the_champions(tmp_path: Path):
    schema = FeatureSchema((Feature("distance", "numeric"), Feature("seats", "numeric", nullable=False)))
    desk = RollingDesk(tmp_path, schema=schema)

    event = await desk.ask(70, entity_id="N1")

    assert event.role == "champion"
    assert desk.value("canary_fallbacks_total", why="absent") == 1


async def test_a_batch_is_answered_row_by_row_and_committed_as_one_group_with_both_baselines(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=50))

    committed = await desk.ask_many(range(20), ENTITIES[:20])

    assert [event.entity_id for event in committed] == ENTITIES[:20]
    assert {event.role for event in committed} == {"champion", "canary"}
    alone = [await desk.ask(n, entity_id=entity) for n, entity in enumerate(ENTITIES[:20])]
    assert [(event.role, event.score) for event in alone] == [(event.role, event.score) for event in committed]
    slice_ = desk.outbox.backlog.read()
    assert slice_ is not None
    assert slice_.groups[0].baselines == ["flights/1", "flights/2"]
    assert len(slice_.groups[0].records) == 20


async def test_ids_rise_in_the_outbox_whichever_version_answers(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=50))

    await desk.ask_many(range(20), ENTITIES[:20])
    await asyncio.gather(*(desk.ask(entity_id=entity) for entity in ENTITIES[:20]))

    ids = [id_ for record in desk.records() if (id_ := parse_id(record.id))]
    for batch in (True, False):  # a source of its own
        assert [id_.sequence for id_ in ids if id_.source.endswith(".b") is batch] == list(range(20))


async def test_a_batchs_key_is_committed_with_a_mixed_group(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=50))
    ticket = Ticket(b"d" * 32, NOON_MS)

    committed = await desk.ask_many(
        range(20), ENTITIES[:20], keep=Keep(ticket, lambda events: b"%d rows" % len(events))
    )

    assert len(committed) == 20
    assert ticket.committed
    assert [record.outcome.answer for record in desk.records() if record.outcome] == [b"20 rows"]


async def test_without_room_in_the_outbox_nobody_is_answered(tmp_path: Path):
    desk = RollingDesk(tmp_path)
    desk.outbox._max_bytes = 10

    with pytest.raises(OutboxClosed):
        await desk.ask(entity_id="N1")


async def test_a_request_read_for_another_champion_is_answered_by_that_one(tmp_path: Path):
    desk = RollingDesk(tmp_path)
    before = desk.job(entity_id="N1")
    desk.predictor.swap(a_served(a_baseline(version="3")))

    old, new = await asyncio.gather(desk.predictor.submit(before), desk.ask(entity_id="N1"))

    assert (old.model_version, old.role) == ("1", "champion")
    assert (new.model_version, new.role) == ("2", "canary")


async def test_the_version_on_its_way_is_the_champion_when_it_has_arrived(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=50))

    desk.predictor.swap(desk.other)

    assert desk.predictor.lanes.lane is None
    assert (await desk.ask(entity_id="N1")).role == "champion"
    assert desk.value("rollout_share_percent") == 0
    assert b"tidemark_api_rollout_info{" not in desk.telemetry.page()


async def test_the_metrics_show_stage_share_and_version(tmp_path: Path):
    desk = RollingDesk(tmp_path, a_rollout(share=25))
    assert desk.value("rollout_info", model="flights", version="2", stage="canary") == 1
    assert desk.value("rollout_share_percent") == 25

    desk.roll(a_rollout("shadow"))
    assert desk.value("rollout_info", model="flights", version="2", stage="shadow") == 1
    assert desk.value("rollout_info", model="flights", version="2", stage="canary") == 0
    assert desk.value("rollout_share_percent") == 0

    desk.roll(None)
    assert b"tidemark_api_rollout_info{" not in desk.telemetry.page()
