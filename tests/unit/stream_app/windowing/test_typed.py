"""Reading values some at a time gives the same events, in the same order, as reading each by itself."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.baseline import Baseline
from contracts.errors import InvalidEvent
from stream_app.windowing.typed import TypedReader
from tests.builders import a_baseline
from tests.unit.stream_app.windowing.stand import FIRST, OTHER, SECOND, a_value, by_version

CANARY = a_baseline(rows=60, version="canary")
"""Another version with the schema of the first."""
UNKNOWN = a_baseline(rows=60, version="nobody")
KINDS = (FIRST, FIRST, FIRST, SECOND, OTHER, CANARY, UNKNOWN, b"{", None)
KNOWN = by_version(FIRST, SECOND, OTHER, CANARY)


@given(st.lists(st.sampled_from(range(len(KINDS))), max_size=30), st.integers(1, 9))
def test_how_many_are_decoded_at_a_time_makes_no_difference(kinds: list[int], at_once: int) -> None:
    values = [value_of(KINDS[kind], i) for i, kind in enumerate(kinds)]
    offsets = np.arange(100, 100 + len(values))
    singles = [TypedReader(KNOWN).read(offsets[i : i + 1], [value]) for i, value in enumerate(values)]
    events, faults = TypedReader(KNOWN, at_once).read(offsets, values)
    events = events.without(list(faults))
    assert {i: str(fault) for i, fault in faults.items()} == {
        i: str(found[0]) for i, (_, found) in enumerate(singles) if found
    }
    expected = [single for single, found in singles if not found]
    assert list(events) == [item for single in expected for item in single]
    assert list(events.ids) == [id_ for single in expected for id_ in single.ids]


@given(st.lists(st.sampled_from([FIRST, SECOND, OTHER]), min_size=1, max_size=12), st.integers(1, 5))
def test_decisions_are_those_of_the_events_taken(baselines: list[Any], at_once: int) -> None:
    values = [a_value(i, id=f"{i}", baseline=baseline) for i, baseline in enumerate(baselines)]
    events, _ = TypedReader(KNOWN, at_once).read(np.arange(len(values)), values)
    mine = events.take(np.flatnonzero(np.array([baseline is FIRST for baseline in baselines])))
    if len(mine):
        assert mine.decisions == [item.decision for item in mine]


def test_a_value_that_is_none_is_told_by_its_position() -> None:
    events, faults = TypedReader(KNOWN).read(np.arange(3), [a_value(1), None, a_value(2)])
    assert [type(faults[position]) for position in faults] == [InvalidEvent]
    assert [item.offset for item in events.without(list(faults))] == [0, 2]


@pytest.mark.parametrize("odd", [b"{", None, SECOND, CANARY, OTHER, UNKNOWN], ids=lambda odd: str(type(odd).__name__))
def test_one_value_that_is_no_event_of_the_version_has_none_of_the_others_decoded_again(odd: Any) -> None:
    values = [value_of(odd if i == 20 else FIRST, i) for i in range(40)]
    assert read_by_its_own(values, 128) == [i for i in range(40) if i != 20]


def test_where_many_are_of_another_version_the_versions_own_decoder_is_not_asked_for_long() -> None:
    values = [value_of(CANARY if i % 2 else FIRST, i) for i in range(40)]
    assert read_by_its_own(values, 10) == [0, 2, 4, 6, 8]


class Telling:
    """A version's own decoder; the ids of what it read begin with `own`."""

    def __init__(self, baseline: Baseline) -> None:
        self._decode = baseline.events.decode

    def decode(self, value: bytes) -> Any:
        event = self._decode(value)
        return msgspec.structs.replace(event, id=f"own {event.id}")


def read_by_its_own(values: list[bytes | None], at_once: int) -> list[int]:
    """The positions of the events that are as the first version's own decoder has read them."""
    first = msgspec.structs.replace(FIRST)
    vars(first)["events"] = Telling(first)
    known = by_version(first, SECOND, OTHER, CANARY)
    events, _ = TypedReader(known, at_once).read(np.arange(len(values)), values)
    return [position for position, id_ in enumerate(events.ids) if id_.startswith("own ")]


def value_of(kind: Any, i: int) -> bytes | None:
    return kind if kind is None or isinstance(kind, bytes) else a_value(1_000 * i, id=f"e{i}", baseline=kind)
