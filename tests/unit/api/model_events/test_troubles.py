import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaConnectionError

from api.model_events.troubles import Troubles
from contracts.model_events import ModelEvent
from tests.builders import NOON
from tests.rollouts import a_rollout
from tests.waiting import eventually


class FakeVoice:
    """said: events. away: nothing can be said, and nobody can connect."""

    def __init__(self) -> None:
        self.said: list[ModelEvent] = []
        self.away = False
        self.attempts = 0
        self.closed = 0

    async def connect(self) -> "FakeVoice":
        self.attempts += 1
        if self.away:
            raise KafkaConnectionError("away")
        return self

    async def say(self, event: ModelEvent) -> None:
        if self.away:
            raise KafkaConnectionError("away")
        self.said.append(event)

    async def close(self) -> None:
        self.closed += 1


@asynccontextmanager
async def telling(voice: FakeVoice, every: float = 0.01) -> AsyncIterator[Troubles]:
    troubles = Troubles(voice.connect, "flights", "api.test", now=lambda: NOON, every=every)
    task = asyncio.create_task(troubles.run())
    try:
        yield troubles
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_rows_are_added_up_and_told_once():
    voice = FakeVoice()
    async with telling(voice) as troubles:
        troubles.rows("2", "canary", "scoring", 3)
        troubles.rows("2", "canary", "slow", 1)
        await eventually(lambda: voice.said, 10, "the trouble")

    (event,) = voice.said
    assert (event.kind, event.model, event.version, event.by, event.at) == (
        "rollout-trouble",
        "flights",
        "2",
        "api",
        NOON,
    )
    assert event.reason == "4 rows could not be scored as canary, the champion answered them: 3 scoring, 1 slow"
    assert event.details == {
        "failures": 4.0,
        "role": "canary",
        "loaded": True,
        "why": {"scoring": 3.0, "slow": 1.0},
    }


async def test_a_second_trouble_waits_for_its_round():
    voice = FakeVoice()
    async with telling(voice, every=60) as troubles:
        troubles.rows("2", "shadow", "scoring", 1)
        await eventually(lambda: voice.said, 10, "the trouble")
        troubles.rows("2", "shadow", "scoring", 1)
        await asyncio.sleep(0)

        assert len(voice.said) == 1


async def test_a_version_that_cannot_be_served_is_told():
    voice = FakeVoice()
    async with telling(voice) as troubles:
        troubles.refused(a_rollout("shadow"), "flights/2 has no baseline.json")
        await eventually(lambda: voice.said, 10, "the trouble")

    (event,) = voice.said
    assert event.details == {"failures": 0.0, "role": "shadow", "loaded": False, "why": {}}
    assert event.reason.endswith("flights/2 has no baseline.json")


async def test_while_kafka_is_away_the_rows_add_up_and_are_told_when_it_is_back():
    voice = FakeVoice()
    voice.away = True
    async with telling(voice) as troubles:
        troubles.rows("2", "canary", "scoring", 3)
        await eventually(lambda: voice.attempts >= 2, 10, "two attempts")
        troubles.rows("2", "canary", "scoring", 4)
        voice.away = False
        await eventually(lambda: voice.said, 10, "the trouble")

    assert [event.details["failures"] for event in voice.said] == [7.0]
    assert len({event.id for event in voice.said}) == 1
