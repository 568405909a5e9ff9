"""Events by column: what is taken, left out and counted by baseline is what going through them one by one gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.windowing.accepted import Accepted, Events
from stream_app.windowing.accumulator import Partition
from stream_app.windowing.tumbling import WindowConfig
from tests.builders import a_baseline, an_event
from tests.unit.stream_app.windowing.stand import FIRST, SECOND, SIZE, a_record, a_value, decoded, read, rows_by_window

CANARY = a_baseline(rows=60, version="canary")
"""Another version with the schema of the first."""
KNOWN = (FIRST, SECOND, CANARY)
mixed = st.lists(st.sampled_from(KNOWN), min_size=1, max_size=12)


def events_of(versions: list) -> Events:
    values = [a_value(time, sequence=time, baseline=baseline) for time, baseline in enumerate(versions)]
    return decoded([a_record(10 + 2 * i, value) for i, value in enumerate(values)], *KNOWN).accepted


@given(mixed)
def test_each_event_has_the_baseline_of_its_own_version_also_where_versions_share_a_schema(versions: list) -> None:
    assert [item.baseline.version for item in events_of(versions)] == [baseline.version for baseline in versions]


@given(mixed, st.data())
def test_what_is_taken_or_left_out_keeps_its_order_and_its_columns(versions: list, data: st.DataObject) -> None:
    events = events_of(versions)
    items = list(events)
    positions = sorted(data.draw(st.sets(st.integers(0, len(items) - 1))))
    without = [item for position, item in enumerate(items) if position not in positions]
    assert list(events.without(positions)) == without
    assert [item.offset for item in events.without(positions)] == [item.offset for item in without]
    offset = data.draw(st.integers(8, 10 + 2 * len(items)))
    assert list(events.behind(offset)) == [item for item in items if item.offset > offset]


@given(mixed)
def test_events_are_counted_by_baseline(versions: list) -> None:
    found = {baseline.version: amount for baseline, amount in events_of(versions).by_baseline()}
    assert found == {version: sum(b.version == version for b in versions) for version in {b.version for b in versions}}


def test_no_event_is_nothing() -> None:
    nothing = Events.none()
    assert (len(nothing), list(nothing), nothing.by_baseline()) == (0, [], [])
    assert nothing.behind(3) is nothing


def test_an_event_names_its_columns() -> None:
    (item,) = events_of([SECOND])
    assert item == Accepted(10, 0, {0: 100.0, 1: "a", 2: "a"}, an_event().score, an_event().decision, SECOND)


def test_a_canary_beside_its_champion_has_windows_of_its_own() -> None:
    partition = Partition(0, WindowConfig(SIZE))
    values = [a_value(i, sequence=i, baseline=CANARY if i % 3 == 0 else FIRST) for i in range(2 * SIZE + 1)]
    read(partition, [a_record(i, value) for i, value in enumerate(values)], *KNOWN)
    due = partition.due()
    assert rows_by_window(partial for partial in due if partial.version == "canary") == {0: 34, 100: 33}
    assert rows_by_window(partial for partial in due if partial.version == "1") == {0: 66, 100: 67}
