"""Stage 2 of the labels: revisions rise with what they are made of, and the last one has every label."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.label_partials import LabelPartial
from contracts.partials import Heartbeat
from stream_app.labelling.revised_windows import Revision
from stream_app.labelling.reviser import Reviser
from stream_app.windowing.merger import Records
from tests.builders import NOON_MS
from tests.unit.stream_app.labelling.stand import BASELINE, CONFIG, Stage1, a_label, random_labels, records, truth_of

VERSION = ("flights", "1")


class Stage2:
    """A partition of `label-partials` on a store that survives it."""

    def __init__(self) -> None:
        self.store: dict[bytes, bytes] = {}
        self.predictions: dict[int, int] = {}
        self.offset = self.said = 0
        self.words: dict[int, int] = {}  # the last one of each partition
        self.reviser = self._restored()

    def _restored(self) -> Reviser:
        by_digest, by_version = {BASELINE.digest: BASELINE}, {VERSION: BASELINE}
        return Reviser.restore(0, CONFIG.delay_ms, self.store.items(), by_digest, by_version)

    def crash(self) -> None:
        self.reviser = self._restored()

    def write(self, found: Records, most: int | None = None) -> None:
        for key, value in found[:most]:
            if value is None:
                self.store.pop(key, None)
            else:
                self.store[key] = value

    def take(self, parts: list[LabelPartial]) -> list[str]:
        taken = []
        for part in parts:
            what, found = self.reviser.on_part(part, self.offset)
            self.offset += 1
            self.write(found)
            taken.append(what)
        return taken

    def hear(
        self, watermark: int | None, *, partition: int = 0, partitions: int = 1, past: bool = False, **more: Any
    ) -> bool:
        beat = Heartbeat(partition=partition, partitions=partitions, generation=1, watermark=watermark, **more)
        return self.reviser.on_heartbeat(beat, past=past)

    def all_idle(self, *, past: bool = False) -> None:
        """Both of two partitions are; each says so three times, and names the word before."""
        for number in 3 * [0, 1]:
            self.said += 1
            behind, self.words[number] = self.words.get(number, 0), self.said
            self.hear(None, partition=number, partitions=2, idle=True, said=self.said, behind=behind, past=past)

    def publish(self, *, most: int | None = None) -> list[Revision]:
        found = []
        for revision in self.reviser.due(lambda m, v, start: self.predictions.get(start), lambda m, v, start: False):
            found.append(revision)
            self.write(self.reviser.published(revision), most)
        return found


def part(
    offset: int, *, labelled: int = 1, replaced: int = 0, start: int = NOON_MS, partition: int = 0
) -> LabelPartial:
    stage = Stage1(number=partition)
    at = (start - NOON_MS) / 1000
    stage.count(records([a_label(i, at=at) for i in range(labelled)], partition=partition))
    (made,) = stage.partition.changed()
    return replace(made, offset=offset, replaced=replaced)


def test_a_window_is_revised_when_labels_came_and_not_otherwise() -> None:
    stage = Stage2()
    assert stage.take([part(5)]) == ["open"]
    (first,) = stage.publish()
    assert (first.number, first.counts.labelled, first.final, first.partitions) == (4, 1, False, {0: 5})
    assert stage.publish() == []
    assert stage.take([part(9, labelled=3, replaced=2)]) == ["open"]
    (second,) = stage.publish()
    assert (second.number, second.counts.labelled, second.replaced) == (20, 3, 2)


def test_an_older_part_of_a_partition_is_a_repeat() -> None:
    stage = Stage2()
    assert stage.take([part(5), part(5), part(4, labelled=2)]) == ["open", "repeat", "repeat"]


def test_a_later_part_with_fewer_labels_is_a_repeat() -> None:
    """Its owner had begun the window again without the first: a former owner had sent them and deleted it late."""
    stage = Stage2()
    assert stage.take([part(100, labelled=5, replaced=1), part(120)]) == ["open", "repeat"]
    assert stage.take([part(121, labelled=4, replaced=1)]) == ["repeat"]
    assert [revision.number for revision in stage.publish()] == [4 * 6]
    assert stage.take([part(130, labelled=4, replaced=2)]) == ["open"]  # as many, not fewer
    stage.hear(NOON_MS + 10**9)
    assert [revision.number for revision in stage.publish()] == [4 * 6 + 2]


def test_a_window_is_revised_when_the_number_of_its_predictions_is_known() -> None:
    stage = Stage2()
    stage.take([part(5)])
    stage.publish()
    stage.predictions[NOON_MS] = 40
    (revision,) = stage.publish()
    assert (revision.number, revision.predictions) == (5, 40)
    stage.crash()
    assert stage.publish() == []


def test_a_window_without_predictions_known_is_asked_for_also_after_a_crash() -> None:
    stage = Stage2()
    stage.take([part(5)])
    stage.publish()
    stage.crash()
    stage.predictions[NOON_MS] = 40
    assert [revision.number for revision in stage.publish()] == [5]


def test_a_window_is_final_when_every_partition_has_passed_its_end_and_the_delay() -> None:
    stage = Stage2()
    closes = NOON_MS + CONFIG.size_ms + CONFIG.delay_ms
    stage.take([part(5), part(7, labelled=2, partition=1)])
    stage.hear(closes, partition=0, partitions=2)
    assert [revision.final for revision in stage.publish()] == [False]
    stage.hear(closes, partition=1, partitions=2)
    (last,) = stage.publish()
    assert (last.final, last.number, last.counts.labelled) == (True, 4 * 3 + 2, 3)
    assert len(stage.store) == 1  # the version's record
    record = stage.reviser.record(*VERSION)
    assert (record.windows, record.labelled, record.horizon) == (1, 3, NOON_MS)


def test_labels_that_come_when_all_were_idle_wait_for_those_of_others_that_have_woken_up_too() -> None:
    stage = Stage2()
    stage.all_idle()
    stage.take([part(5)])
    assert [revision.final for revision in stage.publish()] == [False]
    stage.take([part(7, labelled=2, partition=1)])
    stage.all_idle()
    assert [(revision.final, revision.counts.labelled) for revision in stage.publish()] == [(True, 3)]


def test_an_idleness_from_before_what_is_known_makes_nothing_final() -> None:
    stage = Stage2()
    stage.take([part(5)])
    stage.crash()
    stage.all_idle(past=True)
    assert [revision.final for revision in stage.publish()] == [False]
    stage.all_idle()
    assert [revision.final for revision in stage.publish()] == [True]


def test_labels_that_come_for_a_final_window_are_late_and_open_it_no_more() -> None:
    stage = Stage2()
    stage.take([part(5)])
    stage.hear(NOON_MS + 10**9)
    stage.publish()
    assert stage.take([part(5), part(9, labelled=4), part(9, labelled=4), part(3, partition=1)]) == [
        "repeat",
        "late",
        "repeat",
        "late",
    ]
    stage.crash()
    assert stage.reviser.record(*VERSION).late == 4
    assert stage.publish() == []
    assert stage.reviser.open_windows == 0


@pytest.mark.parametrize("most", range(4))
def test_a_crash_while_a_window_becomes_final_says_the_same_again_or_nothing(most: int) -> None:
    stage = Stage2()
    stage.take([part(5)])
    stage.publish()
    stage.hear(NOON_MS + 10**9)
    (before,) = stage.publish(most=most)
    stage.crash()
    stage.hear(NOON_MS + 10**9)
    again = stage.publish()
    assert [revision.number for revision in again] == ([] if most else [before.number])
    stage.take([part(6, start=NOON_MS + 10_000)])
    stage.publish()
    assert len(stage.store) == 1
    assert stage.reviser.record(*VERSION).labelled == 2


@pytest.mark.parametrize("seed", range(8))
def test_the_highest_revision_has_every_label_whatever_crashed(seed: int) -> None:
    rng = random.Random(seed)
    labels = random_labels(rng, 400)
    expected = truth_of(labels)
    # of one prediction all labels lie in one partition of `labels`
    split = [[label for label in labels if int(label.prediction_id[2:]) % 2 == number] for number in range(2)]
    logs = [records(mine, partition=number) for number, mine in enumerate(split)]
    ones, two, at = [Stage1(number=number) for number in range(2)], Stage2(), [0, 0]
    highest: dict[int, Revision] = {}

    def publish() -> None:
        if rng.random() < 0.2:
            two.crash()
        for revision in two.publish(most=rng.choice([None, None, 0])):
            known = highest.get(revision.window_start)
            if known is not None and known.number == revision.number:
                assert revision.counts.value() == known.counts.value()
            if known is None or known.number < revision.number:
                highest[revision.window_start] = revision

    while any(at[n] < len(logs[n]) for n in range(2)):
        n = rng.randrange(2)
        if batch := logs[n][at[n] : at[n] + rng.randint(1, 40)]:
            writes = rng.choice([None, None, None, 1])
            ones[n].count(batch, writes=writes)
            if rng.random() < 0.3:
                two.take(ones[n].partition.changed())  # ahead of what it has stored, perhaps
            if writes is not None or rng.random() < 0.3:
                ones[n].crash()
            at[n] = ones[n].partition.next_offset or 0
        if rng.random() < 0.4:
            sent = ones[n].partition.changed()
            two.take(sent)
            if rng.random() < 0.7:
                ones[n].send(sent)
        publish()
    for n, one in enumerate(ones):
        one.crash()
        one.partition.idle(NOON_MS + 10**9)
        two.take(one.send(one.partition.due()))
        two.hear(one.partition.watermark, partition=n, partitions=2)
    two.crash()
    for n, one in enumerate(ones):
        two.hear(one.partition.watermark, partition=n, partitions=2, idle=True)
    for revision in two.publish():
        highest[revision.window_start] = revision
    found = {start: (r.counts.labelled, r.replaced, r.counts.value()) for start, r in highest.items()}
    assert found == expected
    assert all(revision.final for revision in highest.values())
    assert all(len(one.store) == 1 for one in ones)
    assert two.reviser.record(*VERSION).late == 0
