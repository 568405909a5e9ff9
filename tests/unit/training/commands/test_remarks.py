"""What the commands say of a reference before it is used: of its columns, its times and its threshold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from contracts.baseline import Baseline
from tests.unit.training.rows import DESCRIPTION, described, some_loans
from training.__main__ import app
from training.baselines.merged_windows import lengths
from training.baselines.natural import natural_lines
from training.baselines.windows import cut
from training.commands.remarks import column_lines, score_lines, threshold_lines, window_lines
from training.data.samples import load
from training.errors import DataError
from training.trained_elsewhere.reference import fit_to_reference, read_reference

HOUR = 3_600_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def loans(rows: int, per_hour: int) -> pd.DataFrame:
    """Loans in time order, so many in each hour, with scores."""
    at = pd.Timestamp("2026-01-01T00:00:00Z") + pd.to_timedelta(np.arange(rows) // per_hour, unit="h")
    return some_loans(rows).assign(seen_at=at.astype("str"), score=np.linspace(0.02, 0.97, rows))


def baseline_of(folder: Path, table: pd.DataFrame, *options: str | Path) -> Result:
    """What the command says of this table as a reference."""
    table.to_csv(folder / "reference.csv", index=False)
    out = ("--out", folder / "baseline.json")
    command = ("baseline", "--reference", folder / "reference.csv", "--model", "m", "--version", "1", *out, *options)
    return CliRunner().invoke(app, [str(argument) for argument in command], env={"TRAINING_BOOTSTRAP": ""})


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert says in line


def test_times_without_a_window_are_said_to_teach_nothing(tmp_path: Path) -> None:
    told = baseline_of(tmp_path, loans(400, 20))
    assert told.exit_code == 0, told.output
    assert (
        "natural     variation of features and score: not learnt, give --window (the file has times: seen_at)\n"
        in told.output
    )
    names = [said.split(":")[0] for said in told.output.splitlines() if said.startswith("natural ")]
    assert len(names) == len(set(names))
    toml = tmp_path / "dataset.toml"
    toml.write_text(replace(DESCRIPTION, time="seen_at").to_toml())
    assert "(the file has times: seen_at)" in baseline_of(tmp_path, loans(400, 20), "--schema", toml).output
    assert "give --window" not in baseline_of(tmp_path, loans(400, 20).drop(columns="seen_at")).output
    assert window_lines(["seen_at"], HOUR) == window_lines([], None) == []


def natural_line(folder: Path, table: pd.DataFrame) -> list[str]:
    table.to_csv(folder / "reference.csv", index=False)
    read = read_reference(folder / "reference.csv", None, "score", "seen_at", timed=True)
    baseline = fit_to_reference(read, "m", "1", threshold=0.5, code_revision="", seed=0, now=NOW, window=HOUR)
    return natural_lines(baseline, read.times)


def test_windows_that_were_merged_are_not_told_as_windows_of_the_length_asked_for(tmp_path: Path) -> None:
    told = natural_line(tmp_path, loans(6_000, 20))
    assert told[0].startswith("natural     variation learnt from 30 windows, merged from 1h to about 10h; 60 or more")
    assert told[1].strip().startswith("as the stream merges thin windows: right if it has as few rows in 1h;")
    (told, *_) = natural_line(tmp_path, loans(6_000, 200))
    assert told.startswith("natural     variation learnt from 30 windows of 1h;")


def test_a_few_merged_windows_are_counted(tmp_path: Path) -> None:
    table = loans(6_200, 200)
    thin = table.drop(index=range(200, 300))  # the second hour has half of its rows
    assert "from 30 windows of 1h, 1 of them merged with thin ones" in natural_line(tmp_path, thin)[0]


def test_a_window_reaches_from_its_first_rows_hour_to_its_last_rows() -> None:
    times = np.array([0, 1, 5 * HOUR, 6 * HOUR, 6 * HOUR + 1, 6 * HOUR + 2, 9 * HOUR])
    assert lengths(cut(times, HOUR, fewest=3), times, HOUR).tolist() == [6, 1]
    assert lengths(cut(times, HOUR, fewest=9), times, HOUR).tolist() == []


@pytest.mark.parametrize("text", ["5x", "1 day", "1D", "0.5d"])
def test_a_length_that_is_none_is_refused_with_the_units_there_are(tmp_path: Path, text: str) -> None:
    told = baseline_of(tmp_path, loans(400, 20), "--time", "seen_at", "--window", text)
    refused(told, f"--window {text}: a window's length is a whole number and a unit (s, m, h or d)")


def test_a_column_that_is_not_there_is_told_with_where_it_is_named(tmp_path: Path) -> None:
    table = loans(400, 20)
    asked = ("--window", "1h")
    refused(
        baseline_of(tmp_path, table, "--time", "when", *asked),
        "no column 'when' that is named as the time (--time); the file has income, ",
    )
    toml = tmp_path / "dataset.toml"
    toml.write_text(replace(DESCRIPTION, time="when").to_toml())
    told = baseline_of(tmp_path, table, "--schema", toml, *asked)
    refused(told, f"no column 'when' that is named as the time (time in {toml}; --time goes before it); the file has")
    refused(told, ": correct the name there")
    refused(
        baseline_of(tmp_path, table, "--score-column", "points"),
        "no column 'points' that is named as the score column (--score-column); the file has",
    )
    folder = described(tmp_path, table, replace(DESCRIPTION, time="when"))
    with pytest.raises(DataError, match=r"no column 'when' that is named as the time \(time in .*dataset\.toml\)"):
        load(folder, timed=True)


def test_a_threshold_that_no_score_can_have_is_refused(tmp_path: Path) -> None:
    scored = ("--score-column", "score", "--threshold")
    told = baseline_of(tmp_path, loans(400, 20), *scored, "5")
    refused(told, "--threshold 5: the scores are between 0 and 1 (here 0.02 to 0.97)")
    assert baseline_of(tmp_path, loans(400, 20), *scored, "1").exit_code == 0
    rents = loans(400, 20).assign(score=np.linspace(300, 3_000, 400))
    assert baseline_of(tmp_path, rents, *scored, "1200").exit_code == 0
    folder = described(tmp_path, some_loans())
    command = ["train", "--data", str(folder), "--model", "m", "--threshold", "5"]
    told = CliRunner().invoke(app, command, env={"TRAINING_BOOTSTRAP": ""})
    refused(told, "--threshold 5: scores are between 0 and 1")


def test_columns_that_look_wrong_are_warned_of_in_one_line_each(tmp_path: Path) -> None:
    rows = 2_000
    ids = [f"c{i % 997}" for i in range(rows)]
    table = loans(rows, 20).assign(limit=3.0, country="DE", customer=ids, score=0.25)
    told = baseline_of(tmp_path, table, "--score-column", "score")
    assert told.exit_code == 0, told.output
    warnings = [line.removeprefix("warning     ") for line in told.output.splitlines() if line.startswith("warning")]
    assert [line.split(":")[0] for line in warnings if ":" in line][:4] == [
        "feature 'limit' is 3 wherever it has a value",
        "feature 'country' is 'DE' wherever it has a value",
        "'customer' was taken for categorical and has 997 levels",
        "the score is 0.25 in every row",
    ]


def test_a_described_column_of_many_levels_and_an_unmonitored_constant_are_as_their_owner_says() -> None:
    samples = some_loans(400).assign(region=[f"r{i}" for i in range(400)], income=1.0)
    features = tuple(replace(one, monitored=one.name != "income") for one in DESCRIPTION.features)
    schema = replace(DESCRIPTION, features=features).schema
    assert column_lines(samples, schema) == []
    assert score_lines(None) == score_lines(np.array([])) == score_lines(np.array([0.1, 0.2])) == []


def test_without_a_threshold_it_is_said_which_one_is_taken_or_that_there_is_none(tmp_path: Path) -> None:
    baseline_of(tmp_path, loans(400, 20), "--score-column", "score", "--threshold", "0.183")
    present = Baseline.from_bytes((tmp_path / "baseline.json").read_bytes())
    assert threshold_lines(present, "m/1") == [
        "threshold   0.183, as in the present baseline of m/1: no --threshold was given"
    ]
    for none in (None, replace(present, threshold=None, positives=None)):
        (told,) = threshold_lines(none, "m/1")
        assert told.startswith("warning     no --threshold, and m/1 has no baseline with one")
