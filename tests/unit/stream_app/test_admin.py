"""The broker that is not there yet."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from stream_app import admin, readiness
from stream_app.errors import BrokerError
from stream_app.settings import StreamSettings


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses: bound and not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


async def connecting(settings: StreamSettings) -> tuple[list[str], str]:
    """What is said, and the error in the end."""
    said: list[str] = []
    with pytest.raises(BrokerError) as caught:
        async with admin.connected(settings, said.append):
            raise AssertionError("connected to nobody")
    return said, str(caught.value)


async def test_a_worker_is_told_what_to_do_once_and_is_given_up_in_the_end(nobody: str) -> None:
    said, error = await connecting(StreamSettings(bootstrap=nobody, broker_wait_seconds=1.8))
    assert said == [
        f"no Kafka answers at {nobody}: start it, or correct STREAM_BOOTSTRAP; trying for 1.8 s "
        "(STREAM_BROKER_WAIT_SECONDS)"
    ]
    assert error == f"no Kafka answers at {nobody} for 1.8 s: start it, or correct STREAM_BOOTSTRAP"


async def test_how_long_is_left_is_said_now_and_then(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "Seldom", partial(readiness.Seldom, seconds=1.0))
    said, _ = await connecting(StreamSettings(bootstrap=nobody, broker_wait_seconds=3.6))  # at 0, .5, 1.5 and 3.5 s
    assert re.fullmatch(rf"no Kafka answers at {nobody} yet: [012] s left", said[1])
    assert len(said) == 2
