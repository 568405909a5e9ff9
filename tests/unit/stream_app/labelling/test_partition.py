"""Stage 1 of the labels: each label is counted once, in the window of its prediction, whatever crashes."""

from __future__ import annotations

import random

import pytest

from contracts.label_partials import LabelPartial
from stream_app.labelling.coding import outcomes
from stream_app.labelling.partition import LabelConfig
from stream_app.labelling.state import FULL
from tests.builders import NOON_MS
from tests.unit.stream_app.labelling.stand import (
    BASELINE,
    CONFIG,
    Stage1,
    a_label,
    random_labels,
    records,
    truth_of,
)


def said(parts: list[LabelPartial]) -> dict[int, tuple[int, int, object]]:
    return {
        part.window_start: (part.labelled, part.replaced, outcomes(BASELINE, [part.cells]).value()) for part in parts
    }


def booked(stage: Stage1) -> tuple[int, int, int, int]:
    meta = stage.partition.meta
    assert meta is not None
    account = meta.accounts["flights", "1"]
    assert meta.read == account.counted + account.replaced + account.repeated + account.late + sum(
        meta.refused.values()
    )
    assert meta.read + meta.absent == meta.last_offset + 1 - meta.first_offset
    return account.counted, account.replaced, account.repeated, account.late


def test_the_last_truth_of_a_prediction_counts_and_the_one_before_it_is_replaced() -> None:
    stage = Stage1()
    counted = stage.count(records([a_label(1, truth=1), a_label(2, truth=0), a_label(1, truth=0), a_label(2, truth=0)]))
    assert (counted.counted, counted.replaced, counted.repeated) == (2, 1, 1)
    (part,) = stage.partition.changed()
    assert (part.labelled, part.replaced, part.offset) == (2, 1, 2)
    value = outcomes(BASELINE, [part.cells])
    assert (value.labelled, value.positives) == (2, 0)


def test_a_truth_that_is_said_back_and_forth_in_one_batch_ends_with_its_last() -> None:
    stage = Stage1()
    stage.count(records([a_label(1, truth=truth) for truth in (1, 0, 1, 1, 0)]))
    (part,) = stage.partition.changed()
    assert (part.labelled, part.replaced) == (1, 3)
    assert outcomes(BASELINE, [part.cells]).positives == 0


@pytest.mark.parametrize("seed", range(12))
def test_after_any_crash_the_state_is_that_of_the_labels_up_to_its_position(seed: int) -> None:
    rng = random.Random(seed)
    labels = random_labels(rng, 800)
    log = records(labels)
    stage, at = Stage1(), 0
    while at < len(log):
        batch = log[at : at + rng.randint(1, 120)]
        if rng.random() < 0.3:  # dies after some of the batch's writes; the position is the last of them
            stage.count(batch, writes=rng.randint(0, 3))
            stage.crash()
            at = stage.partition.next_offset or 0
            continue
        stage.count(batch)
        at = batch[-1].offset + 1
        if rng.random() < 0.2:
            assert said(stage.partition.changed()) == truth_of(labels[:at])
    stage.crash()
    expected = truth_of(labels)
    assert said(stage.partition.changed()) == expected
    counted, replaced, repeated, late = booked(stage)
    assert counted == sum(window[0] for window in expected.values())
    assert replaced == sum(window[1] for window in expected.values())
    assert (counted + replaced + repeated, late) == (len(labels), 0)


def test_a_window_of_many_labels_is_stored_in_segments_that_are_written_once() -> None:
    stage = Stage1(LabelConfig(10**6, 10**6))
    labels = [a_label(i, truth=i % 2) for i in range(5 * FULL)]
    for first in range(0, len(labels), 100):
        stage.count(records(labels[first : first + 100], first))
    before = dict(stage.store)
    stage.count(records([a_label(i, truth=i % 2) for i in range(10**6, 10**6 + 50)], len(labels)))
    assert len(before) > 5
    assert sum(before[key] != stage.store[key] for key in before) == 2  # the last segment and the meta record
    stage.crash()
    (part,) = stage.partition.changed()
    assert part.labelled == len(labels) + 50
    assert sum(map(len, stage.store.values())) < 16 * part.labelled  # bytes a label: 14, and what is around them


def test_a_window_is_final_when_the_labels_time_has_passed_its_end_and_the_delay() -> None:
    stage = Stage1()
    stage.count(records([a_label(1, at=5), a_label(2, at=7, after=64.9)]))
    assert stage.partition.ended == 0  # ends at 10, delay 60, lateness 2: final when one is labelled at 72
    counted = stage.count(records([a_label(3, at=20, after=52), a_label(4, at=9), a_label(5, at=12)], 2))
    assert (counted.counted, counted.late) == (2, 1)
    (part,) = stage.partition.due()
    assert (part.window_start, part.labelled) == (NOON_MS, 2)
    assert stage.partition.heartbeat(1, 1, False).watermark == NOON_MS + 70_000 - 1
    keys = len(stage.store)
    stage.send([part])
    assert len(stage.store) == keys - 1
    assert stage.partition.ended == 0
    assert stage.partition.heartbeat(1, 1, False).watermark == NOON_MS + 70_000
    assert booked(stage) == (4, 0, 0, 1)


def test_in_silence_time_passes_by_the_clock_until_the_last_window_is_final() -> None:
    stage = Stage1()
    stage.count(records([a_label(1, at=5)]))
    assert stage.partition.idle(NOON_MS + 50_000)
    assert stage.partition.ended == 0
    assert stage.partition.idle(NOON_MS + 1_000_000)
    assert stage.partition.watermark == NOON_MS + 70_000
    stage.send(stage.partition.due())
    assert not stage.partition.idle(NOON_MS + 2_000_000)
    assert stage.partition.heartbeat(1, 1, True).idle


def test_what_was_sent_is_not_sent_again_and_what_was_not_is_also_after_a_crash() -> None:
    stage = Stage1()
    stage.count(records([a_label(1, at=5), a_label(2, at=15)]))
    assert len(stage.send(stage.partition.changed())) == 2
    stage.count(records([a_label(3, at=15)], 2))
    stage.crash()
    assert [part.window_start for part in stage.partition.changed()] == [NOON_MS + 10_000]
    stage.count(records([a_label(3, at=15)], 3))  # said again: nothing new
    stage.send(stage.partition.changed())
    assert stage.partition.changed() == []


def test_a_window_that_grows_and_ends_while_it_is_being_sent_is_sent_as_it_ended() -> None:
    stage = Stage1()
    stage.count(records([a_label(1, at=1), a_label(2, at=15)]))
    on_its_way = stage.partition.changed()
    behind_the_delay = a_label(9, at=200)
    stage.count(records([a_label(3, at=1, after=10), behind_the_delay], 2))
    stage.send(on_its_way)
    assert stage.partition.heartbeat(1, 1, False).watermark == NOON_MS + 70_000 - 1
    (first,) = stage.send(stage.partition.due())
    assert (first.window_start, first.labelled) == (NOON_MS, 2)
    assert stage.partition.due() == []
    assert stage.partition.open_windows == 1
    assert booked(stage) == (4, 0, 0, 0)


def test_what_is_stored_is_read_by_the_owner_of_that_partition_alone() -> None:
    stage = Stage1()
    stage.count(records([a_label(1)]))
    other = Stage1(CONFIG, number=1)
    other.store = stage.store
    other.crash()
    assert other.partition.next_offset is None
    assert other.partition.open_windows == 0
