"""The frontier: what all source partitions have passed, however it is asked for in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from contracts.partials import Heartbeat
from stream_app.windowing.frontier import FOREVER, Frontier

BEATS = st.lists(
    st.builds(
        Heartbeat,
        partition=st.integers(0, 3),
        partitions=st.integers(1, 4),
        generation=st.integers(1, 3),
        watermark=st.one_of(st.none(), st.integers(0, 9)),
        idle=st.booleans(),
    ),
    max_size=40,
)


def reached_by_hand(beats: list[Heartbeat]) -> int | None:
    """From all that was heard, without memory."""
    heard: dict[int, Heartbeat] = {}
    newest, partitions = -1, 0
    for beat in beats:
        if beat.partition in heard and beat.generation < heard[beat.partition].generation:
            continue
        heard[beat.partition] = beat
        if beat.generation >= newest:
            newest, partitions = beat.generation, beat.partitions
    now = [beat for beat in heard.values() if beat.generation == newest]
    if not now or len(now) < partitions:
        return None
    awaited = [beat.watermark for beat in now if not beat.idle]
    return None if None in awaited else min(awaited, default=FOREVER)


@given(BEATS, st.sets(st.integers(0, 40)))
def test_what_is_reached_depends_on_what_was_heard_and_not_on_when_it_was_asked(
    beats: list[Heartbeat], asked: set[int]
) -> None:
    frontier = Frontier()
    for i, beat in enumerate(beats):
        frontier.hear(beat)
        if i in asked:
            assert frontier.reached() == reached_by_hand(beats[: i + 1])
    assert frontier.reached() == reached_by_hand(beats)
