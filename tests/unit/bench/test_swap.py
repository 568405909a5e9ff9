"""What `bench swap` concludes from answers and events; and a load whose requests fail says so."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from bench.benchmark import BenchError
from bench.swap.figures import SwapFigures
from bench.swap.load import Answer, Load
from bench.swap.trial import Accounts, Switch, accounts, around, switch_seconds
from contracts.events import PredictionEvent
from tests.builders import NOON, an_event
from tests.waiting import eventually

AT = NOON.timestamp()


def an_answer(id_: str = "a", version: str = "1", role: str = "champion", due: float = AT) -> Answer:
    return Answer(id_, version, role, due, 0.001)


def event(id_: str = "a", version: str = "1", seconds: float = 0) -> PredictionEvent[Any]:
    return an_event(id=id_, model_version=version, event_time=NOON + timedelta(seconds=seconds))


def test_an_answer_without_its_event_one_that_says_something_else_and_an_event_twice_are_found():
    events = [event("a"), event("b", "1"), event("c"), event("c")]

    assert accounts([an_answer("a"), an_answer("c")], events[:3]) == Accounts(0, 0, 0)
    assert accounts([an_answer("a"), an_answer("b", "2"), an_answer("d")], events) == Accounts(1, 1, 1)
    assert accounts([an_answer("a", role="canary")], events[:1]) == Accounts(0, 1, 0)


def test_a_switch_lasts_from_its_word_to_the_first_event_of_the_version():
    """v2 |-----|        told |--.2--| v2 again"""
    events = [event("a", "2", -5), event("b", "1", 0.1), event("c", "2", 0.2), event("d", "2", 0.3)]

    assert switch_seconds(Switch("2", AT), events) == pytest.approx(0.2)
    with pytest.raises(BenchError, match="version 3 has no event"):
        switch_seconds(Switch("3", AT), events)


def test_the_requests_around_a_switch_are_those_within_a_second():
    answers = [an_answer(due=AT + seconds) for seconds in (-2, -0.5, 0.5, 2)]

    assert len(around([Switch("2", AT)], answers)) == 2


@pytest.mark.parametrize("wrong", ["failed_requests", "lost_events", "wrong_events", "double_events", "switch_seconds"])
def test_what_was_promised_is_not_held_where_anything_went_wrong(wrong: str):
    numbers = dict.fromkeys(("requests", "switches", "failed_requests", "lost_events", "wrong_events"), 0)
    right: dict[str, Any] = {
        **numbers,
        "double_events": 0,
        "switch_seconds": 0.2,
        "switch_median_seconds": 0.1,
        "cold_seconds": None,
        "around_p99_ms": 1.0,
        "phases": [],
    }
    assert SwapFigures(**right).held
    assert not SwapFigures(**{**right, wrong: 1}).held


async def test_requests_that_are_refused_or_find_nobody_have_failed():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 503 no\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    load = Load(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", [b"{}"], 100)
    async with server, load.on():
        await eventually(lambda: len(load.failures) >= 3, 10, "three refusals")
        server.close()
        await eventually(lambda: any("Connect" in failure for failure in load.failures), 10, "nobody there")

    assert load.answers == []
    assert load.failures[0] == "503: {}"
