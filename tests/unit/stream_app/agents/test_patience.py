"""Trying again: until it works, until it is somebody else's, or until the worker is told to stop."""

from __future__ import annotations

import pytest

from stream_app.agents.patience import LONGEST_PAUSE, Lost, until_done
from tests.unit.stream_app.agents.stand import FakeClock


async def attempts(errors: list[Exception], stopping: bool = False) -> tuple[bool, list[float]]:
    """What becomes of a work that raises these, one a try."""
    time, failures = FakeClock(), []

    async def work() -> None:
        if errors:
            raise errors.pop(0)

    done = await until_done(work, failures.append, lambda: stopping, time.clock)
    assert failures[: len(time.pauses)] == time.pauses
    return done, failures


async def test_pauses_double_up_to_the_longest() -> None:
    done, pauses = await attempts([OSError()] * 9)
    assert done
    assert pauses[:3] == [0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_PAUSE


async def test_what_is_lost_is_not_tried_again() -> None:
    assert await attempts([Lost()]) == (True, [])


async def test_a_work_that_never_succeeds_ends_its_test() -> None:
    with pytest.raises(AssertionError, match="1000 pauses"):
        await attempts([OSError()] * 1_002)


async def test_a_stop_ends_the_trying_and_says_that_it_is_not_done() -> None:
    assert await attempts([OSError()] * 9, stopping=True) == (False, [0.2])


async def test_a_stop_does_not_interrupt_what_works() -> None:
    assert await attempts([], stopping=True) == (True, [])
