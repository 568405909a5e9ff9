"""Publishing waits while many rows are answered, never for longer than was stated, and loses nothing by it."""

from pathlib import Path

from api.publishing.giving_way import Bustle, GivingWay
from tests.serving import a_group
from tests.unit.api.publishing.test_publisher import Post
from tests.waiting import eventually


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rows_at_a_high_rate_are_a_bustle_and_a_batch_now_and_then_is_none():
    clock = Clock()
    bustle = Bustle(20_000, clock)

    def come(rows: int, every: float, batches: int) -> list[bool]:
        found = []
        for _ in range(batches):
            clock.now += every
            bustle.note(rows)
            found.append(bustle())
        return found

    assert not any(come(1_000, every=0.1, batches=50))  # 10,000 rows/s
    assert all(come(1_000, every=0.025, batches=50)[10:])  # 40,000 rows/s
    assert not any(come(10, every=0.01, batches=200)[100:])  # 1,000 rows/s
    clock.now += 0.5
    assert not bustle()


def test_publishing_gives_way_only_to_a_bustle_and_for_no_longer_than_was_stated():
    clock, busy = Clock(), [True]
    way = GivingWay(lambda: busy[0], seconds=2.0, bound=4_000, stopwatch=clock)
    assert not way.now(0)  # before it has caught up for the first time
    way.caught_up()

    assert way.now(999)
    assert not way.now(1_000)
    busy[0] = False
    assert not way.now(0)
    busy[0] = True
    clock.now += 1.9
    assert way.now(0)
    clock.now += 0.2
    assert not way.now(0)


def test_with_no_seconds_nothing_is_given_way_to():
    way = GivingWay(lambda: True, seconds=0.0, bound=4_000, stopwatch=Clock())
    way.caught_up()

    assert not way.now(0)


async def test_events_wait_while_there_is_a_bustle_and_all_go_out_after_it_in_their_order(tmp_path: Path):
    busy, asked = [False], [0]

    def bustle() -> bool:
        asked[0] += busy[0]
        return busy[0]

    post = Post(tmp_path, giving_way=GivingWay(bustle, seconds=60.0, bound=1 << 32))
    async with post.running():
        post.outbox.append(a_group(1))
        await post.until("1")
        busy[0] = True
        await eventually(lambda: asked[0] >= 1, 5, "the publisher giving way")
        post.outbox.append(a_group(2, 3))
        await eventually(lambda: asked[0] >= 4, 5, "it going on to give way")
        assert post.kafka.events == ["1"]

        busy[0] = False

        await post.until("1", "2", "3")


async def test_events_go_out_during_a_bustle_once_they_have_waited_for_so_long_or_are_too_many(tmp_path: Path):
    way = GivingWay(lambda: True, seconds=0.2, bound=1 << 32)
    few = GivingWay(lambda: True, seconds=60.0, bound=1_200_000)
    post, other = Post(tmp_path / "one", giving_way=way), Post(tmp_path / "other", giving_way=few)
    way.caught_up()
    async with post.running(), other.running():
        post.outbox.append(a_group(1, size=400_000))  # more than a slice: it has not caught up
        other.outbox.append(a_group(1, size=400_000))

        await post.until("1")
        await other.until("1")
        await eventually(lambda: post.outbox.backlog.pending_bytes == 0, 5, "an empty outbox")
