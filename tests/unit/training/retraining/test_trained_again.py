"""The step `train` of a retraining that was cut short: a version that has all its files is told of, not made again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from msgspec.structs import replace

from tests.builders import NOON
from tests.notebooks import Notebook
from tests.unit.training.rows import CONFIG, DESCRIPTION, described, some_loans
from training.errors import PublishError, RegistryError
from training.gates.rules import Rules
from training.making.asked import asked_by_config
from training.making.train import train
from training.promotion.change import Tools
from training.registry.registered import Registered
from training.retraining.hands import Hands
from training.retraining.shelf import Shelf, Work
from training.rollout.policy import Limits, Steps
from training.rollout.wishes import Wishes

HOUR = timedelta(hours=1)
WORK = Work(
    id="loans-1-20260103T120000", model="loans", champion="1", trigger="rows", reason="so", heard=NOON + 48 * HOUR
)


def rows(folder: Path, start: datetime, seed: int) -> Path:
    table = some_loans(300, seed).assign(at=[(start + number * HOUR / 300).isoformat() for number in range(300)])
    folder.mkdir()
    return described(folder, pd.DataFrame(table), replace(DESCRIPTION, time="at"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """With version 1."""
    folder, made = tmp_path_factory.mktemp("first"), Notebook()
    (folder / "training.yaml").write_text(CONFIG)
    data = rows(folder / "old", NOON, 1)
    plan = asked_by_config(folder / "training.yaml", data, None, None, None, {}, "r", NOON)
    train(plan, made, None)  # type: ignore[arg-type]
    return made


@pytest.fixture
def notes(tmp_path: Path, first: Notebook) -> Notebook:
    """It is the champion."""
    (tmp_path / "training.yaml").write_text(CONFIG)
    made = Notebook()
    made.runs, made.files, made.aliases = [*first.runs], {**first.files}, {"champion": "1"}
    return made


def hands(folder: Path, notes: Notebook, say: Callable[[str], None] = lambda line: None) -> Hands:
    tools = Tools(lambda: datetime.now(UTC), lambda: 0.0, lambda: "id")
    wishes = Wishes(Steps(), Limits(), "watch", "auto", say)
    config, registered = folder / "training.yaml", Registered(notes, "loans")  # type: ignore[arg-type]
    ports: Any = notes, notes
    return Hands(registered, *ports, tools, Shelf(folder), config, Rules(), wishes, None, "r")


@pytest.mark.parametrize("away", ["publish", "event", "alias challenger"])
def test_what_could_not_be_told_is_told_and_no_second_version_is_made(
    away: str, tmp_path: Path, notes: Notebook
) -> None:
    data = rows(tmp_path / "new", NOON + 24 * HOUR, 2)
    notes.away = away
    for _ in range(2):
        with pytest.raises((PublishError, RegistryError), match=away):
            hands(tmp_path, notes).train(WORK, data)
        assert notes.aliases == {"champion": "1"}
    notes.away = ""
    assert hands(tmp_path, notes).train(WORK, data) == "2"
    assert notes.done.count("log_version") == 1
    assert notes.aliases == {"champion": "1", "challenger": "2"}
    assert {event.id for event in notes.events} == {"registered/loans/2"}
    assert len({(event.at, event.reason, str(event.details)) for event in notes.events}) == 1, "the same each time"
    event = notes.events[-1]
    assert (event.by, event.reason) == ("watch", "logistic trained on 300 rows of loans")
    assert (event.details["alias"], event.details["data_digest"]) == ("challenger", notes.runs[1].data.digest)


def test_half_a_version_is_left_and_another_one_made(tmp_path: Path, notes: Notebook) -> None:
    data = rows(tmp_path / "new", NOON + 24 * HOUR, 2)
    notes.away = "attach model_card.md"
    with pytest.raises(RegistryError, match="model_card"):
        hands(tmp_path, notes).train(WORK, data)
    notes.away = ""
    assert hands(tmp_path, notes).train(WORK, data) == "3"
    assert notes.aliases["challenger"] == "3"


def test_another_retraining_makes_a_version_of_its_own(tmp_path: Path, notes: Notebook) -> None:
    data = rows(tmp_path / "new", NOON + 24 * HOUR, 2)
    assert hands(tmp_path, notes).train(WORK, data) == "2"
    assert hands(tmp_path, notes).train(replace(WORK, id="loans-1-20260104T120000"), data) == "3"


def test_a_retraining_counts_its_baseline_of_rows_that_the_champion_has_not_seen(
    tmp_path: Path, notes: Notebook
) -> None:
    old, new = (pd.read_csv(rows(tmp_path / str(day), NOON + day * 24 * HOUR, 1 + day) / "loans.csv") for day in (0, 1))
    (tmp_path / "both").mkdir()
    data = described(tmp_path / "both", pd.concat([old, new]), replace(DESCRIPTION, time="at"))
    said: list[str] = []
    at_work = hands(tmp_path, notes, said.append)
    version = at_work.train(WORK, data)
    assert at_work.registered.baseline(at_work.registered.find(version)).rows == 300
    assert any("the others judge, and make the baseline" in line for line in said)
