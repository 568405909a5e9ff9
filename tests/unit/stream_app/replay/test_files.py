"""Replays of files, from the command line to the last line: the same events give the same lines in every format."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from contracts.baseline import Baseline
from contracts.events import PredictionEvent, encode_event
from contracts.schema import Feature, FeatureSchema
from stream_app.__main__ import cli
from tests.builders import NOON, a_baseline, a_schema, an_event, an_event_id
from tests.streams import random_events

SCHEMA = FeatureSchema(
    (Feature("distance", "numeric"), Feature("carrier", "categorical"), Feature("weekend", "boolean"))
)
ONE, TWO = a_baseline(rows=300, schema=SCHEMA), a_baseline(rows=300, version="2", schema=a_schema(("distance",), ()))


class Result(NamedTuple):
    status: int
    lines: list[dict[str, Any]]
    said: str

    @property
    def summary(self) -> dict[str, Any]:
        assert self.lines[-1]["type"] == "summary"
        return self.lines[-1]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]


def replay(*words: str | Path) -> Result:
    found = CliRunner().invoke(cli, ["replay", *map(str, words)], env={"STREAM_BOOTSTRAP": None})
    assert not found.exception or isinstance(found.exception, SystemExit), found.exception
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    return Result(found.exit_code, lines, re.sub("^replay: ", "", found.stderr, flags=re.MULTILINE))


@pytest.fixture
def baseline(tmp_path: Path) -> Callable[..., list[str]]:
    """The options that give baselines."""

    def options(*baselines: Baseline) -> list[str]:
        words = []
        for number, found in enumerate(baselines or (ONE,)):
            file = tmp_path / f"baseline-{number}.json"
            file.write_bytes(found.to_bytes())
            words += ["--baseline", str(file)]
        return words

    return options


def some_events(count: int = 3_000) -> list[PredictionEvent[Any]]:
    """Two versions, out of order, some late, some repeated; every sixth without a decision."""
    events = []
    for i in range(count):
        version = "2" if i % 3 == 0 else "1"
        moved = -90 if i % 100 == 99 else (i * 7) % 5
        features: dict[str, Any] = {"distance": None if i % 50 == 0 else 100.0 + (i * 37) % 41 / 3}
        if version == "1":
            features |= {"carrier": None if i % 31 == 0 else "abcz"[i % 4], "weekend": i % 7 > 4}
        events.append(
            an_event(
                id=an_event_id(i - i % 2 if i % 40 == 1 else i),
                event_time=NOON + timedelta(seconds=i / 10 + moved),
                model_version=version,
                score=(i * 13 % 101) / 101,
                decision=None if i % 6 == 0 else i % 2 == 0,
                features=features,
            )
        )
    return events


def columns_of(events: Sequence[PredictionEvent[Any]]) -> dict[str, list[Any]]:
    return {
        "id": [event.id for event in events],
        "event_time": [event.event_time for event in events],
        "model": [event.model for event in events],
        "model_version": [event.model_version for event in events],
        "score": [event.score for event in events],
        "decision": [event.decision for event in events],
        **{name: [event.features.get(name) for event in events] for name in ("distance", "carrier", "weekend")},
    }


def write_lines(path: Path, events: Sequence[PredictionEvent[Any]]) -> Path:
    path.write_bytes(b"\n".join(map(encode_event, events)) + b"\n")
    return path


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    def text(value: Any) -> str:
        return "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)

    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[text(value) for value in row] for row in zip(*columns.values(), strict=True)])
    return path


def write_parquet(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    pq.write_table(pa.table(dict(columns)), path)
    return path


def rows(count: int = 200, **changed: Sequence[Any]) -> dict[str, list[Any]]:
    """Columns of version 1; changed: whole columns, or {row: value}."""
    columns: dict[str, list[Any]] = {
        "event_time": [NOON + timedelta(seconds=i) for i in range(count)],
        "score": [0.5] * count,
        "distance": [100.0 + i % 20 for i in range(count)],
        "carrier": ["abc"[i % 3] for i in range(count)],
        "weekend": [i % 7 > 4 for i in range(count)],
    }
    for name, values in changed.items():
        if isinstance(values, Mapping):
            columns[name] = [values.get(i, value) for i, value in enumerate(columns[name])]
        else:
            columns[name] = list(values)
    return columns


@pytest.mark.parametrize("sort", [False, True], ids=["in their order", "sorted"])
def test_the_same_events_give_the_same_lines_from_json_lines_csv_and_parquet(
    tmp_path: Path, baseline: Callable[..., list[str]], sort: bool
) -> None:
    events = some_events()
    files = [
        write_lines(tmp_path / "events.jsonl", events),
        write_csv(tmp_path / "events.csv", columns_of(events)),
        write_parquet(tmp_path / "events.parquet", columns_of(events)),
    ]
    options = [
        *baseline(ONE, TWO),
        "--window",
        "20s",
        "--n-min",
        "50",
        "--lateness",
        "5s",
        *(["--sort"] if sort else []),
    ]
    found = [replay("--file", file, *options) for file in files]
    assert [result.status for result in found] == [0, 0, 0]
    written = [sorted(json.dumps(line, sort_keys=True) for line in result.lines) for result in found]
    assert written[0] == written[1] == written[2]
    summary = found[0].summary
    assert summary["repeats"] > 0
    assert (summary["late"] > 0) is not sort
    assert {line["report"]["version"] for line in found[0].of("report")} == {"1", "2"}


def two_partitions(early: int, late: int) -> list[PredictionEvent[Any]]:
    """So many events of a partition, and behind them so many of another that are older: as in a dump."""
    return [
        an_event(
            id=an_event_id(i, source=source),
            event_time=start + timedelta(seconds=i / 2),
            features={"distance": 100.0, "carrier": "a", "weekend": False},
        )
        for source, start, count in (("api.00", NOON + timedelta(minutes=2), early), ("api.01", NOON, late))
        for i in range(count)
    ]


@pytest.mark.parametrize("name", ["events.jsonl", "events.csv", "events.parquet"])
def test_a_file_of_which_much_is_late_is_told_of_sort(
    tmp_path: Path, baseline: Callable[..., list[str]], name: str
) -> None:
    file, events = tmp_path / name, two_partitions(80, 120)
    if name.endswith("jsonl"):
        write_lines(file, events)
    else:
        (write_csv if name.endswith("csv") else write_parquet)(file, columns_of(events))
    options: list[str | Path] = ["--file", file, *baseline(), "--window", "10s", "--lateness", "1s"]
    unsorted, ordered = replay(*options), replay(*options, "--sort")
    assert unsorted.summary["late"] == 120
    hint = "120 rows were late: is the file in the order of its times? With --sort it is counted in that order"
    assert hint in map(str.strip, unsorted.said.splitlines())
    assert ordered.summary["late"] == 0
    assert "--sort" not in ordered.said


@pytest.mark.parametrize(("late", "told"), [(19, False), (20, True)])
def test_a_few_late_rows_are_no_sign_of_the_order_of_a_file(
    tmp_path: Path, baseline: Callable[..., list[str]], late: int, told: bool
) -> None:
    file = write_lines(tmp_path / "events.jsonl", two_partitions(200 - late, late))
    result = replay("--file", file, *baseline(), "--window", "10s", "--lateness", "1s")
    assert result.summary["late"] == late
    assert ("--sort" in result.said) is told


def test_a_compressed_csv_is_read_as_well(tmp_path: Path, baseline: Callable[..., list[str]]) -> None:
    import gzip

    plain = write_csv(tmp_path / "events.csv", rows())
    packed = tmp_path / "events.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert replay("--file", packed, *baseline()).lines == replay("--file", plain, *baseline()).lines


def test_columns_may_have_other_names_and_the_model_may_be_said(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    columns = rows()
    columns["when"], columns["km"] = columns.pop("event_time"), columns.pop("distance")
    file = write_csv(tmp_path / "events.csv", columns)
    words = ["--column", "event_time=when", "--column", "distance=km", "--model", "flights", "--model-version", "1"]
    result = replay("--file", file, *baseline(ONE, TWO), *words)
    assert result.status == 0
    assert result.summary["counted"] == 200


def test_numbers_that_are_not_there_are_missing_in_each_of_their_spellings(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    distance = {0: "", 1: "NA", 2: "nan", 3: " 101.5 ", 4: "null"}
    file = write_csv(tmp_path / "events.csv", rows(distance=distance, carrier={5: "NA"}))
    (report, *_) = replay("--file", file, *baseline(), "--window", "1h", "--n-min", "1").of("report")
    verdicts = {verdict["feature"]: verdict for verdict in report["report"]["features"]}
    assert verdicts["distance"]["missing"] == 4
    assert (verdicts["carrier"]["missing"], verdicts["carrier"]["unseen"]) == (0, 1)  # Namibia


@pytest.mark.parametrize("write", [write_csv, write_parquet])
@pytest.mark.parametrize(
    ("column", "values", "reason", "words"),
    [
        ("distance", {6: "far"}, "malformed", "row 7: distance: 'far' is not a number"),
        ("distance", {6: "inf"}, "non-finite", "row 7: distance: inf is not finite"),
        ("weekend", {6: "perhaps"}, "malformed", "row 7: weekend: 'perhaps' is neither true nor false"),
        ("score", {6: None}, "malformed", "row 7: score: there is none"),
        ("score", {6: "high"}, "malformed", "row 7: score: 'high' is not a number"),
        ("event_time", {6: "noon"}, "malformed", "row 7: event_time: 'noon' is not a time in ISO 8601"),
        ("event_time", {6: "2026-01-01T12:00:00"}, "malformed", "has no zone: write one, or give --utc"),
        ("event_time", {6: None}, "malformed", "row 7: event_time: there is no time"),
    ],
)
def test_a_row_with_a_wrong_value_is_refused_with_its_number_and_the_others_are_counted(
    tmp_path: Path,
    baseline: Callable[..., list[str]],
    write: Callable[..., Path],
    column: str,
    values: dict[int, Any],
    reason: str,
    words: str,
) -> None:
    columns = rows(**{column: values})
    as_text = [None if v is None else v.isoformat() if isinstance(v, datetime) else str(v) for v in columns[column]]
    columns[column] = as_text  # a Parquet column is of one type
    file = write(tmp_path / f"events{'.csv' if write is write_csv else '.parquet'}", columns)
    result = replay("--file", file, *baseline())
    (refused,) = result.of("refused")
    assert (refused["reason"], refused["row"]) == (reason, 7)
    assert words in refused["detail"]
    assert (result.status, result.summary["counted"], result.summary["refused"]) == (0, 199, {reason: 1})


def test_torn_rows_of_a_csv_are_refused_and_the_rows_behind_them_keep_their_numbers(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file = write_csv(tmp_path / "events.csv", rows(distance={10: "far"}))
    lines = file.read_text().splitlines()
    lines[4] = "2026-01-01T12:00:03+00:00,0.5"  # the fourth row
    lines[8] += ",surplus"
    file.write_text("\n".join(lines) + "\n")
    result = replay("--file", file, *baseline())
    assert [(line["row"], line["detail"]) for line in result.of("refused")] == [
        (4, "row 4: 2 fields, the header names 5"),
        (8, "row 8: 6 fields, the header names 5"),
        (11, "row 11: distance: 'far' is not a number"),
    ]
    assert (result.summary["read"], result.summary["counted"]) == (200, 197)
    assert result.said.splitlines()[:2] == [
        "refused  2 malformed, first row 4: 2 fields, the header names 5 (rows count from 1, the header does not)",
        "refused  1 malformed, first row 11: distance: 'far' is not a number",
    ]


def test_refusals_that_differ_in_a_value_only_are_one_way_with_its_first_row(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file = write_csv(tmp_path / "events.csv", rows(distance={8: "far", 9: "near"}, score={20: "high"}))
    assert replay("--file", file, *baseline()).said.splitlines()[:2] == [
        "refused  2 malformed, first row 9: distance: 'far' is not a number (rows count from 1, the header does not)",
        "refused  1 malformed, first row 21: score: 'high' is not a number",
    ]


def test_the_summary_says_with_what_it_was_made_and_most_windows_too_thin_ask_for_longer_ones(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file = write_csv(tmp_path / "events.csv", rows(600))
    thin = replay("--file", file, *baseline())
    made = {name: thin.summary[name] for name in ("window_seconds", "lateness_seconds", "preset", "n_min")}
    assert made == {"window_seconds": 60, "lateness_seconds": 5, "preset": "calibrated", "n_min": 200}
    assert "with     --window 1m --lateness 5s --preset calibrated --n-min 200" in thin.said.splitlines()
    assert "most of them are too thin: a window has 60.0 rows on average and needs 200; try --window 5m" in thin.said
    wide = replay("--file", file, *baseline(), "--window", "5m")
    assert "with     --window 5m" in wide.said
    assert "too thin:" not in wide.said


def test_an_interrupt_behind_the_last_event_does_not_say_that_something_is_missing(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    from stream_app.replay.request import Words, request_of
    from stream_app.replay.run import Stop, run

    class Late(Stop):
        """Told to stop when it is asked for the second time: by then the end of the file has been counted."""

        asks = 0

        @property
        def signal(self) -> int | None:
            self.asks += 1
            return signal.SIGTERM if self.asks > 1 else None

        @signal.setter
        def signal(self, number: int | None) -> None:
            pass

    file, said = write_csv(tmp_path / "events.csv", rows()), list[str]()
    request = request_of(Words(file=file, baseline=baseline()[1:], output=tmp_path / "found.jsonl"))
    assert run(request, said.append, Late()) == 128 + signal.SIGTERM
    assert said[-2:] == ["balanced", "interrupted when everything had been read and judged: nothing is missing"]
    assert json.loads((tmp_path / "found.jsonl").read_text().splitlines()[-1])["complete"]


@pytest.mark.parametrize("parts", [1, 2])
def test_no_thread_of_a_csv_reader_needs_the_interpreter_when_its_rows_are_closed(tmp_path: Path, parts: int) -> None:
    """One that did would abort the process at its end, now and then."""
    import gc
    from types import FunctionType

    from stream_app.replay.table.file import TableFile

    def handlers() -> int:
        return sum(type(found) is FunctionType and found.__name__ == "take_torn" for found in gc.get_objects())

    before = handlers()
    path = tmp_path / "events.csv"
    path.write_text("event_time,score\n" + "2026-01-01T12:00:03+00:00,0.5\n" * 500_000)  # some blocks
    file = TableFile(path)
    assert handlers() == before
    blocks = file.blocks(["score"])
    for _ in range(parts):
        next(blocks)
    assert handlers() == before + 1
    blocks.close()
    assert handlers() == before


def test_the_least_event_of_the_documentation_is_counted(tmp_path: Path, baseline: Callable[..., list[str]]) -> None:
    documentation = (Path(__file__).parents[4] / "docs" / "replay.md").read_text()
    (line,) = [line for line in documentation.splitlines() if line.strip().startswith('{"id"')]
    file = tmp_path / "events.jsonl"
    file.write_text(line.strip() + "\n")
    model, version = (json.loads(line)[name] for name in ("model", "model_version"))
    named = a_baseline(model=model, version=version, schema=a_schema(("age", "income"), ("plan",)))
    result = replay("--file", file, *baseline(named))
    assert (result.status, result.summary["counted"]) == (0, 1)


def test_lines_that_are_no_events_are_refused_by_number_and_blank_ones_passed_over(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    lines = [encode_event(event) for event in some_events(30)]
    lines[3:3] = [b"", b"{", b"  ", encode_event(an_event(model="nobody"))]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(lines))  # no end of line at the end
    result = replay("--file", file, *baseline(ONE, TWO))
    assert [(line["reason"], line["line"]) for line in result.of("refused")] == [
        ("malformed", 5),
        ("unknown-version", 7),
    ]
    assert result.of("refused")[0]["detail"].startswith("line 5: ")
    assert result.summary["read"] == 32


def test_a_sorted_file_names_refused_lines_by_their_own_number(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    events = random_events(20, NOON, per_second=1)
    lines = [encode_event(event) for event in reversed(events)]
    lines[5] = b"{"
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(lines))
    result = replay("--file", file, *baseline(a_baseline()), "--sort")
    assert [line["line"] for line in result.of("refused")] == [6]
    assert result.summary["late"] == 0


def test_times_without_a_zone_are_taken_for_utc_when_that_is_said(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    aware, naive = rows(), rows()
    naive["event_time"] = [time.replace(tzinfo=None) for time in naive["event_time"]]
    wanted = replay("--file", write_parquet(tmp_path / "aware.parquet", aware), *baseline()).of("report")
    for file in (write_parquet(tmp_path / "naive.parquet", naive), write_csv(tmp_path / "naive.csv", naive)):
        assert replay("--file", file, *baseline(), "--utc").of("report") == wanted
        assert replay("--file", file, *baseline()).status == 2


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_every_unit_are_cut_to_milliseconds(
    tmp_path: Path, baseline: Callable[..., list[str]], unit: str
) -> None:
    columns = rows(2)
    edge = datetime(2026, 1, 1, 12, 0, 59, 999_900, tzinfo=UTC)
    columns["event_time"] = pa.array([NOON, NOON if unit == "s" else edge], pa.timestamp("us", "UTC")).cast(
        pa.timestamp(unit, "UTC"), safe=False
    )
    file = write_parquet(tmp_path / "events.parquet", columns)
    (report,) = replay("--file", file, *baseline()).of("report")
    assert report["report"]["rows"] == 2  # rounded up, the second would be in the next minute


def test_whole_numbers_and_booleans_count_as_the_levels_that_training_makes_of_them(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    schema = FeatureSchema((Feature("code", "categorical"), Feature("flag", "categorical")))
    made = a_baseline(
        schema=schema, columns={"code": ["1", "2"] * 50, "flag": ["true", "false"] * 50}, scores=[0.5] * 100
    )
    columns = {name: rows()[name] for name in ("event_time", "score")}
    columns |= {"code": [1.0, 2.0] * 99 + [None, None], "flag": [True, False] * 100}
    file = write_parquet(tmp_path / "events.parquet", columns)
    (report, *_) = replay("--file", file, *baseline(made), "--window", "1h").of("report")
    verdicts = {verdict["feature"]: verdict for verdict in report["report"]["features"]}
    assert [verdicts[name].get("unseen", 0) for name in ("code", "flag")] == [0, 0]  # a report leaves defaults out
    assert verdicts["code"]["missing"] == 2


def test_a_baseline_may_stand_for_another_version(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "events.csv", rows())
    (tmp_path / "new.json").write_bytes(a_baseline(version="7", schema=SCHEMA).to_bytes())
    result = replay("--file", file, "--baseline", f"flights/1={tmp_path / 'new.json'}")
    assert {(line["report"]["model"], line["report"]["version"]) for line in result.of("report")} == {("flights", "1")}


def test_every_setting_of_the_stream_can_be_changed_for_a_replay(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    columns = rows(600, distance=dict.fromkeys(range(120, 600), 160.0))
    file = write_csv(tmp_path / "events.csv", columns)
    plain = replay("--file", file, *baseline(), "--n-min", "50")
    assert plain.summary["windows"] == 10
    assert plain.summary["pages"] == 1
    assert replay("--file", file, *baseline(), "--n-min", "61").summary["insufficient"] > 0
    assert replay("--file", file, *baseline(), "--window", "5m").summary["windows"] == 2
    eager = replay("--file", file, *baseline(), "--n-min", "50", "--page-after", "1", "--of-last", "1")
    assert eager.of("alert")[0]["alert"]["window_start"] < plain.of("alert")[0]["alert"]["window_start"]
    classic = replay("--file", file, *baseline(), "--n-min", "50", "--preset", "classic")
    assert {line["report"]["preset"] for line in classic.of("report")} == {"classic"}


def test_two_policies_are_compared_over_the_same_windows(tmp_path: Path, baseline: Callable[..., list[str]]) -> None:
    columns = rows(600, distance=dict.fromkeys(range(120, 600), 160.0))
    file = write_csv(tmp_path / "events.csv", columns)
    alone = replay("--file", file, *baseline(), "--n-min", "50")
    both = replay("--file", file, *baseline(), "--n-min", "50", "--compare", "n-min=100,page-after=1")
    assert both.of("report") == alone.of("report")
    assert both.of("alert") == alone.of("alert")
    by_itself = replay("--file", file, *baseline(), "--n-min", "100", "--page-after", "1")
    assert [line["report"] for line in both.of("compared_report")] == [
        line["report"] for line in by_itself.of("report")
    ]
    assert [line["alert"] for line in both.of("compared_alert")] == [line["alert"] for line in by_itself.of("alert")]
    (comparison,) = both.of("comparison")
    assert comparison["asked"]["name"] == "n-min=50,page-after=2"
    assert comparison["asked"]["windows"] == comparison["compared"]["windows"] == 10
    assert comparison["asked"]["compared"] == 10
    assert comparison["compared"]["compared"] == 5  # pairs of thin windows
    assert {f["feature"]: (f["asked"], f["compared"]) for f in comparison["features"]}["distance"] == (10, 5)
    assert {found["window_start"] for found in comparison["differ"]} <= {
        line["report"]["window_start"] for line in both.of("report")
    }
    assert "windows are judged otherwise" in both.said


def test_a_second_comparison_is_refused_and_not_taken_for_the_first(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file = write_csv(tmp_path / "events.csv", rows(5))
    result = replay("--file", file, *baseline(), "--compare", "preset=classic", "--compare", "n-min=9")
    assert result.status == 2
    (line,) = result.said.splitlines()
    assert line.startswith("--compare is there 2 times")
    assert "--compare preset=classic,page-after=3" in line


def test_severities_are_compared_where_nothing_else_differs(tmp_path: Path, baseline: Callable[..., list[str]]) -> None:
    columns = rows(600, distance=dict.fromkeys((i for i in range(120, 600) if i % 5), 160.0))
    file = write_csv(tmp_path / "events.csv", columns)
    words = ["--n-min", "50", "--critical-rate-jump", "1", "--critical-effect", "0.01"]
    result = replay("--file", file, *baseline(), *words, "--compare", "critical-effect=1")
    (comparison,) = result.of("comparison")
    asked, compared = comparison["asked"], comparison["compared"]
    assert asked["pages"] == compared["pages"] == 1
    assert (asked["critical"], compared["critical"]) == (1, 0)
    (differ,) = comparison["differ"]
    assert differ["asked_alerts"] == differ["compared_alerts"] == ["raise"]
    assert (differ["asked_severities"], differ["compared_severities"]) == (["critical"], ["warning"])
    assert "RAISE critical" in result.said
    assert "RAISE warning" in result.said


def test_a_file_gets_what_was_written_and_standard_output_nothing(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file, output = write_csv(tmp_path / "events.csv", rows()), tmp_path / "found.jsonl"
    assert replay("--file", file, *baseline(), "--output", output).lines == []
    assert [json.loads(line) for line in output.read_text().splitlines()] == replay("--file", file, *baseline()).lines


def test_it_works_without_any_setting_and_without_a_broker(tmp_path: Path, baseline: Callable[..., list[str]]) -> None:
    file = write_csv(tmp_path / "events.csv", rows())
    process = subprocess.run(
        [sys.executable, "-m", "stream_app", "replay", "--file", str(file), *baseline()],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[4])},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr.splitlines()[-1] == "replay: balanced"


def test_an_interrupt_ends_it_with_the_accounts_so_far_and_status_130(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    # More than the pipe holds: it cannot be done before the signal comes.
    file = write_lines(tmp_path / "events.jsonl", random_events(20_000, NOON, per_second=1))
    command = [sys.executable, "-m", "stream_app", "replay", "--file", str(file), *baseline(a_baseline())]
    with subprocess.Popen(
        [*command, "--window", "10s", "--n-min", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"type":"report"')
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    summary = json.loads(out.splitlines()[-1])
    assert (summary["type"], summary["complete"], summary["balanced"]) == ("summary", False, True)
    assert 0 < summary["read"] < 20_000
    assert b"Traceback" not in err
    assert b"balanced; interrupted before the end: these are the accounts up to then" in err


def test_a_reader_that_has_enough_ends_it_without_a_traceback(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file = write_lines(tmp_path / "events.jsonl", random_events(20_000, NOON, per_second=1))
    command = [sys.executable, "-m", "stream_app", "replay", "--file", str(file), *baseline(a_baseline())]
    with subprocess.Popen(
        [*command, "--window", "10s", "--n-min", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait(60)
    assert process.returncode == 141
    assert b"Traceback" not in said
    assert b"Exception" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "STREAM_BOOTSTRAP is not set"),
        (["--file", "none.csv"], r"--file none.csv: there is no such file"),
        (["--file", "EVENTS"], "a file needs the baseline of its model: give --baseline FILE, or set STREAM_BOOTSTRAP"),
        (["--file", "EVENTS", "--baseline", "none.json"], "--baseline none.json: cannot be read: No such file"),
        (["--file", "EVENTS", "--baseline", "EVENTS"], "not a baseline: .*; training writes one beside each model"),
        (["--file", "EVENTS", "--baseline", "x=BASELINE"], "'x' is not MODEL/VERSION"),
        (["--file", "EVENTS", *["--baseline", "BASELINE"] * 2], "flights/1 has one already"),
        (
            ["--file", "README", "--baseline", "BASELINE"],
            "use .jsonl, .ndjson, .json, .csv, .csv.gz, .parquet",
        ),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--from", "2026-01-01T00:00:00Z"], "--from is for the topic"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--window", "1w"], "--window 1w: a duration is a number"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--window", "100d"], "--window: Input should be less than"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--window", "1500ms"], "--window: Input should be a valid int"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--n-min", "0"], "--n-min: Input should be greater than"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--preset", "strict"], "no such rule; there are calibrated"),
        (
            ["--file", "EVENTS", "--baseline", "BASELINE", "--page-after", "9"],
            "^--page-after .9., --of-last .3.: a feat",
        ),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--of-last", "1"], "^--page-after .2., --of-last .1.: a feat"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--preset", "strict"], "^--preset strict: no such rule; there"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--compare", "preset=x"], "^--compare preset=x: no such rule"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--compare", "of-last=1"], "^--compare of-last=1: --page-aft"),
        (["--file", "FOLDER", "--baseline", "BASELINE"], "it is a directory, name one file in it"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--compare", "window=1s"], "--compare window=1s: there is no"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--compare", "n-min=few"], "--compare n-min: Input should be"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--output", "EVENTS"], "that is the file to be read"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--output", "no/such"], "--output .*: cannot be written"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--column", "km=distance"], "there is no field and no .*'km'"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--column", "score=proba"], "no column 'proba'"),
        (["--file", "EVENTS", "--baseline", "BASELINE", "--model-version", "9"], "no baseline for flights/9; there is"),
        (["--offsets", "0:0-", "--from", "2026-01-01T00:00:00Z"], "a range is of offsets or of times"),
        (["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"], "STREAM_BOOTSTRAP is not set|not after"),
        (["--sort"], "--sort is for a file"),
        (["--column", "a=b"], "--column is for a file"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_fix_and_status_2(tmp_path: Path, words: list[str], said: str) -> None:
    places = {
        "EVENTS": write_csv(tmp_path / "events.csv", rows(5)),
        "BASELINE": tmp_path / "baseline.json",
        "README": tmp_path / "README.md",
        "FOLDER": tmp_path / "folder.csv",
    }
    places["BASELINE"].write_bytes(ONE.to_bytes())
    places["README"].write_text("no events")
    places["FOLDER"].mkdir()
    result = replay(*[re.sub("|".join(places), lambda m: str(places[m[0]]), word) for word in words])
    (line,) = result.said.splitlines()
    assert re.search(said, line), line
    assert (result.status, result.lines) == (2, [])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"score": None}, "no column 'score' .*it has event_time, distance, .*--column score=COLUMN"),
        ({"distance": None}, "no column 'distance' .flights/1 has a feature of that name"),
        ({"distance": [NOON] * 3}, "column 'distance' holds timestamp.*, the baseline of flights/1 says numeric"),
        ({"event_time": [1, 2, 3]}, "column 'event_time' holds int64, not times"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line_that_names_the_column(
    tmp_path: Path, baseline: Callable[..., list[str]], columns: dict[str, Any], said: str
) -> None:
    content = {**rows(3), **columns}
    file = write_parquet(
        tmp_path / "e.parquet", {name: values for name, values in content.items() if values is not None}
    )
    result = replay("--file", file, *baseline())
    (line,) = result.said.splitlines()
    assert re.search(said, line), line
    assert result.status == 2


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolon"), ("\t", "tab")])
@pytest.mark.parametrize("words", [[], ["--column", "distance=km"]])
def test_a_csv_that_is_not_separated_by_commas_is_told_so(
    tmp_path: Path, baseline: Callable[..., list[str]], separator: str, word: str, words: list[str]
) -> None:
    file = write_csv(tmp_path / "events.csv", rows(5))
    file.write_text(file.read_text().replace(",", separator))
    result = replay("--file", file, *baseline(), *words)
    (line,) = result.said.splitlines()
    assert f"the separator must be a comma, and here it seems to be a {word}" in line
    assert result.status == 2


@pytest.mark.parametrize("name", ["events.csv", "events.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff\x00 garbage", b"PAR1"])
def test_a_file_that_is_no_table_is_one_line(
    tmp_path: Path, baseline: Callable[..., list[str]], name: str, content: bytes
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    result = replay("--file", file, *baseline())
    (line,) = result.said.splitlines()
    assert f"--file {file}" in line
    assert result.status == 2


@pytest.mark.parametrize("name", ["events.jsonl", "events.csv", "events.parquet"])
def test_a_file_without_events_says_so(tmp_path: Path, baseline: Callable[..., list[str]], name: str) -> None:
    file = tmp_path / name
    if name.endswith("jsonl"):
        file.write_bytes(b"\n\n")
    else:
        (write_csv if name.endswith("csv") else write_parquet)(file, rows(0))
    result = replay("--file", file, *baseline())
    assert result.status == 2
    (line,) = result.said.splitlines()
    assert f"nothing to replay: {file} holds no event" in line


def test_when_not_one_event_can_be_counted_the_first_reason_is_said(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file = write_lines(tmp_path / "events.jsonl", random_events(9, NOON, per_second=1, model="nobody"))
    result = replay("--file", file, *baseline())
    assert result.status == 2
    said = result.said.splitlines()
    assert said[-1] == "not one of 9 events could be counted: see the first of each reason above"
    assert said[0].startswith("refused  9 unknown-version, first line 1: no baseline for model version")


def test_a_baseline_of_a_version_that_no_event_has_is_named(tmp_path: Path, baseline: Callable[..., list[str]]) -> None:
    file = write_lines(tmp_path / "events.jsonl", random_events(9, NOON, per_second=1))
    result = replay("--file", file, *baseline(ONE, a_baseline(rows=300, version="7", schema=SCHEMA)))
    assert result.status == 0
    [line] = [line for line in result.said.splitlines() if line.startswith("--baseline")]
    assert line == "--baseline for flights/7: no event of that version was counted; counted were flights/1"


def test_a_baseline_that_does_not_fit_the_events_at_all_is_named(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    file = write_lines(tmp_path / "events.jsonl", random_events(9, NOON, per_second=1))
    result = replay("--file", file, *baseline(a_baseline(schema=a_schema(("amount",), ("country",)))))
    assert result.status == 2
    (line,) = result.said.splitlines()
    assert (
        "--baseline: the one for flights/1 does not fit: its features are amount, country, the events have dist" in line
    )


def test_a_file_of_earlier_results_is_kept_when_the_source_is_of_no_use(
    tmp_path: Path, baseline: Callable[..., list[str]]
) -> None:
    output = tmp_path / "found.jsonl"
    output.write_bytes(b"earlier\n")
    wrong = write_csv(tmp_path / "events.csv", {"a": [1]})
    assert replay("--file", wrong, *baseline(), "--output", output).status == 2
    assert output.read_bytes() == b"earlier\n"
    foreign = write_lines(tmp_path / "events.jsonl", random_events(9, NOON, per_second=1))
    other = baseline(a_baseline(schema=a_schema(("amount",), ("country",))))
    assert replay("--file", foreign, *other, "--output", output).status == 2
    assert output.read_bytes() == b"earlier\n"


def test_what_compare_can_change_is_named_field_by_field() -> None:
    """A new option that counts is not comparable, and so is one that nobody has put down as judging."""
    from stream_app.replay.settings import COMPARABLE, OPTIONS

    counting = {"window_seconds", "lateness_seconds", "idle_seconds", "max_future_seconds", "max_age_seconds"}
    assert set(OPTIONS) - set(COMPARABLE.values()) == counting


def test_the_help_says_each_default_and_what_can_be_compared_and_read() -> None:
    from typing import get_type_hints

    from stream_app.drift.rule import PRESETS
    from stream_app.replay.command import replay as command
    from stream_app.replay.kinds import LINES, TABLES
    from stream_app.replay.settings import COMPARABLE, OPTIONS
    from stream_app.replay.spelling import spelt
    from stream_app.settings import StreamSettings

    hints = get_type_hints(command, include_extras=True).values()
    options = {found.default: found for hint in hints for found in getattr(hint, "__metadata__", ())}
    for field, option in OPTIONS.items():
        default = StreamSettings.model_fields[field].default
        wanted = spelt(default) if field.endswith("_seconds") else default
        assert options[option].help.endswith(f"Default: {wanted}."), option
    assert options["--preset"].metavar == "|".join(sorted(PRESETS))
    assert all(f" {name}" in options["--compare"].help for name in COMPARABLE)
    assert ", ".join((*LINES, *TABLES)) in options["--file"].help


def test_the_help_shows_no_type_of_a_flag() -> None:
    shown = CliRunner().invoke(cli, ["replay", "--help"], env={"COLUMNS": "140", "TERM": "dumb"}).stdout
    for flag in ("--utc", "--sort", "--strict", "--keep-cut"):
        (line,) = [line for line in shown.splitlines() if f" {flag} " in line]
        assert not re.search("bool", line, re.IGNORECASE), line
