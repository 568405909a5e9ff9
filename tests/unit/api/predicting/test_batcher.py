import asyncio

import pytest

from api.predicting.batcher import Batcher


class Doubler:
    """Doubles numbers and keeps the batches. A job of 13 fails; a job of 0 spoils its whole batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, jobs: list[int]) -> list[int | Exception]:
        self.batches.append(jobs)
        if 0 in jobs:
            raise ArithmeticError("nought")
        return [ValueError("13") if job == 13 else 2 * job for job in jobs]


async def test_jobs_of_one_pass_of_the_loop_are_one_batch():
    work = Doubler()
    batcher: Batcher[int, int] = Batcher(work, rows=256)

    answers = await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)))

    assert answers == [2, 4, 6]
    assert work.batches == [[1, 2, 3]]


async def test_a_job_alone_waits_for_nobody():
    work = Doubler()
    batcher: Batcher[int, int] = Batcher(work, rows=256)
    future = batcher.submit(1)

    await asyncio.sleep(0)

    assert future.result() == 2


async def test_no_batch_is_larger_than_the_bound_and_the_order_is_kept():
    work = Doubler()
    batcher: Batcher[int, int] = Batcher(work, rows=2)

    await asyncio.gather(*(batcher.submit(n) for n in range(1, 6)))

    assert work.batches == [[1, 2], [3, 4], [5]]


async def test_the_loop_gets_a_turn_between_two_batches():
    work = Doubler()
    batcher: Batcher[int, int] = Batcher(work, rows=1)
    futures = [batcher.submit(n) for n in (1, 2)]
    seen: list[int] = []
    asyncio.get_running_loop().call_soon(lambda: seen.append(len(work.batches)))

    await asyncio.gather(*futures)

    assert seen == [1]


async def test_one_job_may_fail_alone():
    batcher: Batcher[int, int] = Batcher(Doubler(), rows=256)
    good, bad = batcher.submit(1), batcher.submit(13)

    assert await good == 2
    with pytest.raises(ValueError, match="13"):
        await bad


async def test_what_the_work_raises_reaches_every_job_and_the_next_batch_works():
    batcher: Batcher[int, int] = Batcher(Doubler(), rows=256)
    futures = [batcher.submit(n) for n in (1, 0)]

    for future in futures:
        with pytest.raises(ArithmeticError):
            await future
    assert await batcher.submit(4) == 8


async def test_a_waiter_that_went_away_disturbs_nobody():
    batcher: Batcher[int, int] = Batcher(Doubler(), rows=256)
    gone, here = batcher.submit(1), batcher.submit(2)
    gone.cancel()

    assert await here == 4


async def test_answers_wait_until_their_batch_is_settled_and_so_does_the_next_batch():
    work, settled = Doubler(), asyncio.Event()

    async def settle() -> None:
        await settled.wait()

    batcher: Batcher[int, int] = Batcher(work, rows=256, settle=settle)
    first = batcher.submit(1)
    await asyncio.sleep(0)
    second = batcher.submit(2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert work.batches == [[1]]
    assert not first.done()

    settled.set()

    assert await asyncio.gather(first, second) == [2, 4]
    assert work.batches == [[1], [2]]


async def test_a_batch_that_cannot_be_settled_has_no_answers():
    async def settle() -> None:
        raise OSError("the disk is gone")

    batcher: Batcher[int, int] = Batcher(Doubler(), rows=256, settle=settle)
    good, bad = batcher.submit(1), batcher.submit(13)

    with pytest.raises(OSError, match="gone"):
        await good
    with pytest.raises(ValueError, match="13"):
        await bad
