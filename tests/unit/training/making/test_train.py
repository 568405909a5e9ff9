"""Training as a whole, without servers: whatever is away half-way, no alias points to half a version."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.baseline import Baseline
from tests.unit.training.rows import described, some_loans
from training.errors import PromotionError, PublishError, RegistryError
from training.making.asked import asked, asked_by_config
from training.making.train import Plan, train
from training.registry.records import Run, Version

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = "model: loans\ndata: .\njobs: 1\nfolds: 2\nestimator: {name: logistic, params: {max_iter: 300}}\n"


class Notebook:
    """A registry, its files and a topic, which note what is done and are away from a given step on."""

    def __init__(self, away: str = "") -> None:
        self.away, self.done, self.run = away, [], None
        self.bootstrap = self.topic = self.tracking_uri = "here"
        self.aliases: dict[str, str] = {}

    def open(self) -> None:
        self._do("open")

    def check(self) -> None:
        self._do("check")

    def log_version(self, model: str, run: Run) -> Version:
        self._do("log_version")
        self.run = run
        return Version(model, "1", "m-1")

    def attach_baseline(self, version: Version, baseline: Baseline) -> None:
        self._do("attach_baseline")

    def attach_compiled(self, version: Version, compiled: Any) -> None:
        self._do("attach_compiled")

    def publish(self, baseline: Baseline) -> None:
        self._do("publish")

    def set_alias(self, version: Version, alias: str) -> None:
        self._do(f"alias {alias}")

    # as training.registry.registered asks it
    @property
    def client(self) -> Notebook:
        return self

    def errors(self, said: str) -> AbstractContextManager[None]:
        return nullcontext()

    def or_none(self, ask: Callable[[], Any]) -> Any:
        return ask()

    def get_registered_model(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(aliases=self.aliases, tags={})

    def _do(self, step: str) -> None:
        if step == self.away:
            raise PublishError(step) if step in ("check", "publish") else RegistryError(step)
        self.done.append(step)


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


def test_with_a_configuration_each_fold_is_recorded(tmp_path: Path) -> None:
    described(tmp_path, some_loans(300))
    (tmp_path / "training.yaml").write_text(CONFIG)
    wish = asked_by_config(tmp_path / "training.yaml", None, None, None, None, {}, "r", NOW)
    notes = Notebook(away="attach_baseline")  # the rest needs the files of a registry
    with pytest.raises(RegistryError):
        train(wish, notes, None)  # type: ignore[arg-type]
    assert isinstance(notes.run, Run)
    assert notes.run.params["max_iter"] == "300"
    assert set(notes.run.series) >= {"fold_auc", "fold_cost", "fold_threshold"}
    assert {len(values) for values in notes.run.series.values()} == {2}
    assert set(notes.run.files) == {"training.json", "environment.json"}
