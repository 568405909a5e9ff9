"""Fitting a baseline: what is counted, for described and for undescribed files, with and without scores."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.baseline import SCORE, Baseline
from contracts.errors import InvalidBaseline
from contracts.schema import Feature, FeatureSchema
from contracts.window import WindowCounts
from stream_app.drift.report import compare
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.baselines.histograms import count_references
from training.commands.narrate import baseline_lines
from training.data.columns import countable, feature_frame
from training.data.infer import Guess, guess_columns, guessed_schema
from training.errors import DataError
from training.trained_elsewhere.reference import fit_to_reference, read_reference

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def scored_loans(rows: int = 400, seed: int = 1) -> pd.DataFrame:
    return some_loans(rows, seed).assign(score=np.random.default_rng(seed).random(rows).round(6))


def baseline_of(
    file: Path, score: str | None = "score", threshold: float | None = 0.5, described_by: Path | None = None
) -> Baseline:
    reference = read_reference(file, described_by, score)
    return fit_to_reference(reference, "loans", "7", threshold=threshold, code_revision="abc", seed=0, now=NOW)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "reference.csv"
    scored_loans().to_csv(file, index=False)
    return file


def test_every_row_of_every_monitored_feature_is_counted(csv: Path) -> None:
    baseline = baseline_of(csv)
    table = pd.read_csv(csv)
    assert baseline.rows == 400
    for name in ("income", "region", "owner"):
        assert baseline.features[name].histogram.rows == 400
        assert baseline.features[name].missing == table[name].isna().sum() > 0
    assert baseline.score.histogram.known == 400


def test_the_counts_of_a_reference_are_those_of_its_values(csv: Path) -> None:
    region = baseline_of(csv).features["region"]
    counts = pd.read_csv(csv)["region"].value_counts()
    assert {level: region.counts[i] for i, level in enumerate(region.bins.levels)} == counts.to_dict()
    owner = baseline_of(csv).features["owner"]
    assert set(owner.bins.levels) == {"false", "true"}


def test_the_share_of_positives_is_that_of_scores_at_or_above_the_threshold(csv: Path) -> None:
    baseline = baseline_of(csv, threshold=0.25)
    scores = pd.read_csv(csv)["score"]
    assert (baseline.positives.count, baseline.positives.rows) == ((scores >= 0.25).sum(), 400)


def test_a_described_label_gives_the_reference_performance(csv: Path, tmp_path: Path) -> None:
    described(tmp_path, some_loans())
    baseline = baseline_of(csv, described_by=tmp_path)
    assert baseline.performance["auc"] == pytest.approx(0.5, abs=0.1)
    assert baseline_of(csv).performance == {}


def test_a_baseline_says_which_file_and_code_it_comes_from(csv: Path) -> None:
    baseline = baseline_of(csv)
    assert (baseline.model, baseline.version, baseline.code_revision, baseline.created) == ("loans", "7", "abc", NOW)
    assert len(baseline.data_digest) == 64


def test_the_same_file_and_seed_give_the_same_baseline_to_the_byte(csv: Path) -> None:
    assert baseline_of(csv).to_bytes() == baseline_of(csv).to_bytes()


def test_tied_features_carry_a_null_table_and_continuous_ones_do_not() -> None:
    draw = np.random.default_rng(2)
    frame = pd.DataFrame({"continuous": draw.normal(size=20_000), "hour": draw.integers(0, 24, 20_000).astype(float)})
    schema = FeatureSchema((Feature("continuous", "numeric"), Feature("hour", "numeric")))
    references = count_references(frame, schema, None, seed=0).features
    assert references["continuous"].bridge is None
    assert references["hour"].bridge is not None


def test_a_feature_that_is_not_monitored_is_in_the_schema_and_not_counted() -> None:
    schema = FeatureSchema((Feature("a", "numeric"), Feature("b", "numeric", monitored=False)))
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    assert set(count_references(frame, schema, None, seed=0).features) == {"a"}


def window_like(baseline: Baseline, table: pd.DataFrame, scores: np.ndarray) -> WindowCounts:
    window = WindowCounts(baseline)
    frame = feature_frame(table, baseline.schema)
    columns = [countable(frame[feature.name], feature) for feature in baseline.schema.monitored]
    window.add_columns(columns, scores, [None] * len(scores))
    return window


@pytest.mark.parametrize("scores", [np.linspace(0, 1, 2000), np.linspace(-1e6, 1e6, 2000)], ids=["chances", "amounts"])
def test_without_reference_scores_no_score_ever_alarms(tmp_path: Path, scores: np.ndarray) -> None:
    file = tmp_path / "unscored.csv"
    some_loans().to_csv(file, index=False)
    baseline = baseline_of(file, score=None, threshold=None)
    assert baseline.score.histogram.rows == 0
    window = window_like(baseline, some_loans(2000, seed=9), scores)
    verdicts = {verdict.feature: verdict for verdict in compare(baseline, window)}
    assert not verdicts[SCORE].alarm


def test_rows_like_the_reference_do_not_alarm_and_moved_ones_do(tmp_path: Path) -> None:
    file = tmp_path / "r.parquet"
    scored_loans(20_000).to_parquet(file)
    baseline = baseline_of(file)
    quiet, moved = some_loans(2000, seed=9), some_loans(2000, seed=9)
    moved["income"] += 10
    scores = np.random.default_rng(4).random(2000)
    assert [v.feature for v in compare(baseline, window_like(baseline, quiet, scores)) if v.alarm] == []
    assert "income" in [v.feature for v in compare(baseline, window_like(baseline, moved, scores)) if v.alarm]


def test_columns_are_taken_for_what_they_look_like() -> None:
    rows = 200
    table = pd.DataFrame(
        {
            "row": range(rows),
            "amount": np.linspace(0, 1, rows),
            "count": [1, 2] * (rows // 2),
            "paid": [True, False] * (rows // 2),
            "agreed": [True, None] * (rows // 2),
            "city": ["x", "y"] * (rows // 2),
            "email": [f"{i}@example" for i in range(rows)],
            "day": ["2026-01-01", "2026-01-02"] * (rows // 2),
            "when": pd.Timestamp("2026-01-01", tz="UTC"),
            "nothing": None,
            "score": np.linspace(0, 1, rows),
            "prediction:x": 1.0,
        }
    )
    guesses = guess_columns(table, {"score": "the score"})
    assert {guess.column: guess.kind for guess in guesses} == {
        "row": None,
        "amount": "numeric",
        "count": "numeric",
        "paid": "boolean",
        "agreed": "boolean",
        "city": "categorical",
        "email": None,
        "day": None,
        "when": None,
        "nothing": None,
        "score": None,
        "prediction:x": None,
    }
    assert all(guess.why for guess in guesses)
    assert guessed_schema(guesses).names == ("amount", "count", "paid", "agreed", "city")


@pytest.mark.parametrize("threshold", [np.nan, np.inf])
def test_a_threshold_that_is_not_finite_is_refused(csv: Path, threshold: float) -> None:
    with pytest.raises(InvalidBaseline, match="it must be finite, or nothing is ever decided"):
        baseline_of(csv, threshold=threshold)


def test_a_baseline_of_few_rows_is_made_with_a_warning(tmp_path: Path) -> None:
    for rows, warned in ((10, True), (499, True), (500, False)):
        file = tmp_path / f"{rows}.csv"
        scored_loans(rows).to_csv(file, index=False)
        said = "\n".join(baseline_lines(baseline_of(file), []))
        assert (f"warning     the baseline has {rows} rows: with fewer than 500" in said) == warned


def test_a_column_of_numbers_with_a_text_among_them_is_left_out_and_the_text_is_named() -> None:
    table = pd.DataFrame({"amount": [*(f"{i}.5" for i in range(400)), "n/a?"]})
    (guess,) = guess_columns(table, {})
    assert guess.kind is None
    assert guess.why == "numbers, but 'n/a?' in row 401: repair that"


def test_a_text_among_few_numbers_is_named_and_letters_among_codes_are_levels() -> None:
    digits = [str(i) for i in range(10)] * 40
    codes = ["1", "2", "3", "K"] * 100
    for column, kind, why in (
        ([*digits, "abc"], None, "numbers, but 'abc' in row 401: repair that"),
        ([*map(str, range(200)), "abc", *map(str, range(200))], None, "numbers, but 'abc' in row 201: repair that"),
        (digits, "categorical", "text, 10 levels"),
        (codes, "categorical", "text, 4 levels"),
        (["north"] * 100, "categorical", "text, 1 level"),
    ):
        (guess,) = guess_columns(pd.DataFrame({"x": pd.Series(column, dtype="object")}), {})
        assert (guess.kind, guess.why) == (kind, why)


def test_a_table_without_any_feature_says_how_to_describe_it() -> None:
    with pytest.raises(DataError, match=r"no column looks like a feature: describe them in a dataset.toml"):
        guessed_schema((Guess("id", None, "a row number"),))


def test_a_description_overrules_what_columns_look_like(csv: Path, tmp_path: Path) -> None:
    described(tmp_path, some_loans())
    reference = read_reference(csv, tmp_path, "score")
    assert reference.guesses == ()
    assert reference.schema == DESCRIPTION.schema


@pytest.mark.parametrize(
    ("change", "arguments", "says"),
    [
        ({}, {"score": "skore"}, "no column 'skore' that is named as the score column"),
        ({"score": [0.5, None] * 200}, {}, "score column 'score' is missing in 200 rows"),
        ({"score": "high"}, {}, "column 'score' holds 'high' in row 1: not a number"),
        ({}, {"score": None}, "--threshold 0.5 has no scores to apply to"),
        ({"income": [np.inf, 1.0] * 200}, {}, "column 'income' is infinite in row 1"),
    ],
)
def test_an_unusable_reference_says_why(tmp_path: Path, change: dict, arguments: dict, says: str) -> None:
    file = tmp_path / "reference.csv"
    scored_loans().assign(**change).to_csv(file, index=False)
    with pytest.raises(DataError, match=says):
        baseline_of(file, **arguments)
