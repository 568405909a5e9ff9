"""Offsets that do not come: lost on their way, deleted by retention, or never there."""

from __future__ import annotations

import pytest
from aiokafka.errors import KafkaTimeoutError

from stream_app.agents.holes import Holes
from stream_app.telemetry import Telemetry
from tests.unit.stream_app.agents.stand import FakeSource


def a_hole(source: FakeSource) -> tuple[Holes, Telemetry]:
    telemetry = Telemetry()
    return Holes("predictions", source, telemetry), telemetry


async def test_lost_deliveries_are_read_again() -> None:
    source = FakeSource()
    holes, telemetry = a_hole(source)
    assert not await holes.passable(0, expected=10, first=15)
    assert source.rereads == [(0, 10)]
    assert telemetry.registry.get_sample_value("tidemark_stream_rereads_total") == 1


async def test_offsets_that_retention_has_deleted_are_passed_over_and_counted() -> None:
    source = FakeSource()
    source.log_start = 15
    holes, telemetry = a_hole(source)
    assert await holes.passable(0, expected=10, first=15) == "deleted"
    assert source.rereads == []
    assert telemetry.registry.get_sample_value("tidemark_stream_holes_total", {"why": "deleted"}) == 5


async def test_what_is_lost_behind_the_deleted_offsets_is_read_again() -> None:
    source = FakeSource()
    source.log_start = 12
    holes, _ = a_hole(source)
    assert not await holes.passable(0, expected=10, first=15)
    assert source.rereads == [(0, 12)]


async def test_offsets_that_the_log_does_not_have_are_asked_for_a_few_times_and_then_passed_over() -> None:
    source = FakeSource()
    holes, telemetry = a_hole(source)
    assert [await holes.passable(0, 10, 11) for _ in range(4)] == [None, None, None, "absent"]
    assert telemetry.registry.get_sample_value("tidemark_stream_holes_total", {"why": "absent"}) == 1


async def test_batches_that_were_on_their_way_do_not_pass_for_a_hole_in_the_log() -> None:
    holes, _ = a_hole(FakeSource())
    firsts = [15, 20, 25, 15, 20, 25, 15, 20]
    assert not any([await holes.passable(0, 10, first) for first in firsts])


async def test_a_re_read_that_fails_is_no_sign_that_the_log_has_no_such_offsets() -> None:
    source = FakeSource()
    holes, telemetry = a_hole(source)
    source.reread_from = raises  # type: ignore[method-assign]
    for _ in range(9):
        with pytest.raises(KafkaTimeoutError):
            await holes.passable(0, 10, 15)
    assert telemetry.registry.get_sample_value("tidemark_stream_holes_total", {"why": "absent"}) == 0


async def raises(partition: int, offset: int) -> None:
    raise KafkaTimeoutError
