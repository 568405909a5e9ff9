import asyncio
import threading
from pathlib import Path

from contracts.schema import Feature, FeatureSchema
from tests.builders import NOON, a_baseline, a_schema
from tests.rollouts import ConstantScorer, RollingDesk, a_rollout, breaking, failing
from tests.serving import a_served
from tests.waiting import eventually

SHADOW = a_rollout("shadow")


async def test_what_was_answered_is_scored_once_more_and_both_have_their_events(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW)

    answered = await desk.ask(70, entity_id="N1")
    await desk.scored(1)

    assert (answered.model_version, answered.role) == ("1", "champion")
    (shadow,) = desk.sent("shadow")
    assert (shadow.model_version, shadow.score, shadow.decision) == ("2", 0.9, True)
    assert (shadow.entity_id, shadow.event_time) == (answered.entity_id, answered.event_time)
    assert shadow.id != answered.id
    assert desk.value("predictions_total", model="flights", version="2") == 0


async def test_a_shadows_record_names_the_prediction_that_was_answered(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW)

    answered = await desk.ask(entity_id="N1")
    await desk.scored(1)

    own, shadow = desk.records()
    assert own.origin is None
    assert shadow.origin.shadow_of == answered.id
    assert own.key == shadow.key == b"N1"


async def test_the_rows_of_a_batch_are_shadowed_too_and_those_without_an_answer_are_not(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW)

    await desk.ask_many([1, -1, 2], ["a", "b", "c"])
    await desk.scored(2)

    assert [event.entity_id for event in desk.sent("shadow")] == ["a", "c"]


async def test_a_shadow_has_its_own_features(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW, schema=a_schema(("age", "distance")))

    await desk.ask(70)
    await desk.scored(1)

    assert desk.sent("shadow")[0].features == {"age": None, "distance": 70.0, "carrier": None}


async def failed(desk: RollingDesk, rows: int = 3) -> None:
    for number in range(rows):
        assert (await desk.ask(number)).role == "champion"
    await desk.scored(rows)
    assert desk.sent("shadow") == []
    assert desk.value("shadow_rows_total", outcome="failed") == rows


async def test_a_shadow_that_raises_is_counted_and_told(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW, ConstantScorer(hook=failing))
    await failed(desk)
    assert desk.troubles == {("shadow", "scoring"): 3}


async def test_a_shadow_that_breaks_its_promise_is_counted_and_goes_on(tmp_path: Path):
    await failed(RollingDesk(tmp_path, SHADOW, ConstantScorer(hook=breaking)), rows=1)


async def test_a_shadow_whose_scores_are_no_numbers_is_counted(tmp_path: Path):
    await failed(RollingDesk(tmp_path, SHADOW, ConstantScorer(float("nan"))))


async def test_a_shadow_that_fits_no_request_is_counted_and_told(tmp_path: Path):
    schema = FeatureSchema((Feature("age", "numeric", nullable=False),))
    desk = RollingDesk(tmp_path, SHADOW, schema=schema)
    await failed(desk)
    assert desk.troubles == {("shadow", "schema"): 3}


async def test_answers_do_not_wait_for_a_shadow_and_what_is_too_much_for_it_is_skipped(tmp_path: Path):
    hang = threading.Event()
    desk = RollingDesk(tmp_path, SHADOW, ConstantScorer(hook=lambda rows: hang.wait(30)), most=5)

    task = asyncio.create_task(desk.shadow.run())
    await desk.ask()
    await eventually(lambda: not desk.shadow.waiting, 10, "the shadow to hang in its first row")
    for _ in range(20):
        assert (await desk.ask()).role == "champion"

    assert desk.value("shadow_rows_total", outcome="skipped") == 15
    hang.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_while_the_outbox_is_half_full_its_room_is_for_answers(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW)
    desk.room = False

    await desk.ask()

    assert desk.shadow.waiting == 0
    assert desk.value("shadow_rows_total", outcome="skipped") == 1


async def test_what_waits_is_skipped_when_the_rollout_has_ended(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW)
    await desk.ask()

    desk.roll(None)
    await desk.scored(1)

    assert desk.sent("shadow") == []
    assert desk.value("shadow_rows_total", outcome="skipped") == 1


async def test_a_shadow_beside_a_new_champion_begins_with_that_ones_answers(tmp_path: Path):
    desk = RollingDesk(tmp_path, SHADOW)
    await desk.ask()

    desk.predictor.swap(a_served(a_baseline(version="3")))
    answered = await desk.ask()
    await desk.scored(2)

    assert [record.origin.shadow_of for record in desk.records() if record.origin] == [answered.id]
    assert answered.event_time == NOON
