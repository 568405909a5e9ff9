"""KeyFollower: a changed file is in force at the next look, a broken one never is."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from api.errors import SettingsError
from api.guard.following import KeyFollower
from api.guard.guard import Guard
from api.telemetry import Telemetry
from tests.keys import an_entry, write_keys
from tests.waiting import eventually


class Followed:
    """A guard whose keys are in a file: those of client 1 at first."""

    def __init__(self, directory: Path) -> None:
        self.path = write_keys(directory / "keys.json", [an_entry(1)])
        self.guard = Guard()
        self.telemetry = Telemetry()
        self.follower = KeyFollower(self.path, self.guard, self.telemetry)
        self.follower.start()

    @property
    def clients(self) -> list[str]:
        assert self.guard.ring is not None
        return sorted(self.guard.ring.by_name)

    @property
    def current(self) -> float | None:
        return self.telemetry.registry.get_sample_value("tidemark_api_keys_current")


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def test_a_changed_file_is_in_force_at_the_next_look(followed: Followed):
    write_keys(followed.path, [an_entry(2), an_entry(3)])
    assert followed.clients == ["client-1"]

    followed.follower.poll()

    assert followed.clients == ["client-2", "client-3"]
    assert followed.current == 1


def test_a_file_that_did_not_change_is_not_read_again(followed: Followed):
    ring = followed.guard.ring

    followed.follower.poll()

    assert followed.guard.ring is ring


NO_UTF8 = b'{"v": 1, "keys": [{"id": "caf\xe9"}]}'
TOO_DEEP = b'{"v": 1, "keys": [{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]}"


@pytest.mark.parametrize("broken", [b"{", b'{"v": 1, "keys": [{"id": "x"}]}', NO_UTF8, TOO_DEEP, None])
def test_a_broken_file_changes_nothing_and_is_told_until_it_is_mended(
    followed: Followed, caplog: pytest.LogCaptureFixture, broken: bytes | None
):
    os.unlink(followed.path)
    if broken is not None:
        followed.path.write_bytes(broken)
    followed.follower.poll()
    followed.follower.poll()

    assert followed.clients == ["client-1"]
    assert followed.current == 0
    (said,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "API_KEYS_FILE" in said.getMessage()

    followed.path.unlink(missing_ok=True)
    write_keys(followed.path, [an_entry(2)])
    followed.follower.poll()

    assert followed.clients == ["client-2"]
    assert followed.current == 1


async def test_nothing_that_goes_wrong_ends_the_following(followed: Followed, caplog: pytest.LogCaptureFixture):
    class Failing(Guard):
        def use(self, ring: Any) -> None:
            raise ZeroDivisionError

    follower = KeyFollower(followed.path, followed.guard, followed.telemetry)
    follower._guard = Failing()
    running = asyncio.create_task(follower.run(0.001))

    def told(times: int) -> bool:
        return sum("the file is read again" in record.getMessage() for record in caplog.records) >= times

    await eventually(lambda: told(2), 10, "a second attempt")
    assert (followed.clients, followed.current) == (["client-1"], 0)

    follower._guard = followed.guard
    write_keys(followed.path, [an_entry(2)])
    await eventually(lambda: followed.clients == ["client-2"], 10, "the new keys")
    assert followed.current == 1
    running.cancel()


def test_without_its_file_there_is_no_start(tmp_path: Path):
    follower = KeyFollower(tmp_path / "keys.json", Guard(), Telemetry())

    with pytest.raises(SettingsError, match="API_KEYS_FILE"):
        follower.start()
