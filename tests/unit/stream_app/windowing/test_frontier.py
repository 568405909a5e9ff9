"""The frontier: what all source partitions have passed, however it is asked for in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.partials import Heartbeat
from stream_app.windowing.forever import FOREVER
from stream_app.windowing.frontier import Frontier

BEATS = st.lists(
    st.one_of(
        st.builds(
            Heartbeat,
            partition=st.integers(0, 3),
            partitions=st.integers(1, 4),
            generation=st.integers(1, 3),
            watermark=st.one_of(st.none(), st.integers(0, 9)),
            idle=st.booleans(),
        ),
        st.none(),
    ),
    max_size=40,
)
"""None: counts came."""


def reached_by_hand(beats: list[Heartbeat | None]) -> int | None:
    """From all that was heard, without memory but for where each idle partition was carried. None: counts came."""
    heard: dict[int, Heartbeat] = {}
    carried: dict[int, int | None] = {}
    behind: list[int] = []  # who was idle behind the last word, or counts, of somebody awake
    complete, now, moving = False, list[Heartbeat](), list[int | None]()
    newest, partitions = -1, 0
    for beat in beats:
        if beat is None:
            behind = []
            continue
        if beat.partition in heard and beat.generation < heard[beat.partition].generation:
            continue
        heard[beat.partition] = beat
        if beat.generation > newest:
            carried, behind = {}, []
        if beat.generation >= newest:
            newest, partitions = beat.generation, beat.partitions
        now = [other for other in heard.values() if other.generation == newest]
        moving = [other.watermark for other in now if not other.idle]
        complete = len(now) >= partitions
        if beat.generation == newest:
            if beat.idle:
                least = min(known for known in moving if known is not None) if moving and None not in moving else None
                marks = [carried.get(beat.partition), beat.watermark, least if complete else None]
                carried[beat.partition] = max((mark for mark in marks if mark is not None), default=None)
            else:
                carried.pop(beat.partition, None)
            behind = [] if moving else [*behind, beat.partition]
    if not complete:
        return None
    if not moving and set(behind) == {beat.partition for beat in now}:
        return FOREVER
    marks = [*moving, *carried.values()]
    known = [mark for mark in marks if mark is not None]
    return min(known) if len(known) == len(marks) else None


@given(BEATS, st.sets(st.integers(0, 40)))
def test_what_is_reached_depends_on_what_was_heard_and_not_on_when_it_was_asked(
    beats: list[Heartbeat | None], asked: set[int]
) -> None:
    frontier = Frontier()
    for i, beat in enumerate(beats):
        if beat is None:
            frontier.part_came()
        else:
            frontier.hear(beat)
        if i in asked:
            assert frontier.reached() == reached_by_hand(beats[: i + 1])
    assert frontier.reached() == reached_by_hand(beats)


def a_beat(partition: int, watermark: int | None, *, idle: bool = False, generation: int = 1) -> Heartbeat:
    return Heartbeat(partition=partition, partitions=2, generation=generation, watermark=watermark, idle=idle)


def test_a_partition_whose_worker_died_after_it_said_idle_is_waited_for() -> None:
    #   others   100   140            p1's worker is killed behind its last word; an event for [100, 110) waits
    #   p1 idle     |100             |105 again
    frontier = Frontier()
    for beat in (a_beat(0, 100), a_beat(1, 20, idle=True), a_beat(0, 140)):
        frontier.hear(beat)
    assert frontier.reached() == 100
    frontier.hear(a_beat(1, 105))  # restarted, and behind the event
    assert frontier.reached() == 105


def test_each_word_of_an_idle_partition_carries_it_to_the_others() -> None:
    frontier = Frontier()
    for watermark in (100, 110, 120):
        frontier.hear(a_beat(0, watermark))
        frontier.hear(a_beat(1, None, idle=True))
        assert frontier.reached() == watermark


def test_an_idle_partition_is_not_carried_by_partitions_of_another_generation() -> None:
    frontier = Frontier()
    for beat in (a_beat(0, 100), a_beat(1, 20, idle=True, generation=2)):
        frontier.hear(beat)
    assert frontier.reached() is None
    frontier.hear(a_beat(0, 140, generation=2))
    assert frontier.reached() == 20
    frontier.hear(a_beat(1, 20, idle=True, generation=2))
    assert frontier.reached() == 140


def test_the_end_of_all_traffic_needs_a_word_of_every_partition_behind_the_last_one_that_moved() -> None:
    #   p0 idle |  . . event for [100, 200) . .  |     p0 said it while p1 was at 150: it is not good for 200
    #   p1 150     |idle
    frontier = Frontier()
    for beat in (a_beat(0, 20, idle=True), a_beat(1, 150), a_beat(0, 20, idle=True), a_beat(1, 200, idle=True)):
        frontier.hear(beat)
    assert frontier.reached() == 150
    frontier.hear(a_beat(0, 120))  # it has woken up
    assert frontier.reached() == 120
    frontier.hear(a_beat(0, 130, idle=True))
    assert frontier.reached() == 130  # p1 has said nothing since somebody moved
    frontier.hear(a_beat(1, 200, idle=True))
    assert frontier.reached() == FOREVER


def test_counts_that_come_behind_the_end_of_all_traffic_are_no_end_of_it() -> None:
    frontier = Frontier()
    for number in (0, 1):
        frontier.hear(a_beat(number, 20, idle=True))
    assert frontier.reached() == FOREVER
    frontier.part_came()
    assert frontier.reached() == 20
    frontier.hear(a_beat(0, 200))
    frontier.hear(a_beat(1, 110))
    assert frontier.reached() == 110


def test_that_a_partition_was_idle_in_the_past_does_not_count() -> None:
    frontier = Frontier()
    frontier.hear(a_beat(0, 200))
    frontier.hear(a_beat(1, 20, idle=True), past=True)
    assert frontier.reached() == 20
    frontier.hear(a_beat(0, 200, idle=True), past=True)
    assert frontier.reached() == 20
    for number in (0, 1, 0):
        frontier.hear(a_beat(number, 20, idle=True))
    assert frontier.reached() == FOREVER
