"""Training as a whole, without servers: whatever is away half-way, no alias points to half a version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.baseline import Baseline
from tests.notebooks import Notebook
from tests.unit.training.rows import CONFIG, described, some_loans
from training.errors import PromotionError, PublishError, RegistryError
from training.making.asked import asked, asked_by_config
from training.making.train import Plan, train

NOW = datetime(2026, 1, 1, tzinfo=UTC)


STEPS = ["check", "open", "log_version", "attach_baseline", "attach_compiled", "publish"]


def plan(folder: Path) -> Plan:
    return asked(described(folder, some_loans(100)), "loans", "logistic", 0, None, None, None, "r", NOW)


def test_the_alias_is_the_last_of_all(tmp_path: Path) -> None:
    notes = Notebook()
    train(plan(tmp_path), notes, notes)  # type: ignore[arg-type]
    assert notes.done == [*STEPS, "alias champion"]


def test_beside_a_champion_a_new_version_is_a_challenger(tmp_path: Path) -> None:
    notes = Notebook()
    notes.aliases["champion"] = "7"
    train(plan(tmp_path), notes, notes)  # type: ignore[arg-type]
    assert notes.done == [*STEPS, "alias challenger"]


def test_a_champion_is_not_replaced_past_the_gates_and_that_is_said_before_anything_is_fitted(tmp_path: Path) -> None:
    notes = Notebook()
    notes.aliases["champion"] = "7"
    wish = replace(plan(tmp_path), alias="champion")
    with pytest.raises(PromotionError, match=r"has the champion 7 already: .* `python -m training promote VERSION`"):
        train(wish, notes, notes)  # type: ignore[arg-type]
    assert notes.done == ["check", "open"]


def test_nor_one_that_was_made_while_the_version_was_fitted(tmp_path: Path) -> None:
    class Meanwhile(Notebook):
        def publish(self, baseline: Baseline) -> None:
            self.aliases["champion"] = "7"

    notes = Meanwhile()
    wish = replace(plan(tmp_path), alias="champion")
    with pytest.raises(PromotionError, match=r"^version 1 is registered and has no alias; "):
        train(wish, notes, notes)  # type: ignore[arg-type]
    assert not [step for step in notes.done if step.startswith("alias")]


@pytest.mark.parametrize("away", STEPS)
def test_what_goes_away_half_way_is_said_and_the_alias_stays_where_it_was(tmp_path: Path, away: str) -> None:
    notes = Notebook(away)
    with pytest.raises((RegistryError, PublishError), match=away):
        train(plan(tmp_path), notes, notes)  # type: ignore[arg-type]
    assert notes.done == STEPS[: STEPS.index(away)]


def by_config(folder: Path) -> Plan:
    described(folder, some_loans(300))
    (folder / "training.yaml").write_text(CONFIG)
    return asked_by_config(folder / "training.yaml", None, None, None, None, {}, "r", NOW)


def test_with_a_configuration_each_fold_is_recorded(tmp_path: Path) -> None:
    notes = Notebook()
    train(by_config(tmp_path), notes, None)  # type: ignore[arg-type]
    (run,) = notes.runs
    assert run.params["max_iter"] == "300"
    assert run.params["baseline_rows"] == "300"
    assert set(run.series) >= {"fold_auc", "fold_cost", "fold_threshold"}
    assert {len(values) for values in run.series.values()} == {2}
    assert set(run.files) == {"training.json", "environment.json"}


LAST = ["attach model_card.md", "publish", "event", "alias challenger"]


def test_the_alias_is_the_last_behind_the_event_too(tmp_path: Path) -> None:
    notes = Notebook()
    train(by_config(tmp_path), notes, notes, steps=notes, by="tester")  # type: ignore[arg-type]
    assert notes.done[-4:] == LAST
    (event,) = notes.events
    assert (event.id, event.by, event.details["alias"]) == ("registered/loans/1", "tester", "challenger")


@pytest.mark.parametrize("away", LAST)
def test_with_a_configuration_too_what_goes_away_leaves_the_alias_where_it_was(tmp_path: Path, away: str) -> None:
    notes = Notebook(away)
    with pytest.raises((RegistryError, PublishError), match=away):
        train(by_config(tmp_path), notes, notes, steps=notes)  # type: ignore[arg-type]
    assert notes.aliases == {}
