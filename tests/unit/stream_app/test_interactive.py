"""Looks at a Kafka that is used: whatever comes of them, what the command itself found is what ends it."""

from __future__ import annotations

import asyncio

import pytest

from stream_app.errors import BrokerError
from stream_app.interactive import looked_at


class Unlooked:
    """A client whose looks fail as nobody expected."""

    trouble: str | None = "said before"

    async def look(self, seconds: float) -> str | None:
        raise ValueError("of a look")


async def test_a_look_that_fails_is_logged_and_does_not_hide_why_the_command_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Unlooked()

    async def command() -> None:
        async with looked_at(client, "a:1", print, str):
            await asyncio.sleep(0.01)
            raise BrokerError("of the command")

    with pytest.raises(BrokerError, match="of the command"):
        await command()
    (record,) = caplog.records
    assert record.getMessage() == "it is no longer seen whether Kafka at a:1 answers"
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "ValueError('of a look')"
    assert client.trouble is None


async def test_a_look_that_fails_ends_no_command_that_has_done_its_work(caplog: pytest.LogCaptureFixture) -> None:
    async with looked_at(Unlooked(), "a:1", print, str):
        await asyncio.sleep(0.01)
    assert len(caplog.records) == 1


async def test_a_look_that_is_under_way_ends_with_the_command() -> None:
    ended = asyncio.Event()

    class Slow(Unlooked):
        async def look(self, seconds: float) -> str | None:
            try:
                return await asyncio.Future()
            finally:
                ended.set()

    async with looked_at(Slow(), "a:1", print, str):
        await asyncio.sleep(0.01)
    assert ended.is_set()
