"""Memory after swaps: what a version made for itself goes with it, libraries are never looked through again."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from api.memory import Settling
from api.models.served import Served
from tests.builders import a_baseline
from tests.serving import a_served


@pytest.fixture
def settle() -> Iterator[Settling]:
    before = gc.get_threshold()
    gc.disable()  # a collection that happens by itself would hide one that is not made
    yield Settling()
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.enable()


def a_version(number: int) -> Served:
    return a_served(a_baseline(version=str(number)))


def traces(served: Served) -> list[weakref.ref[Any]]:
    """Of the version, and of the types made for it, which refer to themselves."""
    return [weakref.ref(served), weakref.ref(served.reader.features_type), weakref.ref(served.reader.request_type)]


def test_versions_that_were_swapped_out_leave_nothing_behind(settle: Settling) -> None:
    answers = a_version(1)
    settle()
    gone = []
    for number in range(2, 6):
        answers = a_version(number)
        gone.append(traces(answers))
        settle()

    assert [[trace() for trace in each] for each in gone[:-1]] == [[None] * 3] * 3
    assert all(trace() is not None for trace in gone[-1])
    assert answers.baseline.version == "5"


def test_what_was_there_at_the_first_swap_is_out_of_the_collectors_sight(settle: Settling) -> None:
    settle()

    assert gc.get_freeze_count() > 10 * len(gc.get_objects())


def test_libraries_that_a_later_version_brings_are_frozen_and_not_looked_through(settle: Settling) -> None:
    settle()
    library = [[number] for number in range(20_000)]

    settle()

    in_sight = {id(each) for each in gc.get_objects()}
    assert not in_sight & {id(each) for each in library}
