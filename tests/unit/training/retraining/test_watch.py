"""Watch: what was on the topics is heard whole before it decides, and it listens on while a retraining is at work."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.alerts import DriftAlert, encode_alert
from contracts.model_events import ModelEvent, encode_model_event
from contracts.performance import Measured, PerformanceReport, encode_performance
from contracts.rollout import Rollout
from contracts.topics import DRIFT_ALERTS, DRIFT_REPORTS, MODEL_EVENTS, PERFORMANCE
from tests.builders import NOON
from tests.heard import HOUR, SHIFT, UNIT, alert, performance
from tests.interrupted import Cuts, Killed
from tests.retrainings import World
from training.collecting.collect import Collected
from training.data.span import Span
from training.errors import PromotionError, PublishError, RegistryError
from training.retraining.policy import Decision, Rules
from training.retraining.shelf import Outcome, Shelf, Work
from training.retraining.watch import Watch
from training.retraining.work import go_on
from training.rollout.acts import Ended

RULES = Rules(minimum_labelled=1000, minimum_moved=900)
DEGRADED = [performance(0, "degraded"), performance(1, "degraded")]
Message = PerformanceReport | DriftAlert | ModelEvent
ENCODED: dict[type, tuple[Any, Callable[[Any], bytes]]] = {
    PerformanceReport: (PERFORMANCE, encode_performance),
    DriftAlert: (DRIFT_ALERTS, encode_alert),
    ModelEvent: (MODEL_EVENTS, encode_model_event),
}
LIMIT = 5_000


class Topics:
    """What is there, and what comes later: one batch for each `take`, while `comes` says so."""

    def __init__(self, world: World, there: list[Message], later: list[list[Message]] | None = None) -> None:
        self._world, self._there, self._later = world, there, later or []
        self.opened = self.taken = 0
        self.comes: Callable[[], bool] = lambda: True
        self.away: set[int] = set()

    @asynccontextmanager
    async def follow(self, bootstrap: str, prefix: str, beginnings: Any) -> AsyncIterator[Any]:
        assert [topic for topic, _ in beginnings] == [MODEL_EVENTS, DRIFT_ALERTS, DRIFT_REPORTS, PERFORMANCE]
        self.opened += 1
        yield self

    async def held(self) -> AsyncIterator[Any]:
        steps: list[Message] = [step.event for step in self._world.events.read("flights")]
        for message in [*self._there, *steps]:
            yield _record(message)

    async def take(self, seconds: float) -> list[Any]:
        await asyncio.sleep(0.001)  # a retraining is at work in a thread
        self.taken += 1
        assert self.taken < LIMIT, "nothing comes of it"
        self._world.clock.go_on(seconds)
        if self.taken in self.away:
            raise PublishError("Kafka is away")
        batch = self._later.pop(0) if self._later and self.comes() else []
        self._there += batch
        return [_record(message) for message in batch]


def _record(message: Message) -> Any:
    topic, encode = ENCODED[type(message)]
    return topic, SimpleNamespace(value=encode(message))


class Watching:
    def __init__(self, world: World, topics: Topics) -> None:
        self.world, self.topics, self.decisions = world, topics, list[Decision]()
        self.outcomes: list[Outcome | None] = []
        self.looks = 0

    async def until_ended(self) -> Outcome:
        await self._run(lambda outcome: outcome is not None)
        outcome = self.outcomes[-1]
        assert outcome is not None
        return outcome

    async def for_looks(self, looks: int) -> None:
        """A look is a decision not to retrain."""
        await self._run(lambda _: len(self.outcomes) >= looks)

    async def _run(self, until: Callable[[Outcome | None], bool]) -> None:
        def asked(outcome: Outcome | None) -> bool:
            self.outcomes.append(outcome)
            return until(outcome)

        watch = Watch(self.world.hands, RULES, self.decisions.append, self.topics.follow, retry=(0, 0))
        await asyncio.wait_for(watch.run(asked), 30)


def watching(world: World, *there: Message, later: list[list[Message]] | None = None) -> Watching:
    return Watching(world, Topics(world, list(there), later))


PROMOTED = Outcome("promoted", "nothing worse than the champion")


async def test_two_bad_windows_become_a_new_champion(tmp_path: Path) -> None:
    seen = watching(World(tmp_path), *DEGRADED)
    assert await seen.until_ended() == PROMOTED
    assert [decision.kind for decision in seen.decisions] == ["retrain"]


async def test_what_was_there_is_heard_whole_before_it_decides(tmp_path: Path) -> None:
    seen = watching(World(tmp_path), *DEGRADED, performance(2))
    await seen.for_looks(3)
    assert [decision.kind for decision in seen.decisions] == ["wait"]
    assert seen.world.events.kinds == []


async def test_each_batch_that_comes_is_heard_whole_before_it_decides(tmp_path: Path) -> None:
    batches: list[list[Message]] = [
        [*DEGRADED, performance(2)],
        [performance(3, "degraded")],
        [performance(4, "degraded")],
    ]
    seen = watching(World(tmp_path), later=batches)
    assert await seen.until_ended() == PROMOTED
    words = [(decision.kind, decision.reason[:20]) for decision in seen.decisions]
    assert [kind for kind, _ in words] == ["wait"] * 3 + ["retrain"]
    assert seen.world.shelf.unfinished("flights") == []


async def test_what_was_cut_short_goes_on_first(tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({("gate", 1): (Killed, False)}))
    with pytest.raises(Killed):
        go_on(world.hands, world.decided())
    seen = watching(world)
    assert await seen.until_ended() == PROMOTED
    assert seen.decisions == []
    assert (world.cuts.calls["train"], world.events.kinds.count("retraining-decided")) == (1, 1)


async def test_what_was_found_to_be_broken_since_it_was_decided_is_not_collected_when_it_goes_on(
    tmp_path: Path,
) -> None:
    world, left_out = World(tmp_path, Cuts({("collect", 1): (Killed, False)})), list[tuple[Span, ...]]()
    with pytest.raises(Killed):
        go_on(world.hands, world.decided())
    collect = world.hands.collect

    def collecting(work: Work, folder: Path) -> Collected:
        left_out.append(work.leave_out)
        return collect(work, folder)

    world.hands.collect = collecting  # type: ignore[method-assign]
    open_ = alert(-4, {"distance": UNIT})  # decided at NOON: what is later is not collected
    assert await watching(world, open_).until_ended() == PROMOTED
    assert left_out == [(Span(NOON - 5 * HOUR, NOON),)]


async def test_of_the_revisions_of_a_window_only_the_newest_is_kept(tmp_path: Path) -> None:
    """There is one for each few labels, and `performance` keeps them for a year."""
    measures = tuple(Measured(name=f"measure-{i}", value=0.5, better="higher") for i in range(10))
    revisions = [performance(0, revision=i, metrics=measures, summary="s" * 500) for i in range(4_000)]
    seen = watching(World(tmp_path), *revisions)
    tracemalloc.start()
    try:
        await seen.for_looks(1)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2e6


@pytest.mark.parametrize("place", [("marks", 1), ("marks", 2), ("train", 1), ("event:retraining-ended", 1)])
@pytest.mark.parametrize("error", [RegistryError, PublishError])
async def test_an_outage_is_waited_for(place: tuple[str, int], error: type[Exception], tmp_path: Path) -> None:
    world = World(tmp_path, Cuts({place: (error, False)}))
    seen = watching(world, *DEGRADED)
    assert await seen.until_ended() == PROMOTED
    assert f"{place[0]} is away; next try in 0 s" in world.said
    assert world.events.kinds == ["retraining-decided", "collected", "retraining-ended"]


async def test_data_that_breaks_during_a_rollout_holds_it_up_until_it_is_repaired(tmp_path: Path) -> None:
    world, stages = World(tmp_path), list[str]()
    unit, moved = alert(2, {"distance": UNIT}), alert(3, {"temp": SHIFT}, "escalate")
    seen = watching(world, *DEGRADED, later=[[unit], [moved]])
    seen.topics.comes = lambda: len(stages) == 3 - len(seen.topics._later)

    def rolling_out(version: str, broken: Callable[[], str]) -> Ended:
        pause = threading.Event()
        while len(stages) < 3:
            pause.wait(0.001)
            if (words := broken()) != (stages[-1] if stages else None):
                stages.append(words)
            assert seen.topics.taken < LIMIT - 1, stages
        return Ended("promoted", "fine")

    world.hands.roll_out = rolling_out
    assert await seen.until_ended() == Outcome("promoted", "fine")
    assert stages == ["", f"distance: {UNIT.sentence}", ""]


async def test_kafka_away_while_a_retraining_is_at_work_does_not_stop_it(tmp_path: Path) -> None:
    seen = watching(World(tmp_path), *DEGRADED)
    seen.topics.away = {1}
    assert await seen.until_ended() == PROMOTED
    assert seen.topics.opened == 1


async def test_a_retraining_that_another_process_is_at_is_left_to_it_and_watching_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    work = world.decided()
    other = Shelf(tmp_path)
    with other.held(work.id):
        other.put(work)
        seen = watching(world)
        await seen.for_looks(20)
    assert world.said.count(f"retraining {work.id}: another process is at it") == 1
    assert (seen.topics.opened, world.events.kinds) == (1, [])


async def test_what_another_process_has_decided_and_is_at_is_decided_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    with Shelf(tmp_path).held(f"flights-1-{NOON + timedelta(hours=2):%Y%m%dT%H%M%S}"):
        seen = watching(world, *DEGRADED)
        await seen.for_looks(20)
    assert [decision.kind for decision in seen.decisions] == ["retrain"]
    assert sum("another process is at it" in line for line in world.said) == 1
    assert seen.topics.opened == 1


async def test_another_champion_means_that_all_is_heard_anew(tmp_path: Path) -> None:
    world = World(tmp_path)
    change = ModelEvent(
        id="p", kind="promoted", at=NOON, model="flights", version="2", by="ann", reason="better", previous="1"
    )
    seen = watching(world, performance(0), later=[[], [change]])

    def promoted() -> bool:
        world.registered.aliases["champion"] = "2"
        return True

    seen.topics.comes = promoted
    await seen.for_looks(6)
    assert seen.topics.opened == 2
    assert [decision.reason.split(":")[0] for decision in seen.decisions] == ["version 1", "version 2"]


async def test_an_alias_that_was_moved_without_a_word_is_seen_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    seen = watching(world, performance(0), later=[[] for _ in range(3)])

    def moved() -> bool:
        world.registered.aliases["champion"] = "2"
        return True

    seen.topics.comes = moved
    await seen.for_looks(80)
    assert seen.topics.opened == 2


async def test_beside_another_versions_rollout_nothing_is_retrained_until_it_has_ended(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.on_its_way(Rollout(version="5", stage="canary", since=NOON, share=5))
    seen = watching(world, *DEGRADED)
    await seen.for_looks(100)  # 50 s
    assert [decision.kind for decision in seen.decisions] == ["held"]
    assert seen.decisions[0].reason.endswith(
        "; but version 5 of flights is on its way (canary): let it end, or end it with "
        "`python -m training rollout 5 --end --reason TEXT`"
    )
    assert (world.cuts.calls["collect"], world.shelf.unfinished("flights")) == (0, [])
    assert world.cuts.calls["marks"] <= 6  # not at each look
    world.registered.tag = ""
    assert await seen.until_ended() == PROMOTED
    assert world.events.kinds == ["retraining-decided", "collected", "retraining-ended"]


async def test_a_rollout_that_ends_while_it_is_waited_for_lets_the_retraining_begin(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.tag = "version 5, please"  # nobody can read it, so no rollout could begin

    def until_a_person_clears_it() -> bool:
        if seen.topics.taken == 40:
            world.registered.tag = ""
        return False

    seen = watching(world, *DEGRADED, later=[[]])
    seen.topics.comes = until_a_person_clears_it
    assert await seen.until_ended() == PROMOTED
    assert [decision.kind for decision in seen.decisions] == ["held", "retrain"]
    assert "tag tidemark.rollout: not a rollout" in seen.decisions[0].reason


async def test_the_champions_own_tag_that_was_not_tidied_up_is_in_nobodys_way(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.on_its_way(Rollout(version="1", stage="canary", since=NOON, share=100))
    assert await watching(world, *DEGRADED).until_ended() == PROMOTED


async def test_what_speaks_against_a_champion_retrains_no_other_one(tmp_path: Path) -> None:
    world = World(tmp_path)

    def moved() -> bool:  # without a word, while the last window comes
        world.registered.aliases["champion"] = "2"
        return True

    seen = watching(world, performance(0, "degraded"), later=[[performance(1, "degraded")]])
    seen.topics.comes = moved
    await seen.for_looks(4)
    assert (seen.topics.opened, world.events.kinds) == (2, [])


async def test_the_last_decision_is_known_from_the_topic_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.events.say("retraining-decided", "1", heard=(NOON + timedelta(hours=2)).isoformat())
    seen = watching(world, *DEGRADED, performance(2, "degraded"), performance(3, "degraded"))
    await seen.for_looks(2)
    assert [decision.kind for decision in seen.decisions] == ["held"]
    assert "the last decision was at" in seen.decisions[0].reason


async def test_without_a_champion_it_stops_with_what_to_do(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.registered.aliases = {}
    with pytest.raises(PromotionError, match="has no champion to watch: `python -m training promote VERSION`"):
        await watching(world).for_looks(1)
