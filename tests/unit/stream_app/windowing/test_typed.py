"""Reading values some at a time gives the same events, in the same order, as reading each by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

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


def value_of(kind: Any, i: int) -> bytes | None:
    return kind if kind is None or isinstance(kind, bytes) else a_value(1_000 * i, id=f"e{i}", baseline=kind)
