"""Replays of alert policies: reminders, mutes and what --compare makes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.mutes import Mute, encode_mute
from tests.builders import NOON
from tests.unit.stream_app.replay.test_files import baseline, replay, rows, write_csv

__all__ = ["baseline"]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def drifting(tmp_path: Path, baseline: Callable[..., list[str]]) -> list[str]:
    """The options for ten windows of a minute, all of which drift."""
    columns = rows(600, distance=[160.0] * 600)
    return ["--file", str(write_csv(tmp_path / "events.csv", columns)), *baseline(), "--n-min", "50"]


def transitions(result, kind: str = "alert") -> list[str]:
    return [line[kind.removeprefix("compared_")]["transition"] for line in result.of(kind)]


def test_an_incident_is_said_again_by_the_events_own_time(drifting: list[str]) -> None:
    assert transitions(replay(*drifting)) == ["raise"]
    assert transitions(replay(*drifting, "--remind-after", "3m")) == ["raise", "remind", "remind"]


def test_reminders_are_compared(drifting: list[str]) -> None:
    both = replay(*drifting, "--remind-after", "0s", "--compare", "remind-after=4m,page-harmless=true")
    assert (transitions(both), transitions(both, "compared_alert")) == (["raise"], ["raise", "remind", "remind"])
    (comparison,) = both.of("comparison")
    assert comparison["asked"]["name"] == "page-harmless=False,remind-after=0s"
    assert (comparison["asked"]["reminders"], comparison["compared"]["reminders"]) == (0, 2)
    assert comparison["asked"]["pages"] == comparison["compared"]["pages"] == 1
    assert "said again" in both.said


def test_mutes_of_a_file_silence_what_they_cover(tmp_path: Path, drifting: list[str]) -> None:
    mute = Mute(model="flights", since=NOON, until=NOON + 5 * MINUTE)
    file = tmp_path / "mutes.jsonl"
    file.write_bytes(encode_mute(mute) + b"\n\n")
    (alert,) = replay(*drifting, "--mutes", file).of("alert")
    assert alert["alert"]["window_end"] == "2026-01-01T12:06:00Z"
    file.write_bytes(b"")
    assert replay(*drifting, "--mutes", file).of("alert") == replay(*drifting).of("alert")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--remind-after", "30s"], "--remind-after (30s) is below --window (1m)"),
        (["--remind-after", "soon"], "--remind-after soon: a duration is a number and a unit"),
        (["--compare", "remind-after=30s"], "--compare remind-after=30s: --remind-after (30s) is below --window (1m)"),
        (["--compare", "remind-after=600"], "--compare remind-after 600: a duration is a number and a unit"),
        (["--compare", "page-harmless=perhaps"], "--compare page-harmless: "),
        (["--critical-score-change", "0"], "--critical-score-change: "),
        (["--page-after", "4"], "--page-after (4), --of-last (3)"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_in_one_line_that_names_the_option(
    drifting: list[str], words: list[str], said: str
) -> None:
    result = replay(*drifting, *words)
    assert result.status == 2
    (line,) = result.said.splitlines()
    assert line.startswith(said)


def test_a_window_longer_than_the_default_cooldown_is_no_fault(drifting: list[str]) -> None:
    assert replay(*drifting, "--window", "7d").status == 0


def test_a_file_of_mutes_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, drifting: list[str]) -> None:
    file = tmp_path / "mutes.jsonl"
    result = replay(*drifting, "--mutes", file)
    assert (result.status, result.said.strip()) == (2, f"--mutes {file}: cannot be read: No such file or directory")
    file.write_bytes(encode_mute(Mute(model="flights", since=NOON, until=NOON)) + b"\n{}\n")
    result = replay(*drifting, "--mutes", file)
    assert result.status == 2
    assert result.said.startswith(f"--mutes {file}, line 2: not a mute: ")
    assert "`python -m stream_app mutes --all --json` prints such" in result.said
