"""The commands that somebody waits for, with nobody at the address: one line at once, a signal ends them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses: bound and not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield f"127.0.0.1:{held.getsockname()[1]}"


def started(bootstrap: str, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stream_app", *arguments],
        cwd=ROOT,
        env={**os.environ, "STREAM_BOOTSTRAP": bootstrap, **settings},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "number", "status"),
    [
        (["status"], signal.SIGTERM, 143),
        (["status"], signal.SIGINT, 130),
        (["status", "--watch", "1"], signal.SIGINT, 0),
        (["audit"], signal.SIGINT, 130),
        (["topics"], signal.SIGTERM, 143),
    ],
)
def test_a_signal_ends_a_command_that_waits_for_a_broker(
    arguments: list[str], number: signal.Signals, status: int, nobody: str
) -> None:
    with started(nobody, *arguments) as process:
        line = process.stderr.readline()  # so that it waits
        process.send_signal(number)
        assert process.wait(8) == status  # and not the 10 s after which it gives up, with 2
        assert process.stderr.read() == ""
    assert line == (
        f"stream_app: no Kafka answers at {nobody}: start it, or correct STREAM_BOOTSTRAP; trying for 10 s\n"
    )


@pytest.mark.parametrize("arguments", [["status"], ["replay", "--from", "2026-01-01T00:00:00Z"]])
def test_a_command_says_once_that_nobody_answers_and_soon_gives_up(arguments: list[str], nobody: str) -> None:
    with started(nobody, *arguments, STREAM_BROKER_WAIT_SECONDS="2") as process:
        _, said = process.communicate(timeout=30)
    who = "replay" if arguments[0] == "replay" else "stream_app"
    assert said.splitlines() == [
        f"{who}: no Kafka answers at {nobody}: start it, or correct STREAM_BOOTSTRAP; trying for 2 s",
        f"{who}: no Kafka answers at {nobody} for 2 s: start it, or correct STREAM_BOOTSTRAP",
    ]
    assert process.returncode == 2


def test_an_address_that_never_answers_is_named_while_the_first_try_lasts(silent: str) -> None:
    with started(silent, "status") as process:
        assert process.stderr.readline().endswith("trying for 10 s\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) == 143
