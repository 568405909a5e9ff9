"""The waiting of the tests: it ends at once on success, at its deadline on failure, and says what it saw."""

import asyncio

import pytest

from tests.waiting import eventually, eventually_sync, pause


class Counter:
    """1, 2, 3, ..."""

    def __init__(self) -> None:
        self.calls = 0

    def next(self) -> int:
        self.calls += 1
        return self.calls

    async def next_async(self) -> int:
        return self.next()

    def refuse_twice(self) -> int:
        if self.next() < 3:
            raise ConnectionRefusedError("nobody listens")
        return self.calls


async def test_the_value_of_the_condition_is_returned() -> None:
    assert await eventually(lambda: "seen", 1, "a value") == "seen"
    assert eventually_sync(lambda: "seen", 1, "a value") == "seen"


async def test_it_asks_until_the_condition_holds() -> None:
    plain, asynchronous, sync = Counter(), Counter(), Counter()
    assert await eventually(lambda: plain.next() >= 3, 5, "three")
    assert await eventually(asynchronous.next_async, 5, "one") == 1
    assert eventually_sync(lambda: sync.next() >= 3, 5, "three")
    assert (plain.calls, sync.calls) == (3, 3)


def test_the_longer_it_has_waited_the_seldomer_it_asks_but_never_less_than_four_times_a_second() -> None:
    assert [pause(waited) for waited in (0.0, 1.0, 2.0, 60.0)] == [0.05, 0.05, 0.1, 0.25]


async def test_the_failure_names_what_was_awaited_and_what_was_seen_last() -> None:
    with pytest.raises(AssertionError, match=r"waited 0.4 s in vain for: two windows; last seen: the value \[\]"):
        await eventually(lambda: [], 0.1, "two windows")
    with pytest.raises(AssertionError, match=r"waited 0.4 s in vain for: two windows; last seen: the value \[\]"):
        eventually_sync(lambda: [], 0.1, "two windows")


async def test_a_passing_exception_means_not_yet_and_every_other_one_is_raised() -> None:
    assert await eventually(Counter().refuse_twice, 5, "an answer", passing=(ConnectionRefusedError,)) == 3
    assert eventually_sync(Counter().refuse_twice, 5, "an answer", passing=(ConnectionRefusedError,)) == 3
    with pytest.raises(ConnectionRefusedError):
        await eventually(Counter().refuse_twice, 5, "an answer")
    with pytest.raises(ConnectionRefusedError):
        eventually_sync(Counter().refuse_twice, 5, "an answer")


async def test_a_condition_that_hangs_fails_at_the_deadline() -> None:
    with pytest.raises(AssertionError, match="no end of the condition itself"):
        await eventually(asyncio.Event().wait, 0.2, "an event that nobody sets")
