"""The broker that is not there yet."""

from __future__ import annotations

import socket

import pytest

from stream_app import admin
from stream_app.errors import BrokerError
from stream_app.settings import StreamSettings


async def test_a_broker_that_refuses_is_asked_again_at_growing_intervals_and_given_up_in_the_end() -> None:
    said: list[str] = []
    with socket.socket() as nobody:  # bound and not listening: it refuses
        nobody.bind(("127.0.0.1", 0))
        settings = StreamSettings(bootstrap=f"127.0.0.1:{nobody.getsockname()[1]}", broker_wait_seconds=1.8)
        with pytest.raises(BrokerError, match=r"no Kafka answers at 127\.0\.0\.1:\d+ for 1\.8 s: start it, or correct"):
            async with admin.connected(settings, said.append):
                raise AssertionError("connected to nobody")
    assert [line.partition(" yet, ")[2] for line in said] == ["next try in 0.5 s", "next try in 1 s"]
