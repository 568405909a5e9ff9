"""Twice round the loop, through `watch` and what it collects: broken data of the first turn is learnt in no later one.

window       0  1  2  3  4  5  6  7  8  9 10 11        40 41 42 43
version 1    .  .  x  x  x  x  x  .  .  .  ↓  ↓ ─► 2   .  .  ↓  ↓ ─► 3      x broken, ↓ below the reference
alerts             raise          resolve
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from contracts.alerts import encode_alert
from contracts.events import PredictionEvent, encode_event
from contracts.labels import Label, encode_label
from contracts.performance import encode_performance
from contracts.topics import DRIFT_ALERTS, DRIFT_REPORTS, LABELS, PERFORMANCE, PREDICTIONS
from tests.builders import NOON, a_schema
from tests.heard import HOUR, UNIT, alert, performance
from tests.memory_topics import MemoryTopics
from tests.retrainings import World
from training.collecting.collect import ROWS
from training.retraining.policy import Rules
from training.retraining.shelf import Outcome
from training.retraining.watch import Watch

RULES = Rules(minimum_labelled=40, minimum_moved=20)
IN_WINDOW = 20
KILOMETRES = 1.609
PROMOTED = Outcome("promoted", "nothing worse than the champion")


class Loop:
    """What outlives the process of `watch`."""

    def __init__(self, folder: Path) -> None:
        self.world, self.folder = World(folder), folder
        self.topics, self.outcomes = MemoryTopics(self.world.events), list[Outcome]()
        schema = a_schema()
        self.world.registered.baseline = lambda version: SimpleNamespace(schema=schema)  # type: ignore[attr-defined]
        self.world.hands.collect = self.world.real_hands(self.topics.follow).collect

    def window(self, number: int, version: str, status: str = "well", broken: bool = False) -> None:
        """Its predictions, their labels, and how it was."""
        for i in range(IN_WINDOW):
            shared: dict[str, Any] = {
                "event_time": NOON + number * HOUR + i * HOUR / IN_WINDOW,
                "model": "flights",
                "model_version": version,
                "score": 0.5,
            }
            features = {"distance": (100 + i) * (KILOMETRES if broken else 1), "seats": 110.0, "carrier": "a"}
            label = Label(prediction_id=f"{number}-{i}", labelled_at=NOON, truth=float(i % 2), **shared)
            event = PredictionEvent(id=f"{number}-{i}", features=features, **shared)
            self.topics.write(PREDICTIONS, encode_event(event))
            self.topics.write(LABELS, encode_label(label))
        counts = {"labelled": IN_WINDOW, "predictions": IN_WINDOW}
        self.topics.write(PERFORMANCE, encode_performance(performance(number, status, version=version, **counts)))

    def first_turn(self) -> None:
        for number in range(12):
            self.window(number, "1", "degraded" if number > 9 else "well", broken=2 <= number <= 6)
        for said in (alert(3, {"distance": UNIT}), alert(9, {}, "resolve")):
            self.topics.write(DRIFT_ALERTS, encode_alert(said))

    def second_turn(self) -> None:
        for number in range(40, 44):
            self.window(number, "2", "degraded" if number > 41 else "well")

    async def watched(self, turns: int, between: Any = None) -> None:
        def asked(outcome: Outcome | None) -> bool:
            if outcome is not None:
                self.outcomes.append(outcome)
                if between is not None and len(self.outcomes) < turns:
                    between()
            return len(self.outcomes) == turns

        watch = Watch(self.world.hands, RULES, lambda _: None, self.topics.follow, retry=(0, 0))
        await asyncio.wait_for(watch.run(asked), 30)

    def learnt(self) -> list[tuple[set[int], float]]:
        """Of each turn: the windows, and the greatest distance."""
        found = []
        for file in sorted(self.folder.glob(f"*/data/{ROWS}")):
            rows = pd.read_parquet(file)
            windows = (rows["event_time"] - NOON) // HOUR
            found.append((set(windows.astype(int)), float(rows["distance"].max())))
        return found


GREATEST = 100.0 + IN_WINDOW - 1
FIRST = {0, 1, 9, 10, 11}
"""Of broken data there is none from its first window to the one that says that it is over."""
SECOND = FIRST | {40, 41, 42, 43}


async def test_broken_data_of_a_former_champion_is_not_learnt_in_the_second_turn(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.first_turn()
    await loop.watched(2, between=loop.second_turn)
    assert loop.outcomes == [PROMOTED, PROMOTED]
    assert loop.world.registered.champion == "3"
    assert loop.learnt() == [(FIRST, GREATEST), (SECOND, GREATEST)]


@pytest.mark.parametrize("expired", [(), (DRIFT_ALERTS, DRIFT_REPORTS)])
async def test_nor_after_a_restart_though_the_alerts_are_gone_from_their_topic(expired: Any, tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.first_turn()
    await loop.watched(1)
    for topic in expired:
        loop.topics.expire(topic)
    loop.second_turn()
    await loop.watched(2)
    assert loop.learnt() == [(FIRST, GREATEST), (SECOND, GREATEST)]
