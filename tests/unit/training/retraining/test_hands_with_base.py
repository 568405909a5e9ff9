"""The real hands with a base, from the topics to a version: the base is learnt, and rows that are new judge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from msgspec.structs import replace

from contracts.events import PredictionEvent, encode_event
from contracts.labels import Label, encode_label
from contracts.performance import encode_performance
from contracts.topics import LABELS, PERFORMANCE, PREDICTIONS
from tests.builders import NOON
from tests.heard import performance
from tests.interrupted import Clock, Cuts, FakeEvents
from tests.memory_topics import MemoryTopics
from tests.notebooks import Notebook
from tests.unit.training.rows import CONFIG, DESCRIPTION, described, some_loans
from training.errors import DataError
from training.evaluation.record import EVALUATION_FILE
from training.gates.rules import Rules
from training.making.asked import asked_by_config
from training.making.train import train
from training.registry.registered import Registered
from training.reports.card_files import evaluation_in
from training.retraining.hands import Hands
from training.retraining.shelf import Shelf, Work
from training.rollout.policy import Limits, Steps
from training.rollout.wishes import Wishes

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROWS = 300
NEW = NOON + DAY
WORK = Work(id="loans-1-x", model="loans", champion="1", trigger="rows", reason="so", heard=NOON + 9 * DAY)


def data_set(folder: Path, start: datetime) -> Path:
    """An hour of loans, as CSV: an export of what was before."""
    folder.mkdir()
    table = some_loans(ROWS).assign(at=[(start + number * HOUR / ROWS).isoformat() for number in range(ROWS)])
    return described(folder, pd.DataFrame(table), replace(DESCRIPTION, time="at"))


class Place:
    """A registry with a champion that was fitted to an hour from `seen` on; a base; predictions of an hour from NEW."""

    def __init__(self, folder: Path, seen: datetime) -> None:
        (folder / "training.yaml").write_text(CONFIG)
        self.notes, self.folder, self.base = Notebook(), folder, data_set(folder / "base", NOON)
        config, data = folder / "training.yaml", data_set(folder / "seen", seen)
        plan = asked_by_config(config, data, None, None, None, {}, "r", NOON)
        train(plan, self.notes, None)  # type: ignore[arg-type]
        self.notes.aliases = {"champion": "1"}
        self.topics = MemoryTopics(FakeEvents(Cuts(), Clock()))
        for number, row in enumerate(some_loans(ROWS, seed=2).to_dict("records")):
            shared: dict[str, Any] = {
                "event_time": NEW + number * HOUR / ROWS,
                "model": "loans",
                "model_version": "1",
                "score": 0.5,
            }
            truth = row.pop("defaulted")
            features = {name: None if pd.isna(found) else found for name, found in row.items()}
            event = PredictionEvent(id=f"p{number}", features=features, **shared)
            label = Label(prediction_id=f"p{number}", labelled_at=NEW, truth=float(truth), **shared)
            self.topics.write(PREDICTIONS, encode_event(event))
            self.topics.write(LABELS, encode_label(label))
        window = performance(24, model="loans", labelled=ROWS, predictions=ROWS)
        self.topics.write(PERFORMANCE, encode_performance(window))

    def hands(self, say: Callable[[str], None] = lambda line: None) -> Hands:
        ports: Any = {"registered": Registered(self.notes, "loans"), "events": self.notes, "publisher": self.notes}  # type: ignore[arg-type]
        return Hands(
            **ports,
            tools=Clock().tools,
            shelf=Shelf(self.folder),
            config=self.folder / "training.yaml",
            gates=Rules(),
            rollout=Wishes(Steps(), Limits(), "watch", "auto", say),
            base=self.base,
            code_revision="r",
            follow=self.topics.follow,
        )


@pytest.mark.parametrize(
    ("seen", "known", "judging_from"),
    [
        (NOON, True, NEW),
        (NOON, False, NEW),  # of the champion it is not known what it has seen: the base judges nobody all the same
        (NEW - HOUR / 2, True, NEW + HOUR / 2),
    ],
)
def test_the_base_is_learnt_and_new_rows_judge(
    seen: datetime, known: bool, judging_from: datetime, tmp_path: Path
) -> None:
    place, said = Place(tmp_path, seen), list[str]()
    if not known:
        del place.notes.files["m-1", EVALUATION_FILE]
    hands, data = place.hands(said.append), tmp_path / "collected"
    collected = hands.collect(WORK, data)
    assert (collected.rows, collected.base_rows, collected.first) == (2 * ROWS, ROWS, NEW)
    version = hands.train(replace(WORK, data=collected.digest, first=collected.first), data)
    rows = evaluation_in(hands.registered, hands.registered.find(version)).rows
    assert rows["train"].first == NOON
    for name in ("validation", "test"):
        assert judging_from <= rows[name].first <= rows[name].last < NEW + HOUR  # type: ignore[operator]
    judging = 0.4 * ROWS * ((NEW + HOUR - judging_from) / HOUR)
    assert rows["validation"].rows + rows["test"].rows == pytest.approx(judging, abs=2)
    assert "are only trained on" in said[-1]


def test_a_base_that_is_none_for_the_champion_is_refused_before_there_is_anything_to_collect(tmp_path: Path) -> None:
    place = Place(tmp_path, NOON)
    place.hands().check()
    place.base = described(
        tmp_path / "base", some_loans(), replace(DESCRIPTION, time="at", features=DESCRIPTION.features[:1])
    )
    with pytest.raises(DataError, match="no feature 'region': a base must have all that the model loans has"):
        place.hands().check()
    place.notes.aliases = {}
    place.hands().check()  # nobody can tell without a champion
