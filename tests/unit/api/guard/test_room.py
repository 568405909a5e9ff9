"""Places for large requests: who takes one, and who loses one."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Overloaded
from api.guard.room import Place, Room


@pytest.mark.parametrize(
    ("announced", "wanted"),
    [(b"100", False), (b"101", True), (b"", True), (b"ten", True), (b"0" * 5000 + b"9", False), (b"9" * 5000, True)],
)
def test_only_a_body_that_announces_little_takes_no_place(announced: bytes, wanted: bool):
    assert Room(1, spared=100).wanted(announced) == wanted
    assert Room(1).wanted(announced)


def coming(place: Place) -> Place:
    place.coming = asyncio.Timeout(None)
    place.coming.expired = lambda: True  # type: ignore[method-assign]  # nobody is there to be woken up
    return place


def entered(room: Room, clients: str) -> Sequence[Place]:
    return [coming(room.enter(client)) for client in clients]


def held(places: Sequence[Place]) -> Counter[str]:
    return Counter(place.client for place in places if not place.lost)


def test_one_client_may_have_all_places_and_no_more():
    room = Room(4)
    places = entered(room, "aaaa")

    with pytest.raises(Overloaded):
        room.enter("a")
    assert held(places) == {"a": 4}
    room.leave(places[2])
    room.enter("a")


def test_who_wants_a_place_takes_those_of_who_has_most_the_oldest_first_until_both_have_as_many():
    room = Room(5)
    places = entered(room, "caaaa")

    others = [*entered(room, "bb")]

    assert [place.lost for place in places] == [False, True, True, False, False]
    assert held([*places, *others]) == {"a": 2, "b": 2, "c": 1}
    with pytest.raises(Overloaded):
        room.enter("b")
    assert room.taken == 5


def test_a_place_whose_body_is_there_is_kept():
    room = Room(3)
    first, second, _ = entered(room, "aaa")
    first.came()

    room.enter("b")

    assert (first.lost, second.lost) == (False, True)
    with pytest.raises(Overloaded):
        second.came()
    room.leave(second)  # as it always is
    assert room.taken == 3


async def test_who_loses_its_place_is_woken_up_and_whose_body_came_just_then_too():
    room = Room(2)
    late, just = room.enter("a"), room.enter("a")

    async def wait() -> None:
        async with asyncio.timeout(60) as late.coming:
            room.enter("b")
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await wait()
    with pytest.raises(Overloaded):
        late.came()

    async with asyncio.timeout(60) as just.coming:
        await asyncio.sleep(0)
        just.lose()
    with pytest.raises(Overloaded):
        just.came()


@given(st.integers(1, 8), st.lists(st.sampled_from("aaaabc"), max_size=60))
def test_while_no_body_comes_no_client_is_kept_below_its_share_and_there_are_never_too_many(most: int, asking: str):
    room, places = Room(most), list[Place]()
    for client in asking:
        before = held(places)
        try:
            places.append(coming(room.enter(client)))
        except Overloaded:
            assert sum(before.values()) == most
            assert before[client] >= max(before.values()) - 1
        assert room.taken == sum(held(places).values()) <= most
