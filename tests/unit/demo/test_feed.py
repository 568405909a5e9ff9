"""The rows of the second act go out in their order, and each window's labels when another window has gone by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import pytest

from contracts.schema import Feature
from demo.batches import Answer
from demo.datasets.dataset import SecondAct
from demo.errors import DemoError
from demo.feed import Feed
from demo.loop import Loop
from demo.scenario import Phase, Plan, last_phase
from demo.story import Story
from tests.builders import NOON
from training.data.description import Description

DESCRIPTION = Description("numbers", "n.parquet", (Feature("x", "numeric"),), label="y")
QUIET = (Phase("quiet", "", 0, 1, pd.DataFrame()),)
PLAN = Plan(rows_per_window=10, quiet_windows=1)
ROWS = pd.DataFrame({"x": [float(n) for n in range(10)], "y": [n % 2 for n in range(10)]})
ACT = SecondAct("moved", "", ROWS, rows_per_window=4, learn=1, blames=(), base=False)


class Api:
    """Answers rows with numbers, as many as it may."""

    def __init__(self, most: int = 100) -> None:
        self.rows: list[bytes] = []
        self.given: list[tuple[list[str], list[int], datetime]] = []
        self.labels = 0
        self._most = most

    async def predict(self, rows: Sequence[bytes]) -> list[Answer]:
        first = len(self.rows)
        self.rows += rows[: self._most - first]
        return [Answer(f"p{n}", f"r{n}") for n in range(first, len(self.rows))]

    async def label(self, answers: Sequence[Answer], truths: Sequence[int], at: datetime) -> None:
        self.given.append(([answer.prediction_id for answer in answers], list(truths), at))
        self.labels += len(answers)


def a_feed(api: Api) -> tuple[Feed, Loop]:
    loop = Loop(ACT, last_phase(ACT, QUIET))
    return Feed(Story(PLAN, QUIET, NOON, loop), loop, DESCRIPTION, api), loop  # type: ignore[arg-type]


async def test_labels_of_a_window_come_when_another_one_has_gone_by() -> None:
    # rows     |-- 0..3 --|-- 4..7 --|-- 8, 9
    # labels                         ^ of 0..3, known since then
    api = Api()
    feed, loop = a_feed(api)
    await feed.window()
    assert (loop.sent, api.given) == (4, [])
    await feed.send(3)
    assert api.given == []
    await feed.window()
    known = NOON + 3 * PLAN.window  # one window of the first act, and two of this one
    assert (loop.sent, api.given) == (8, [(["p0", "p1", "p2", "p3"], [0, 1, 0, 1], known)])


async def test_the_last_labels_are_given_at_the_end_each_windows_with_its_own_moment() -> None:
    api = Api()
    feed, loop = a_feed(api)
    while feed.left:
        await feed.window()
    await feed.end()
    assert [ids[0] for ids, _, _ in api.given] == ["p0", "p4", "p8"]
    assert [at for _, _, at in api.given] == [NOON + (3 + n) * PLAN.window for n in range(3)]
    assert (loop.labels, loop.sent, len(api.rows)) == (10, 10, 10)


async def test_every_row_has_the_time_of_its_place_in_the_window() -> None:
    api = Api()
    feed, _ = a_feed(api)
    await feed.send(2)
    times = [row.split(b'"event_time":"')[1][:19].decode() for row in api.rows]
    assert times == [(NOON + PLAN.window * part).strftime("%Y-%m-%dT%H:%M:%S") for part in (1, 1.25)]


async def test_an_api_that_stops_answering_ends_the_demo() -> None:
    feed, _ = a_feed(Api(most=2))
    with pytest.raises(DemoError, match="did not answer"):
        await feed.window()
