"""Sequences of a large batch are looked at all together: the answer and what is remembered are those of one by one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.events import EventId
from stream_app.windowing.sequences import BULK, Sequences


def ids_of(*sources: str) -> st.SearchStrategy[str]:
    return st.builds(EventId, st.sampled_from(sources), st.integers(0, 2), st.integers(0, 30)).map(str)


ours = ids_of("api", "abc", "a-b", "---", "a\0b")
odd = (
    ids_of("é-b", "longer")
    | ours.map(lambda text: text[:-11] + "\0" + text[-10:])
    | ours.map(str.upper)
    | ours.map(lambda text: text[3:])
)
short = st.text("-0aA\0\n", min_size=28, max_size=28)
batches = st.lists(st.lists(ours, max_size=30) | st.lists(ours | odd | short, max_size=20), max_size=5)


@given(batches, st.sampled_from([1, 2, 5, 1024]))
@example([["api-000000000000-0000000005", "api-000000000000\0" + "-0000000001"]], 5)
@example([["api-000000000000-0000000005"], ["api-000000000000-\0" + "0000000001"] * 2], 5)
@example([["api-000000000000-0000000005"], ["api-000000000000x0000000001"]], 5)
def test_all_together_finds_and_remembers_what_one_by_one_does(found: list[list[str]], capacity: int) -> None:
    together, one_by_one = Sequences(capacity=capacity, bulk=1), Sequences(capacity=capacity, bulk=1 << 30)
    for ids in found:
        assert together.repeated(ids) == one_by_one.repeated(ids)
        assert list(together.snapshot().items()) == list(one_by_one.snapshot().items())


@pytest.mark.parametrize("sources", [1, 2, 16, 17, 300])
def test_a_large_batch_of_few_or_many_sources_is_decided_alike(sources: int) -> None:
    ids = [str(EventId(f"api.{i * i % sources:03}", 7, i // 3 + (i % 5 == 0))) for i in range(20 * BULK)]
    usual, one_by_one = Sequences(), Sequences(bulk=1 << 30)
    assert usual.repeated(ids) == one_by_one.repeated(ids)
    assert list(usual.snapshot().items()) == list(one_by_one.snapshot().items())
