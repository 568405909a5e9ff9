"""The command line of the demo: what is wrong is said before anything is sent or started, and never as a traceback."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from demo.__main__ import app

NOBODY = "http://127.0.0.1:9"


def load(*arguments: str | Path, url: str = NOBODY) -> Result:
    return CliRunner().invoke(app, ["load", "--data", "payments", "--url", url, *map(str, arguments)])


def refused(result: Result, says: str) -> None:
    assert result.exit_code == 2, result.output
    assert says in result.stderr


def test_a_place_for_the_answered_ids_that_cannot_be_written_is_found_out_first(tmp_path: Path) -> None:
    refused(load("--answered", tmp_path / "nowhere" / "ids.txt"), "nowhere/ids.txt")


def test_event_times_beyond_the_calendar_are_refused() -> None:
    refused(load("--start", "9999-12-31T23:59:59Z", "--step", "1000"), "demo: --start, --step: the last event")


def test_a_url_that_is_none_is_refused() -> None:
    refused(load(url="localhost:8000"), "demo: --url: 'localhost:8000' is no http address")


def test_an_unknown_episode_is_named_with_those_there_are() -> None:
    refused(load("--episode", "winter"), "choose one of unit-bug, better-credit")


def test_a_receiver_without_a_secret_says_where_it_comes_from() -> None:
    result = CliRunner().invoke(app, ["receiver"], env={"DEMO_RECEIVER_SECRET": ""})
    refused(result, "DEMO_RECEIVER_SECRET")


def test_what_is_not_up_can_be_taken_down(tmp_path: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(app, ["down", "--directory", str(tmp_path / "up")])
        assert (result.exit_code, result.output) == (0, "nothing is up\n")
