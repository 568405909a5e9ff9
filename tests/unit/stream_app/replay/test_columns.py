"""The law of counting by column: events made of the same rows and counted one by one give the same reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.baseline import Baseline
from contracts.events import encode_event
from stream_app.replay.judging import Verdict
from stream_app.replay.stretch import Share, Stretch
from stream_app.replay.tally import Tally
from stream_app.replay.unclocked import FileLine, LineReplay, TableReplay
from tests.builders import an_event, an_event_id
from tests.unit.stream_app.replay.stand import FIRST, KNOWN, SECOND, a_plan, judges, reports
from tests.unit.stream_app.windowing.stand import EPOCH


class Row(NamedTuple):
    time_ms: int
    baseline: Baseline
    sequence: int | None
    distance: float | None
    carrier: str | None
    score: float
    decision: bool | None


rows = st.lists(
    st.builds(
        Row,
        st.integers(0, 60_000),
        st.sampled_from([FIRST, SECOND]),
        st.none() | st.integers(0, 30),
        st.none() | st.floats(50, 150),
        st.sampled_from(["a", "b", "never", None]),
        st.floats(0, 1),
        st.sampled_from([True, False, None]),
    ),
    min_size=1,
    max_size=60,
)


def id_of(position: int, row: Row) -> str:
    return f"foreign {position}" if row.sequence is None else an_event_id(row.sequence, source="one")


def features_of(row: Row) -> dict[str, Any]:
    values = {"distance": row.distance, "seats": 110.0, "carrier": row.carrier, "origin": row.carrier}
    return {feature.name: values[feature.name] for feature in row.baseline.schema.features}


def as_lines(content: Sequence[Row]) -> list[FileLine]:
    return [
        FileLine(
            "rows",
            i,
            encode_event(
                an_event(
                    id=id_of(i, row),
                    event_time=EPOCH + timedelta(milliseconds=row.time_ms),
                    model_version=row.baseline.version,
                    score=row.score,
                    decision=row.decision,
                    features=features_of(row),
                )
            ),
            i,
        )
        for i, row in enumerate(content)
    ]


def as_stretch(content: Sequence[Row], first: int) -> Stretch:
    shares = []
    for baseline in (FIRST, SECOND):
        members = [i for i, row in enumerate(content) if row.baseline is baseline]
        values = [features_of(content[i]) for i in members]
        columns: list[Any] = [
            np.array([value[feature.name] for value in values], dtype=np.float64)
            if feature.kind == "numeric"
            else [value[feature.name] for value in values]
            for feature in baseline.schema.monitored
        ]
        scores = np.array([content[i].score for i in members])
        shares.append(
            Share(baseline, np.array(members, dtype=np.intp), columns, scores, [content[i].decision for i in members])
        )
    times = np.array([row.time_ms for row in content], dtype=np.int64)
    numbers = np.arange(first, first + len(content), dtype=np.intp)
    ids = [id_of(first + i, row) for i, row in enumerate(content)]
    return Stretch(numbers, times, ids, shares, [], len(content))


def by_line(content: Sequence[Row], lateness: int, batch: int) -> tuple[list[Verdict], Tally]:
    plan = a_plan(lateness=lateness)
    replay = LineReplay(plan, KNOWN, judges(plan))
    lines = as_lines(content)
    found = [verdict for at in range(0, len(lines), batch) for verdict in replay.count(lines[at : at + batch])]
    return [*found, *replay.end()], replay.tally


def by_column(content: Sequence[Row], lateness: int, batch: int) -> tuple[list[Verdict], Tally]:
    plan = a_plan(lateness=lateness)
    replay = TableReplay(plan, judges(plan))
    found = []
    for at in range(0, len(content), batch):
        found += replay.count(as_stretch(content[at : at + batch], at))
    return [*found, *replay.end()], replay.tally


@settings(max_examples=200, deadline=None)
@given(rows, st.sampled_from([0, 1, 5_000, 20_000]), st.integers(1, 60), st.integers(1, 60))
def test_rows_counted_by_column_are_decided_and_counted_like_events_one_by_one(
    content: list[Row], lateness: int, one: int, other: int
) -> None:
    lines, tally = by_line(content, lateness, one)
    columns, booked = by_column(content, lateness, other)
    assert reports(columns) == reports(lines)
    assert (booked.read, booked.counted, booked.late, booked.repeats) == (
        tally.read,
        tally.counted,
        tally.late,
        tally.repeats,
    )
    assert tally.read == len(content) == tally.counted + tally.late + tally.repeats


def test_the_law_is_not_tried_on_rows_that_are_all_counted() -> None:
    """One of each outcome, by hand: counted, repeated, late."""
    content = [
        Row(1_000, FIRST, 1, 100.0, "a", 0.5, True),
        Row(2_000, FIRST, 1, 100.0, "a", 0.5, True),
        Row(25_000, FIRST, 2, 100.0, "a", 0.5, True),
        Row(3_000, FIRST, 3, 100.0, "a", 0.5, True),
    ]
    _, tally = by_column(content, 0, 60)
    assert (tally.counted, tally.repeats, tally.late) == (2, 1, 1)
    assert len(by_column(content, 0, 60)[0]) == 2


def test_a_repeat_moves_no_time() -> None:
    content = [
        Row(1_000, FIRST, 5, 100.0, "a", 0.5, True),
        Row(50_000, FIRST, 5, 100.0, "a", 0.5, True),
        Row(2_000, FIRST, 6, 100.0, "a", 0.5, True),
    ]
    assert by_column(content, 0, 60)[1].late == by_line(content, 0, 60)[1].late == 0


def test_without_ids_nothing_is_a_repeat() -> None:
    content = [Row(1_000, FIRST, 1, 100.0, "a", 0.5, None)] * 3
    plan = a_plan()
    replay = TableReplay(plan, judges(plan))
    replay.count(as_stretch(content, 0)._replace(ids=None))
    assert (replay.tally.counted, replay.tally.repeats) == (3, 0)
