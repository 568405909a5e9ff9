"""A rollout for unit tests: a champion and a version on its way whose scorers do what a test wants."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from api.errors import ScoringFailed
from api.models.served import Served
from api.outbox.log import Outbox
from api.predicting.predictor import Job, Predictor
from api.predicting.rows import RowsPredictor
from api.predicting.shadow import Shadow
from api.telemetry import Telemetry
from contracts.events import PredictionEvent, decode_event
from contracts.rollout import Rollout
from contracts.schema import FeatureSchema
from tests.builders import NOON, a_baseline
from tests.serving import a_predictor, a_served, an_outbox
from tests.waiting import eventually


class ConstantScorer:
    """Scores every row alike. hook: called with the rows first, may raise or take its time."""

    kind = "constant"

    def __init__(self, score: float = 0.9, hook: Callable[[Sequence[Any]], None] = lambda rows: None) -> None:
        self.score_of_all = score
        self.hook = hook
        self.rows: list[tuple[Any, ...]] = []

    def score(self, rows: Sequence[msgspec.Struct]) -> Any:
        self.hook(rows)
        self.rows += [msgspec.structs.astuple(row) for row in rows]
        return np.full(len(rows), self.score_of_all)


def failing(rows: Sequence[Any]) -> None:
    raise ScoringFailed("it cannot")


def breaking(rows: Sequence[Any]) -> None:
    raise IndexError("a bug")


def a_rollout(stage: str = "canary", share: float = 100, version: str = "2") -> Rollout:
    return Rollout(version=version, stage=stage, share=share, since=NOON)  # type: ignore[arg-type]


class RollingDesk:
    """A predictor: version 1 is its champion, version 2 on its way; and a shadow. troubles: rows by role and why."""

    def __init__(
        self,
        directory: Path,
        rollout: Rollout | None = None,
        scorer: Any = None,
        *,
        schema: FeatureSchema | None = None,
        champion: FeatureSchema | None = None,
        most: int = 1000,
        stopwatch: Callable[[], float] | None = None,
    ) -> None:
        self.outbox: Outbox = an_outbox(directory)
        more = {} if stopwatch is None else {"stopwatch": stopwatch}
        self.predictor: Predictor = a_predictor(self.outbox, **more)
        self.telemetry: Telemetry = self.predictor._telemetry
        self.troubles: Counter[tuple[str, str]] = Counter()
        self.room = True
        self.shadow = Shadow(
            self.predictor.lanes,
            self.predictor.commits,
            self.telemetry,
            self.trouble,
            most=most,
            room=lambda: self.room,
        )
        self.predictor.lanes.tell(self.shadow, self.trouble)
        self.predictor.swap(a_served(a_baseline(schema=champion)))
        self.other: Served = a_served(a_baseline(version="2", schema=schema), scorer or ConstantScorer())
        self.roll(rollout or a_rollout())

    def roll(self, rollout: Rollout | None) -> None:
        self.predictor.lanes.roll(rollout, self.other)

    def trouble(self, version: str, role: str, why: str, rows: int) -> None:
        assert version == "2"
        self.troubles[role, why] += rows

    async def ask(self, number: float = 10, **fields: Any) -> PredictionEvent[Any]:
        return await self.predictor.submit(self.job(number, **fields))

    def job(self, number: float = 10, **fields: Any) -> Job:
        served = self.predictor.current()
        body = msgspec.json.encode({"features": {served.baseline.schema.names[0]: number}, **fields})
        return Job(served, served.reader.read(body, NOON), 0.0)

    async def ask_many(self, numbers: Sequence[float], entities: Sequence[str], **more: Any) -> list[Any]:
        """One batch."""
        requests = [self.job(n, entity_id=entity).request for n, entity in zip(numbers, entities, strict=True)]
        rows = RowsPredictor(self.predictor, self.telemetry, rows=3)
        return await rows.submit(self.predictor.current(), requests, 0.0, **more)

    def records(self) -> list[Any]:
        slice_ = self.outbox.backlog.read()
        return [] if slice_ is None else [record for group in slice_.groups for record in group.records]

    def sent(self, role: str | None = None) -> list[PredictionEvent[Any]]:
        events = [decode_event(record.value) for record in self.records()]
        return [event for event in events if role in (None, event.role)]

    def value(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(f"tidemark_api_{name}", labels) or 0.0

    def outcomes(self) -> list[float]:
        return [self.value("shadow_rows_total", outcome=outcome) for outcome in ("scored", "failed", "skipped")]

    async def scored(self, count: int) -> None:
        """Until the shadow has been through so many rows."""
        task = asyncio.create_task(self.shadow.run())
        try:
            await eventually(lambda: sum(self.outcomes()) >= count, 20, f"{count} rows of the shadow")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
