"""Natural variation of a baseline: cut by time, learnt for features, score and decisions, told to who asked for it."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from contracts.baseline import Baseline
from tests.builders import a_baseline, a_schema, reference_columns
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.__main__ import app
from training.baselines.histograms import Origin
from training.baselines.natural import Scored, natural_lines, with_natural_variation
from training.data.samples import load
from training.data.times import Times, times_of
from training.errors import DataError
from training.fitting.fit import fit
from training.fitting.stopwatch import Stopwatch
from training.trained_elsewhere.reference import fit_to_reference, read_reference

HOUR = 3_600_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def hourly_loans(hours: int = 25, per_hour: int = 220, effect: float = 0.0, seed: int = 3) -> pd.DataFrame:
    """Loans of so many hours, in time order; each hour has its own mean income."""
    rng = np.random.default_rng(seed)
    table = some_loans(hours * per_hour, seed)
    hour = np.repeat(np.arange(hours), per_hour)
    table["income"] += 10 * effect * rng.normal(size=hours)[hour]
    start = pd.Timestamp("2026-01-01T00:00:00Z")
    table["at"] = (start + pd.to_timedelta(hour, unit="h") + pd.to_timedelta(7, unit="min")).astype("str")
    table["score"] = rng.random(len(table)).round(6)
    return table


def written(folder: Path, table: pd.DataFrame) -> Path:
    file = folder / "reference.csv"
    table.to_csv(file, index=False)
    return file


def taught(file: Path, *, time: str = "at", score: str | None = "score") -> Baseline:
    read = read_reference(file, None, score, time, timed=True)
    threshold = None if score is None else 0.5
    return fit_to_reference(read, "loans", "7", threshold=threshold, code_revision="", seed=0, now=NOW, window=HOUR)


def test_the_windows_are_those_of_the_column_and_what_is_learnt_is_in_the_baseline(tmp_path: Path) -> None:
    baseline = taught(written(tmp_path, hourly_loans(effect=0.5)))
    assert baseline.natural is not None
    assert (baseline.natural.column, baseline.natural.window_seconds) == ("at", 3600)
    assert (baseline.natural.windows, baseline.natural.learnt) == (25, True)
    assert baseline.features["income"].natural["ks"].varies
    assert baseline.features["income"].natural["ks"].windows == 25
    assert not baseline.features["region"].natural["chi2"].varies
    assert set(baseline.score.natural) == {"ks", "psi", "peak", "missing", "out_of_range"}
    assert set(baseline.natural_positives) == {"positives"}
    assert Baseline.from_bytes(baseline.to_bytes()) == baseline


def test_the_time_column_is_no_feature(tmp_path: Path) -> None:
    baseline = taught(written(tmp_path, hourly_loans()))
    assert "at" not in baseline.schema.names


def test_the_order_of_the_rows_does_not_matter_to_what_is_learnt(tmp_path: Path) -> None:
    table = hourly_loans(effect=0.5)
    (tmp_path / "other").mkdir()
    one = taught(written(tmp_path, table))
    other = taught(written(tmp_path / "other", table.sample(frac=1, random_state=1)))
    assert one.features["income"].natural["psi"] == other.features["income"].natural["psi"]
    assert one.natural_positives == other.natural_positives


def test_below_twenty_windows_nothing_is_learnt_and_the_number_is_said(tmp_path: Path) -> None:
    baseline = taught(written(tmp_path, hourly_loans(hours=19)))
    natural = baseline.natural
    assert natural is not None
    assert (natural.windows, natural.learnt) == (19, False)
    assert "19 windows of 200 rows or more, it takes at least 20 and 60 are recommended" in natural.why_not
    assert not any(reference.natural for reference in [*baseline.features.values(), baseline.score])
    assert baseline.natural_positives == {}


def test_thin_windows_are_merged_forward_and_counted_so(tmp_path: Path) -> None:
    natural = taught(written(tmp_path, hourly_loans(hours=61, per_hour=100))).natural
    assert natural is not None
    assert natural.windows == 30, "two hours each, the last one is left out"


def test_a_baseline_without_scores_learns_of_its_features(tmp_path: Path) -> None:
    baseline = taught(written(tmp_path, hourly_loans().drop(columns="score")), score=None)
    assert baseline.features["income"].natural["ks"].windows == 25
    assert baseline.score.natural == {}
    assert baseline.natural_positives == {}


def test_the_score_is_learnt_at_the_times_of_the_rows_that_the_model_was_not_fitted_on(tmp_path: Path) -> None:
    description = replace(DESCRIPTION, time="at")
    table = hourly_loans(hours=30, per_hour=300, effect=1.5).drop(columns="score")
    folder = described(tmp_path, table.sample(frac=1, random_state=2), description)
    samples = load(folder, timed=True)
    assert samples.times is not None
    fitted = fit(samples, "logistic", 0, None, Stopwatch())
    assert len(fitted.validation_rows) == len(fitted.scores)
    assert (samples.labels[fitted.validation_rows] == fitted.labels).all()
    baseline = fitted.references.baseline(Origin("loans", "1", NOW, "", ""), fitted.threshold, fitted.positives)
    scored = Scored(fitted.scores, fitted.validation_rows)
    found = with_natural_variation(baseline, samples.features, scored, samples.times, HOUR)
    assert found.score.natural["ks"].varies, "income moves the score with it"
    assert found.score.natural["ks"].windows == 30
    # the same scores at the times of other rows do not vary
    wrong = Scored(fitted.scores, np.random.default_rng(0).permutation(fitted.validation_rows))
    assert not with_natural_variation(baseline, samples.features, wrong, samples.times, HOUR).score.natural["ks"].varies


def labelled(hours: int, effect: float) -> pd.DataFrame:
    """Hours whose scores rank differently well, with truths; scores are chances on average."""
    table, rng = hourly_loans(hours), np.random.default_rng(4)
    slope = np.repeat(1 + effect * rng.normal(size=hours), 220)
    odds = rng.normal(-1.0, 1.0, len(table))
    table["score"] = 1 / (1 + np.exp(-odds))
    table["paid"] = (rng.random(len(table)) < 1 / (1 + np.exp(1.0 - slope * (odds + 1.0)))).astype(int)
    return table.drop(columns="default", errors="ignore")


def taught_labels(file: Path, time: str | None = "at", window: int | None = HOUR) -> tuple[Baseline, Times | None]:
    read = read_reference(file, None, "score", time, timed=time is not None, label_column="paid")
    baseline = fit_to_reference(read, "loans", "7", threshold=0.5, code_revision="", seed=0, now=NOW, window=window)
    return baseline, read.times


def test_how_performance_varies_is_learnt_of_the_same_windows_and_said(tmp_path: Path) -> None:
    baseline, times = taught_labels(written(tmp_path, labelled(30, 0.8)))
    learnt = baseline.natural_performance
    assert set(learnt) == {"auc", "average_precision", "log_loss", "calibration_error"}
    assert {each.windows for each in learnt.values()} == {30}
    assert learnt["auc"].between > 3 * learnt["auc"].error / 2
    assert baseline.natural is not None
    assert (baseline.natural.performance_windows, baseline.natural.performance_why_not) == (30, "")
    assert Baseline.from_bytes(baseline.to_bytes()) == baseline
    said = "\n".join(natural_lines(baseline, times))
    assert "of performance learnt from 30 windows; 60 or more are recommended: AUC ." in said


def test_the_order_of_labelled_rows_does_not_matter_to_what_is_learnt(tmp_path: Path) -> None:
    table = labelled(12, 0.8)
    (tmp_path / "other").mkdir()
    one, _ = taught_labels(written(tmp_path, table))
    other, _ = taught_labels(written(tmp_path / "other", table.sample(frac=1, random_state=1)))
    assert one.natural_performance == other.natural_performance != {}


def test_performance_is_learnt_from_fewer_windows_than_drift_and_below_eight_it_says_how_many(tmp_path: Path) -> None:
    few, _ = taught_labels(written(tmp_path, labelled(8, 0.8)))
    assert few.natural is not None
    assert (few.natural.learnt, few.natural.performance_windows) == (False, 8)
    assert few.natural_performance["auc"].windows == 8
    fewer, times = taught_labels(written(tmp_path, labelled(7, 0.8)))
    assert fewer.natural is not None
    assert fewer.natural_performance == {}
    assert "make 7 windows of 100 or more with 10 of either truth, it takes at least 8" in (
        fewer.natural.performance_why_not
    )
    assert f"of performance not learnt: {fewer.natural.performance_why_not}" in "\n".join(natural_lines(fewer, times))


def test_without_a_window_nothing_is_learnt_of_performance_and_the_command_says_so(tmp_path: Path) -> None:
    file = written(tmp_path, labelled(10, 0.8))
    baseline, _ = taught_labels(file, None, None)
    assert baseline.natural_performance == {}
    assert baseline.natural is None
    command = ["baseline", "--reference", str(file), "--model", "loans", "--version", "7", "--no-publish"]
    command += ["--score-column", "score", "--label-column", "paid", "--out", str(tmp_path / "baseline.json")]
    without = CliRunner().invoke(app, command)
    assert "natural     variation of performance: not learnt, which takes times and --window" in without.output
    assert (
        "variation of performance" not in CliRunner().invoke(app, [*command, "--time", "at", "--window", "1h"]).output
    )


def test_memory_does_not_grow_with_the_number_of_features() -> None:
    def peak(features: int) -> int:
        """Bytes while 60 windows of 200 rows are learnt from."""
        schema = a_schema(numeric=tuple(f"n{i}" for i in range(features)), categorical=())
        columns = reference_columns(schema, 12_000)
        baseline, table = a_baseline(schema=schema, columns=columns, rows=12_000), pd.DataFrame(columns)
        times = Times("at", np.repeat(np.arange(60), 200) * HOUR, assumed_utc=False)
        tracemalloc.start()
        try:
            learnt = with_natural_variation(baseline, table, None, times, HOUR)
            found = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert all(reference.natural for reference in learnt.features.values())
        return found

    assert peak(40) < 1.5 * peak(4)  # 3 times as much where every window's counts are held


def test_what_was_learnt_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, hourly_loans(effect=0.5))
    times = Times("at", times_of(pd.read_csv(file), "at").milliseconds, assumed_utc=True)
    few = natural_lines(taught(file), times)
    assert few[0] == "natural     variation learnt from 25 windows of 1h; 60 or more are recommended"
    assert "income" in few[1]
    assert few[2] == "            times in 'at' have no zone: taken as UTC"
    assert natural_lines(taught(written(tmp_path, hourly_loans(hours=5))), times)[0].startswith(
        "natural     variation not learnt: the reference holds 5 windows"
    )


def run(*arguments: str | Path) -> Result:
    environment = {"TRAINING_BOOTSTRAP": ""}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def baseline_command(folder: Path, table: pd.DataFrame, *options: str | Path) -> Result:
    out = folder / "baseline.json"
    file = written(folder, table)
    return run("baseline", "--reference", file, "--model", "m", "--version", "1", "--out", out, *options)


def test_the_command_learns_and_says_so(tmp_path: Path) -> None:
    result = baseline_command(tmp_path, hourly_loans(effect=0.5), "--time", "at", "--window", "1h")
    assert result.exit_code == 0, result.output
    assert "variation learnt from 25 windows of 1h" in result.output
    baseline = Baseline.from_bytes((tmp_path / "baseline.json").read_bytes())
    assert baseline.natural is not None
    assert baseline.natural.learnt


def test_too_few_windows_are_no_error_but_are_said(tmp_path: Path) -> None:
    result = baseline_command(tmp_path, hourly_loans(), "--time", "at", "--window", "1d")
    assert result.exit_code == 0, result.output
    assert "variation not learnt: the reference holds 2 windows of 200 rows or more" in result.output


def test_the_time_of_the_description_is_the_default(tmp_path: Path) -> None:
    toml = tmp_path / "dataset.toml"
    toml.write_text(DESCRIPTION.to_toml().replace('label = "defaulted"', 'label = "defaulted"\ntime = "at"'))
    result = baseline_command(tmp_path, hourly_loans(), "--schema", toml, "--window", "1h")
    assert result.exit_code == 0, result.output
    assert "variation learnt from 25 windows" in result.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--time", "at"], "--time at needs --window"),
        (["--window", "1h"], "name their column with --time"),
        (["--time", "at", "--window", "1 fortnight"], "from 10s to 7d, such as 30m or 1d"),
        (["--time", "when", "--window", "1h"], "no column 'when' that is named as the time"),
        (["--time", "region", "--window", "1h"], "time 'region'"),
        (["--time", "income", "--window", "1h"], "time 'income'"),
    ],
)
def test_what_is_wrong_with_the_time_is_one_line(tmp_path: Path, options: list[str], says: str) -> None:
    result = baseline_command(tmp_path, hourly_loans(hours=3), *options)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert says in line


def test_a_time_that_is_also_a_feature_is_refused(tmp_path: Path) -> None:
    toml = tmp_path / "dataset.toml"
    toml.write_text(DESCRIPTION.to_toml())
    result = baseline_command(tmp_path, hourly_loans(hours=3), "--schema", toml, "--time", "income", "--window", "1h")
    assert result.exit_code == 2
    assert "column 'income' is the time and also a feature: remove it from the features" in result.stderr


def test_training_with_a_window_needs_a_time_in_the_description(tmp_path: Path) -> None:
    folder = described(tmp_path, hourly_loans(hours=3))
    with pytest.raises(DataError, match='the description names none: add time = "COLUMN"'):
        load(folder, timed=True)
    result = run("train", "--data", folder, "--model", "m", "--window", "1h")
    assert result.exit_code == 2
    assert "--window needs the rows' times" in result.stderr


def test_a_time_that_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    table = hourly_loans(hours=3).assign(at="whenever")
    assert baseline_command(tmp_path, table, "--score-column", "score").exit_code == 0
