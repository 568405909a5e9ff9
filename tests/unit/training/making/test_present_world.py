"""A version that learns a world that is over as well: its baseline is of the world that it will see.

base, 25 hours, income 50 ────┐ new rows, income 58 ────┐
trained on                    │ trained on, judged; counted by the baseline
"""

from __future__ import annotations

from dataclasses import replace as with_
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from contracts.baseline import Baseline
from contracts.times import milliseconds
from contracts.window import WindowCounts
from stream_app.drift.report import compare
from tests.notebooks import Notebook
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.commands.narrate import trained_lines
from training.data.columns import countable, feature_frame
from training.errors import DataError
from training.fitting.pipeline import scores_of
from training.making.asked import asked_by_config
from training.making.reproduce import differences
from training.making.train import Plan, Trained, train

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BASE = datetime(2026, 1, 1, tzinfo=UTC)
BEGAN = datetime(2026, 2, 1, tzinfo=UTC)
PER_HOUR, MOVED = 220, 8.0
CONFIG = f"""\
model: loans
data: .
jobs: 1
folds: 2
split:
  train_only_before: {BEGAN:%Y-%m-%dT%H:%M:%SZ}
estimator: {{name: logistic, params: {{max_iter: 300}}}}
pictures: {{curves: false, importance: 0}}
window: 1h
"""


def world(start: datetime, hours: int, seed: int, moved: float = 0.0, weather: float = 0.0) -> pd.DataFrame:
    """weather: standard deviation of the hours' mean incomes."""
    table, hour = some_loans(hours * PER_HOUR, seed), np.repeat(np.arange(hours), PER_HOUR)
    table["income"] += moved + np.random.default_rng(seed).normal(scale=weather, size=hours)[hour]
    table["at"] = (pd.Timestamp(start) + pd.to_timedelta(hour, unit="h")).astype("str")
    return table


def made(folder: Path, old: pd.DataFrame, new: pd.DataFrame) -> tuple[Trained, Plan, Notebook]:
    described(folder, pd.concat([old, new], ignore_index=True), replace(DESCRIPTION, time="at"))
    (folder / "training.yaml").write_text(CONFIG)
    notes = Notebook()
    plan = asked_by_config(folder / "training.yaml", None, None, None, None, {}, "r", NOW)
    return train(plan, notes, None), plan, notes  # type: ignore[arg-type]


def alarms(trained: Trained, window: pd.DataFrame) -> set[str]:
    """What the stream would say of these rows, answered by the new version."""
    baseline = trained.baseline
    counts, features = WindowCounts(baseline), feature_frame(window, DESCRIPTION.schema)
    columns = [countable(features[feature.name], feature) for feature in baseline.schema.monitored]
    counts.add_columns(columns, scores_of(trained.fitted.pipeline, features), [None] * len(window))
    return {one.feature for one in compare(baseline, counts) if one.alarm}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Plan, Notebook]:
    return made(tmp_path_factory.mktemp("moved"), world(BASE, 25, 1), world(BEGAN, 25, 2, MOVED))


def test_the_new_world_is_quiet_and_the_old_one_alarms(moved: tuple[Trained, Plan, Notebook]) -> None:
    trained, _, _ = moved
    assert not any(alarms(trained, world(BEGAN, 5, seed, MOVED)) for seed in range(10, 20))
    assert all("income" in alarms(trained, world(BEGAN, 5, seed)) for seed in range(20, 30))


def test_what_is_on_record_says_which_rows_the_baseline_counts(moved: tuple[Trained, Plan, Notebook]) -> None:
    trained, plan, notes = moved
    assert trained.evaluation is not None
    assert trained.tuned is not None
    rows, counted = 25 * PER_HOUR, trained.evaluation.reference
    assert counted is not None
    assert (trained.baseline.rows, counted.rows, counted.first) == (rows, rows, BEGAN)
    assert notes.runs[0].params["baseline_rows"] == str(rows)
    assert trained.baseline.data_digest == trained.samples.digest, "of all that was learnt"
    assert trained.fitted.fitted_rows == rows + 0.6 * rows
    card = notes.files["m-1", "model_card.md"].decode()
    assert f"| features of the baseline | {rows:,} | " in card
    assert "| 2026-02-01 to 2026-02-02 |" in card
    assert differences(trained.evaluation, trained.tuned) == ()
    other = replace(trained.evaluation, reference=replace(counted, rows=1))
    assert [one.what for one in differences(other, trained.tuned)] == ["rows of the baseline"]
    (line,) = (line for line in trained_lines(trained, plan, "here", None) if line.startswith("natural"))
    assert "variation learnt from 25 windows of 1h; 60" in line


def test_scores_and_windows_of_scores_are_of_rows_that_it_was_not_fitted_to(
    moved: tuple[Trained, Plan, Notebook],
) -> None:
    trained, _, _ = moved
    assert trained.samples.times is not None
    assert trained.baseline.score.histogram.rows == 0.2 * 25 * PER_HOUR
    assert trained.samples.times.milliseconds[trained.fitted.validation_rows].min() >= milliseconds(BEGAN)
    assert trained.baseline.score.natural["ks"].windows == 25


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Plan, Notebook]:
    """Twelve hours of the new world: the stream's windows differ by nature, and these are too few to tell how."""
    old, new = world(BASE, 40, 1, weather=3.0), world(BEGAN, 12, 2, MOVED, weather=3.0)
    return made(tmp_path_factory.mktemp("few"), old, new)


def test_where_new_windows_are_too_few_older_ones_tell_how_much_windows_differ(
    few: tuple[Trained, Plan, Notebook],
) -> None:
    trained, _, _ = few
    natural = trained.baseline.natural
    assert trained.baseline.rows == 12 * PER_HOUR
    assert natural is not None
    assert (natural.learnt, natural.windows) == (True, 40)
    assert trained.baseline.features["income"].natural["ks"].varies
    assert not trained.baseline.features["region"].natural["chi2"].varies
    assert trained.baseline.score.natural == {}
    hours = [world(BEGAN, 1, seed, MOVED, weather=3.0) for seed in range(10, 30)]
    assert sum("income" in alarms(trained, hour) for hour in hours) <= 1
    unlearnt = without_variation(trained)
    assert sum("income" in alarms(unlearnt, hour) for hour in hours) >= 5
    assert "income" in alarms(trained, world(BEGAN, 1, 50, MOVED + 25.0))


def without_variation(trained: Trained) -> Trained:
    features = {name: replace(one, natural={}) for name, one in trained.baseline.features.items()}
    baseline: Baseline = replace(trained.baseline, features=features)
    return with_(trained, baseline=baseline)


def test_that_is_said_by_the_training_and_by_the_card(few: tuple[Trained, Plan, Notebook]) -> None:
    trained, plan, notes = few
    said = (
        "the 2,640 rows that the baseline counts hold 12 windows of 200 rows or more, it takes 20: natural variation "
        "of features is learnt from 40 windows of the older rows, of the score it is not learnt"
    )
    lines = trained_lines(trained, plan, "here", None)
    assert f"warning     {said}" in lines
    assert f"Warning: {said}." in notes.files["m-1", "model_card.md"].decode()
    assert any("variation learnt from 40 windows of 1h of older rows" in line for line in lines)


def test_where_older_windows_are_too_few_too_it_is_not_learnt(tmp_path: Path) -> None:
    trained, _, _ = made(tmp_path, world(BASE, 10, 1), world(BEGAN, 12, 2, MOVED))
    assert trained.baseline.natural is not None
    assert "the reference holds 12 windows" in trained.baseline.natural.why_not
    assert trained.tuned is not None
    (said,) = (one for one in trained.tuned.warnings if "natural variation" in one)
    assert "of features is not learnt" in said


def test_a_feature_that_older_rows_lack_learns_nothing_of_them(tmp_path: Path) -> None:
    old = world(BASE, 25, 1).assign(owner=None)
    trained, _, _ = made(tmp_path, old, world(BEGAN, 5, 2, MOVED))
    assert trained.baseline.features["owner"].natural == {}
    assert trained.baseline.features["region"].natural["chi2"].windows == 25


def test_a_feature_without_a_value_in_the_new_rows_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    new = world(BEGAN, 5, 2, MOVED).assign(income=None)
    with pytest.raises(DataError, match=r"'income' has no value in the 1,100 rows from split.train_only_before on"):
        made(tmp_path, world(BASE, 25, 1), new)
