"""The frontier: what all source partitions have passed, however it is asked for in between."""

from __future__ import annotations

from typing import Any

import pytest
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
            said=st.integers(0, 40),
            behind=st.integers(0, 40),
        ),
        st.none(),
    ),
    max_size=40,
)
"""None: counts came. said=0: of an old build."""
IDLE_BEATS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, 3, 6, 9]), st.integers(0, 3)), max_size=40)
"""Partition; its watermark, idle where it is None; how many of its words back the one lies that it names."""


def reached_by_hand(beats: list[Heartbeat | None]) -> int | None:
    """From all that was heard, again from the beginning for each word that is named."""
    newest = max((beat.generation for beat in beats if beat is not None), default=-1)
    begun = next((i for i, beat in enumerate(beats) if beat is not None and beat.generation == newest), 0)
    heard: dict[int, Heartbeat] = {}
    carried: dict[int, int | None] = {}
    stopped: set[int] = set()
    partitions = 0
    for i, beat in enumerate(beats[begun:], begun):
        if beat is None or (beat.generation == newest and not beat.idle):
            stopped = set()
        if beat is None or beat.generation < newest:
            continue
        heard[beat.partition], partitions = beat, beat.partitions
        if not beat.idle:
            carried.pop(beat.partition, None)
            continue
        marks = [carried.get(beat.partition), beat.watermark]
        if (named := named_by_hand(beats, begun, i)) is not None:
            marks.append(others_by_hand(beats[begun : named + 1]))
            if not any(between is None or awake(between, newest) for between in beats[named : i + 1]):
                stopped.add(beat.partition)
        carried[beat.partition] = max((mark for mark in marks if mark is not None), default=None)
    if not 0 < partitions <= len(heard):
        return None
    moving = [beat.watermark for beat in heard.values() if not beat.idle]
    if not moving and stopped == set(heard):
        return FOREVER
    least = [*moving, *carried.values()]
    known = [mark for mark in least if mark is not None]
    return min(known) if len(known) == len(least) else None


def awake(beat: Heartbeat, newest: int) -> bool:
    return beat.generation == newest and not beat.idle


def named_by_hand(beats: list[Heartbeat | None], begun: int, at: int) -> int | None:
    """Where the word lies that the one at `at` names: the first of that name since one that is named no more."""
    word = beats[at]
    assert word is not None
    words: list[tuple[int, int]] = []
    for i, beat in enumerate(beats[begun : at + 1], begun):
        if beat is None or beat.partition != word.partition or beat.generation != word.generation:
            continue
        if not beat.idle:
            words = []
            continue
        if not beat.said:
            found = words[-1] if words else None
        elif beat.behind and beat.behind in [said for said, _ in words]:
            words = words[[said for said, _ in words].index(beat.behind) :]
            found = words[0]
        else:
            found = None
        if i == at:
            return None if found is None else found[1]
        words.append((beat.said, i))
    raise AssertionError("the word itself is among them")


def others_by_hand(beats: list[Heartbeat | None]) -> int | None:
    """The least watermark of those that moved, when all had been heard."""
    newest = max(beat.generation for beat in beats if beat is not None)
    last = {beat.partition: beat for beat in beats if beat is not None and beat.generation == newest}
    partitions = [beat.partitions for beat in beats if beat is not None and beat.generation == newest][-1]
    moving = [beat.watermark for beat in last.values() if not beat.idle]
    known = [mark for mark in moving if mark is not None]
    return min(known) if known and len(known) == len(moving) and len(last) >= partitions else None


def check(beats: list[Heartbeat | None], asked: set[int]) -> None:
    frontier = Frontier()
    for i, beat in enumerate(beats):
        if beat is None:
            frontier.part_came()
        else:
            frontier.hear(beat)
        if i in asked:
            assert frontier.reached() == reached_by_hand(fenced(beats[: i + 1]))
    assert frontier.reached() == reached_by_hand(fenced(beats))


def fenced(beats: list[Heartbeat | None]) -> list[Heartbeat | None]:
    """Without those of a generation that is older than one heard of their partition, or of any."""
    newest, kept = -1, list[Heartbeat | None]()
    for beat in beats:
        if beat is None or beat.generation >= newest:
            newest = newest if beat is None else beat.generation
            kept.append(beat)
    return kept


@given(BEATS, st.sets(st.integers(0, 40)))
def test_what_is_reached_depends_on_what_was_heard_and_not_on_when_it_was_asked(
    beats: list[Heartbeat | None], asked: set[int]
) -> None:
    check(beats, asked)


@given(IDLE_BEATS, st.sets(st.integers(0, 40)))
def test_so_it_does_where_most_words_name_one_that_was_heard(
    words: list[tuple[int, int | None, int]], asked: set[int]
) -> None:
    beats: list[Heartbeat | None] = []
    for said, (number, watermark, back) in enumerate(words, 1):
        earlier = [beat.said for beat in beats if beat is not None and beat.partition == number and beat.idle]
        idle, behind = watermark is None, earlier[-back] if 0 < back <= len(earlier) else 0
        beats.append(
            Heartbeat(
                partition=number,
                partitions=3,
                generation=1,
                watermark=watermark,
                idle=idle,
                said=said,
                behind=behind if idle else 0,
            )
        )
    check(beats, asked)


class Partition:
    """One of some, two at most times; it says how far it is."""

    def __init__(self, frontier: Frontier, number: int, of: int = 2) -> None:
        self.frontier, self.number, self.of = frontier, number, of
        self.words = 0

    def moves(self, watermark: int | None, generation: int = 1) -> None:
        self.frontier.hear(self.beat(watermark, generation=generation))

    def idle(self, behind: int | None = None, generation: int = 1, *, past: bool = False) -> None:
        """behind: the number of the word that it names, from 1; its last one where it is None."""
        named = self.words if behind is None else behind
        self.words += 1
        beat = self.beat(20, idle=True, said=self.words, behind=named, generation=generation)
        self.frontier.hear(beat, past=past)

    def idle_of_an_old_build(self, generation: int = 1) -> None:
        """A word that has no name, and names none."""
        self.frontier.hear(self.beat(20, idle=True, generation=generation))

    def beat(self, watermark: int | None, **more: Any) -> Heartbeat:
        return Heartbeat(partition=self.number, partitions=self.of, watermark=watermark, **{"generation": 1, **more})


def two() -> tuple[Frontier, Partition, Partition]:
    frontier = Frontier()
    return frontier, Partition(frontier, 0), Partition(frontier, 1)


def test_a_partition_whose_worker_died_after_it_said_idle_is_waited_for() -> None:
    #   others   100   140            p1's worker is killed behind its last word; an event for [100, 110) waits
    #   p1 idle     |100             |105 again
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle()
    p1.idle()
    p0.moves(140)
    assert frontier.reached() == 100
    p1.moves(105)  # restarted, and behind the event
    assert frontier.reached() == 105


def test_each_word_of_an_idle_partition_carries_it_to_where_the_others_were_at_the_one_that_it_names() -> None:
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle()
    assert frontier.reached() == 20
    p0.moves(110)
    p1.idle()
    assert frontier.reached() == 100
    p0.moves(120)
    p1.idle()
    assert frontier.reached() == 110
    p1.idle(behind=0)  # it stays where it was carried
    assert frontier.reached() == 110


def test_a_word_that_was_held_up_stands_for_where_the_one_lies_that_it_names() -> None:
    #   p0   100  .  140      p1: the second word was found out before 140 was reached, and then events came
    #   p1       |1       |2 behind 1
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle()
    p0.moves(140)
    p1.idle()
    assert frontier.reached() == 100


def test_a_build_that_does_not_name_its_words_is_carried_to_where_the_others_were_at_the_last_one() -> None:
    frontier, p0, p1 = two()
    for watermark in (100, 110):
        p0.moves(watermark)
        p1.idle_of_an_old_build()
    assert frontier.reached() == 100


def test_in_a_rolling_upgrade_a_word_that_names_none_is_not_behind_those_of_the_old_build() -> None:
    #   p0   100   200      300         p1's worker is restarted under its name: no new generation
    #   p1      |old  |1 |2    |old     2 is behind 1; 1 names none
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle_of_an_old_build()
    p0.moves(200)
    p1.idle(behind=0)
    assert frontier.reached() == 20
    p1.idle()
    assert frontier.reached() == 200
    p0.moves(300)
    p1.idle_of_an_old_build()  # and back
    assert frontier.reached() == 200


def test_in_a_rolling_upgrade_words_of_both_builds_that_name_none_are_no_end_of_all_traffic() -> None:
    frontier, p0, p1 = two()
    for partition in (p0, p1):
        partition.idle_of_an_old_build()
    for partition in (p0, p1):
        partition.idle(behind=0)
    assert frontier.reached() == 20
    for partition in (p0, p1):
        partition.idle()
    assert frontier.reached() == FOREVER


@pytest.mark.parametrize("old", [False, True])
def test_a_word_from_before_a_partition_woke_up_carries_it_no_more(old: bool) -> None:
    #   p0 100          p1's second word may have been found out before its events, and sent behind them
    #   p1    |1  60  |2 behind 1
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle()
    p1.moves(60)
    p1.idle_of_an_old_build() if old else p1.idle(behind=1)
    assert frontier.reached() == 20


@pytest.mark.parametrize("old", [False, True])
def test_a_new_owners_first_word_names_none_of_the_generation_before(old: bool) -> None:
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle()
    p0.moves(140, generation=2)
    p1.idle_of_an_old_build(generation=2) if old else p1.idle(behind=1, generation=2)
    assert frontier.reached() == 20


def test_a_word_that_was_heard_before_one_of_the_others_stands_for_nothing() -> None:
    #   p0  100             p2 was at 50 perhaps when that word was heard, as it is here
    #   p1     |1    |2
    #   p2        50
    frontier = Frontier()
    p0, p1, p2 = (Partition(frontier, number, of=3) for number in range(3))
    p0.moves(100)
    p1.idle()
    p2.moves(50)
    p1.idle()
    assert frontier.reached() == 20
    p1.idle()
    assert frontier.reached() == 50


def test_words_from_before_the_one_that_was_named_are_not_kept() -> None:
    frontier, p0, p1 = two()
    p0.moves(100)
    for _ in range(40):
        p1.idle()
    assert len(frontier._words[1]) == 2  # the one that was named last, and the one that named it


def test_a_word_may_name_one_of_half_a_minute_ago() -> None:
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle()
    for _ in range(58):  # twice a second, and nothing is proven meanwhile
        p1.idle(behind=0)
    assert frontier.reached() == 20
    p1.idle(behind=1)
    assert frontier.reached() == 100


def test_an_idle_partition_is_not_carried_by_partitions_of_another_generation() -> None:
    frontier, p0, p1 = two()
    p0.moves(100)
    p1.idle(generation=2)
    assert frontier.reached() is None
    p0.moves(140, generation=2)
    assert frontier.reached() == 20
    p1.idle(generation=2)
    assert frontier.reached() == 20  # at the word that it names not all had been heard of
    p1.idle(generation=2)
    assert frontier.reached() == 140


def test_the_end_of_all_traffic_needs_a_word_of_every_partition_that_names_one_behind_the_last_that_moved() -> None:
    #   p0 idle |  . . event for [100, 200) . .  |     p0 said it while p1 was at 150: it is not good for 200
    #   p1 150     |idle
    frontier, p0, p1 = two()
    p0.idle()
    p1.moves(150)
    p0.idle()
    p1.idle()
    p1.idle()
    assert frontier.reached() == 20
    p0.moves(120)  # it has woken up
    assert frontier.reached() == 20
    p0.idle()
    p0.idle()
    assert frontier.reached() == 20  # p1 has said nothing since somebody moved
    p1.idle()
    assert frontier.reached() == 20  # what it names is of before that
    p1.idle()
    assert frontier.reached() == FOREVER


def test_counts_that_come_behind_the_end_of_all_traffic_are_no_end_of_it() -> None:
    frontier, p0, p1 = two()
    for partition in (p0, p1, p0, p1):
        partition.idle()
    assert frontier.reached() == FOREVER
    frontier.part_came()
    assert frontier.reached() == 20
    p1.idle()  # found out before those counts came, perhaps
    p0.moves(200)
    p1.moves(110)
    assert frontier.reached() == 110


def test_that_a_partition_was_idle_in_the_past_does_not_count() -> None:
    frontier, p0, p1 = two()
    p0.moves(200)
    for _ in range(3):
        p1.idle(past=True)
    assert frontier.reached() == 20
    for _ in range(3):
        p0.idle(past=True)
    assert frontier.reached() == 20
    for partition in (p0, p1):
        partition.idle()
    assert frontier.reached() == 20  # what they name is of the past
    for partition in (p0, p1):
        partition.idle()
    assert frontier.reached() == FOREVER
