"""What is counted by column is counted as events are; and what breaks the counting is refused, the rest counted."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from contracts.events import encode_event
from contracts.window import WindowCounts
from stream_app.replay.clocked import ClockedReplay
from stream_app.replay.counting import Portion, portions
from stream_app.replay.jsonl import FileLine, line_portions
from stream_app.replay.known import KnownBaselines
from stream_app.replay.unclocked import NO_LIMITS, FileReplay
from stream_app.windowing.accepted import Events, Share
from tests.builders import a_baseline, an_event, an_event_id
from tests.unit.stream_app.replay.stand import FIRST, KNOWN, SECOND, SIZE, a_plan, judges, reports, rows
from tests.unit.stream_app.windowing.stand import EPOCH, a_record, a_value


def a_value_of(row: int, time_ms: int, version: str, features: dict[str, Any]) -> bytes:
    time = EPOCH + timedelta(milliseconds=time_ms)
    return encode_event(
        an_event(id=an_event_id(row), event_time=time, model_version=version, score=row / 100, features=features)
    )


def test_rows_of_several_versions_late_and_repeated_ones_are_counted_as_their_events_are() -> None:
    chance = random.Random(7)
    count = 80
    times = [chance.randrange(60_000) for _ in range(count)]
    sequences = [chance.randrange(count) if i % 5 == 0 else i for i in range(count)]
    which = [chance.choice([FIRST, SECOND]) for _ in range(count)]
    features = [
        {
            "distance": chance.choice([None, chance.uniform(50, 150)]),
            "seats": 110.0,
            "carrier": chance.choice(["a", "b", "never", None]),
            "origin": "x",
        }
        for _ in range(count)
    ]
    features = [
        {feature.name: values[feature.name] for feature in baseline.schema.features}
        for values, baseline in zip(features, which, strict=True)
    ]
    shares = []
    for baseline in (FIRST, SECOND):
        members = [i for i in range(count) if which[i] is baseline]
        columns: list[Any] = [
            np.array([features[i][feature.name] for i in members], dtype=np.float64)
            if feature.kind == "numeric"
            else [features[i][feature.name] for i in members]
            for feature in baseline.schema.monitored
        ]
        scores = np.array([sequences[i] / 100 for i in members])
        by_position = dict(zip(baseline.schema.monitored_positions, columns, strict=True))
        shares.append(Share(baseline, np.array(members), by_position, scores, [an_event().decision] * len(members)))
    events = Events(np.arange(count), np.array(times), [an_event_id(sequence) for sequence in sequences], shares)
    plan = a_plan(lateness=5_000)
    table, lines = (FileReplay(plan.windows, {b.digest: b for b in KNOWN.values()}, judges(plan)) for _ in range(2))
    by_column = table.count([Portion(events, [], count, no_letter)])
    values = [a_value_of(sequences[i], times[i], which[i].version, features[i]) for i in range(count)]
    by_line = lines.count(line_portions([FileLine("rows", i, values[i], i) for i in range(count)], KNOWN))
    assert reports([*by_column, *table.end()]) == reports([*by_line, *lines.end()])
    assert vars(table.totals) == vars(lines.totals)
    assert min(table.totals.counted, table.totals.late, table.totals.repeats) > 0


def no_letter(offset: int, words: str) -> Any:
    raise AssertionError(words)


def test_without_ids_nothing_is_a_repeat() -> None:
    columns: list[Any] = [np.ones(3) if f.kind == "numeric" else ["a"] * 3 for f in FIRST.schema.monitored]
    share = Share(FIRST, np.arange(3), dict(enumerate(columns)), np.zeros(3), [None] * 3)
    events = Events(np.arange(3), np.array([1, 2, 3]), None, [share])
    replay = FileReplay(a_plan().windows, {FIRST.digest: FIRST}, judges(a_plan()))
    replay.count([Portion(events, [], 3, no_letter)])
    assert (replay.totals.counted, replay.totals.repeats) == (3, 0)


def test_some_rows_of_a_column_are_taken_without_the_others() -> None:
    columns: list[Any] = [np.arange(4.0) if f.kind == "numeric" else ["a"] * 4 for f in FIRST.schema.monitored]
    share = Share(FIRST, np.arange(4), dict(enumerate(columns)), np.zeros(4), [True, None, False, True])
    counts = WindowCounts(FIRST)
    Events(np.arange(4), np.arange(4), None, [share]).without([0]).count_into(counts)
    assert (counts.rows, counts.decided, counts.positives) == (3, 2, 1)
    assert (counts.features[0].minimum, counts.features[0].maximum) == (1.0, 3.0)


@pytest.fixture
def broken() -> Any:
    """A fault of ours may look like this: KeyError when the first window of its version is opened."""
    baseline = a_baseline(model="broken")
    baseline.features.clear()
    return baseline


def test_a_line_that_breaks_the_counting_is_refused_by_its_number_and_the_others_are_counted(broken: Any) -> None:
    known = {**KNOWN, ("broken", "1"): broken}
    replay = FileReplay(a_plan().windows, {b.digest: b for b in known.values()}, judges(a_plan()))
    lines = []
    for i in range(9):
        event = an_event(sequence=i, event_time=EPOCH + timedelta(seconds=i), model="broken" if i == 3 else "flights")
        lines.append(FileLine("rows", i, encode_event(event), i))
    replay.count(line_portions(lines[:2], known))
    replay.count(line_portions(lines[2:], known))
    assert rows(replay.end()) == [(0, 8)]
    (letter,) = replay.refused
    assert (letter.reason, letter.offset) == ("malformed", 3)
    assert letter.detail.startswith("line 4: cannot be counted: KeyError(")
    assert (replay.totals.read, replay.totals.counted, dict(replay.totals.refused)) == (9, 8, {"malformed": 1})


def test_a_record_that_breaks_the_counting_is_refused_by_its_offset_and_the_others_are_counted(broken: Any) -> None:
    plan, known = a_plan(size=SIZE), KnownBaselines(given={**KNOWN, ("broken", "1"): broken})
    replay = ClockedReplay(plan, known, judges(plan), starts={0: 0}, ends={})
    bad = encode_event(an_event(sequence=50, event_time=EPOCH + timedelta(seconds=2), model="broken"))
    values = [a_value(1_000), bad, a_value(3_000, sequence=1), a_value(4_000, sequence=2)]
    replay.offer(0, [a_record(i, value, timestamp=1_000 * i) for i, value in enumerate(values)])
    assert rows(replay.finish(100_000)) == [(0, 3)]
    (letter,) = replay.refused
    assert (letter.reason, letter.id) == ("malformed", "predictions/0/1")
    assert "cannot be counted" in letter.detail


def test_a_record_that_breaks_the_decoding_is_refused_alone() -> None:
    known: Any = {**KNOWN, ("broken", "1"): object()}
    values = [a_value(1_000), encode_event(an_event(model="broken")), a_value(3_000, sequence=1)]
    found = portions([a_record(i, value) for i, value in enumerate(values)], known, NO_LIMITS)
    assert [offset for portion in found for offset in portion.accepted.offsets.tolist()] == [0, 2]
    (letter,) = [letter for portion in found for letter in portion.refused]
    assert (letter.reason, letter.offset, sum(portion.read for portion in found)) == ("malformed", 1, 3)
    assert letter.detail.startswith("cannot be counted: AttributeError(")
