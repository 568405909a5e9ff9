"""Garbage is collected seldom in a worker, yet it is collected."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from stream_app.delivery.garbage import collect_seldom


class Node:
    """In a cycle with itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    usual = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


def test_a_batch_of_the_greatest_size_sets_no_collection_off() -> None:
    collect_seldom()
    before = [generation["collections"] for generation in gc.get_stats()]
    rows = [(number, [number]) for number in range(4096)]
    assert len(rows) == 4096
    assert [generation["collections"] for generation in gc.get_stats()] == before


def test_what_is_in_a_cycle_is_freed_after_a_while_all_the_same() -> None:
    collect_seldom()
    lost = weakref.ref(Node())
    kept = [[number] for number in range(50_000)]
    assert len(kept) == 50_000
    assert lost() is None
