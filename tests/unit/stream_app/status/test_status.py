"""The status: what is put together from what was read, and the sentence that says what holds time back."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from contracts.partials import Heartbeat
from stream_app.status.hearing import Heard
from stream_app.status.holding import holding
from stream_app.status.picture import Member, Picture, Seen, picture_of
from stream_app.status.table import as_json, as_text
from stream_app.windowing.merged_state import VersionRecord
from stream_app.windowing.state import PartitionMeta
from tests.builders import NOON_MS
from tests.unit.stream_app.windowing.stand import a_partial

NOW = NOON_MS + 70_000


def a_meta(number: int, watermark: int | None = NOW - 5_000, last: int = 99) -> PartitionMeta:
    return PartitionMeta(
        partition=number,
        first_offset=0,
        last_offset=last,
        watermark=watermark,
        read=last + 1,
        sequences={},
        accounts={},
        refused={},
    )


def a_beat(number: int, watermark: int | None = NOW - 5_000, *, owner: str = "", idle: bool = False) -> Heartbeat:
    owner = owner or f"worker-{number}"
    return Heartbeat(partition=number, partitions=2, generation=4, watermark=watermark, idle=idle, owner=owner)


#   worker-0 owns partition 0 and merges, worker-1 owns partition 1; everything is counted, nothing is pending
SEEN = Seen(
    now=NOW,
    group="tidemark",
    group_state="Stable",
    members=(
        Member(id="faust-1", host="10.0.0.1", source=(0,), merging=(0,)),
        Member(id="faust-2", host="10.0.0.2", source=(1,), merging=()),
    ),
    logs={0: (0, 100), 1: (0, 100)},
    merging_logs={0: (50, 500)},
    merging_committed={0: 490},
    heard={number: Heard(a_beat(number), NOW - 300) for number in (0, 1)},
    metas=(a_meta(0), a_meta(1)),
    open_windows=(a_partial(NOON_MS + 60_000, 3, size=60_000),),
    versions=(VersionRecord(model="flights", version="1", horizon=NOON_MS, reports=7),),
    parts=(),
)
PENDING = a_partial(NOON_MS + 60_000, 3, size=60_000)
"""Of the window that ends at NOON_MS + 120_000."""


def told(**change: object) -> str:
    return holding(picture_of(replace(SEEN, **change)))


def test_each_partition_has_its_owner_its_time_and_what_waits() -> None:
    picture = picture_of(replace(SEEN, logs={0: (0, 100), 1: (0, 142)}))
    one, other = picture.partitions
    assert (one.owner, one.host, one.lag, one.open_windows, one.idle) == ("worker-0", "10.0.0.1", 0, 1, False)
    assert (one.delay_seconds, one.heard_seconds, one.generation) == (5.0, 0.3, 4)
    assert (other.owner, other.lag, other.open_windows) == ("worker-1", 42, 0)
    [stage2] = picture.stage2
    assert (stage2.owner, stage2.lag) == ("worker-0", 10)
    [version] = picture.versions
    assert (version.reports, version.pending, version.oldest_pending) == (7, 0, None)
    assert holding(picture) == "nothing holds time back"


def test_a_partition_that_nobody_has_read_waits_from_the_logs_first_record() -> None:
    picture = picture_of(replace(SEEN, metas=(), heard={}, logs={0: (20, 100), 1: (5, 5)}))
    assert [(source.lag, source.watermark, source.heard_seconds) for source in picture.partitions] == [
        (80, None, None),
        (0, None, None),
    ]


def test_a_worker_whose_build_does_not_say_its_name_is_shown_as_the_group_knows_it() -> None:
    nameless = {0: Heard(replace(a_beat(0), owner=""), NOW)}
    assert picture_of(replace(SEEN, heard=nameless)).partitions[0].owner == "faust-1"


def test_after_a_rebalance_a_partition_belongs_to_its_member_whoever_spoke_for_it_last() -> None:
    moved = (replace(SEEN.members[0], source=(0, 1)), replace(SEEN.members[1], source=()))
    heard = {0: Heard(replace(a_beat(0), generation=5), NOW), 1: Heard(a_beat(1), NOW - 900)}
    assert [source.owner for source in picture_of(replace(SEEN, members=moved, heard=heard)).partitions] == [
        "worker-0",
        "worker-0",
    ]


def test_pending_windows_are_those_behind_the_horizon() -> None:
    closed = a_partial(NOON_MS, 3, size=60_000)
    [version] = picture_of(replace(SEEN, parts=(closed, PENDING))).versions
    assert version.pending == 1
    assert version.oldest_pending is not None
    assert version.oldest_pending.isoformat() == "2026-01-01T12:01:00+00:00"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"members": (), "group_state": "Empty"}, "no worker runs: nothing waits on predictions; start one with"),
        ({"members": (), "logs": {0: (0, 1100)}}, "no worker runs: 1,000 events wait on predictions"),
        (
            {"group_state": "PreparingRebalance"},
            "the group is rebalancing (PreparingRebalance): nothing is counted",
        ),
        (
            {"group_state": "CompletingRebalance", "heard": {**SEEN.heard, 1: Heard(a_beat(1), NOW - 19_000)}},
            "the group is rebalancing (CompletingRebalance): nothing is counted until that ends; nothing waits on "
            "predictions; worker-1 has been silent for longest, 19 s",
        ),
        ({"members": SEEN.members[:1]}, "partition 1 has no owner"),
        ({"members": (replace(SEEN.members[0], source=()),)}, "partitions 0, 1 have no owner"),
        (
            {"heard": {**SEEN.heard, 1: Heard(a_beat(1), NOW - 12_000)}},
            "partition 1 of worker-1 holds windows back: no heartbeat for 12 s",
        ),
        ({"heard": {0: SEEN.heard[0]}}, "partition 1 of faust-2 holds windows back: no heartbeat lately"),
    ],
)
def test_the_last_line_says_first_what_keeps_everything_from_being_counted(
    change: dict[str, object], sentence: str
) -> None:
    assert told(**change).startswith(sentence)


def ended(number: int, **more: object) -> Heard:
    """A partition whose watermark has passed the end of the pending window."""
    return Heard(replace(a_beat(number, NOON_MS + 121_000), **more), NOW)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {
                "heard": {0: ended(0), 1: Heard(a_beat(1, NOON_MS + 100_000), NOW)},
                "logs": {0: (0, 100), 1: (0, 120_100)},
            },
            "partition 1 of worker-1 holds windows back: lag 120,000, 20.0 s of event time missing for flights/1, "
            "window 2026-01-01T12:01:00+00:00",
        ),
        (
            {"heard": {0: ended(0), 1: Heard(a_beat(1, NOON_MS + 100_000), NOW)}},
            "partition 1 of worker-1 holds windows back: lag 0, 20.0 s of event time missing for flights/1, window "
            "2026-01-01T12:01:00+00:00; it has nothing to read, and is idle after STREAM_IDLE_SECONDS without an event",
        ),
        (
            {"heard": {0: ended(0), 1: Heard(a_beat(1, None), NOW)}, "metas": (a_meta(0), a_meta(1, None))},
            "partition 1 of worker-1 holds windows back: lag 0, no event yet for flights/1",
        ),
        (
            {"heard": {0: ended(0), 1: ended(1, idle=True)}},
            "flights/1, window 2026-01-01T12:01:00+00:00 is over in every partition and stage 2 has not closed it yet: "
            "lag 10 in partition 0 of worker-0",
        ),
        (
            {"heard": {0: ended(0), 1: Heard(a_beat(1, idle=True), NOW)}, "merging_committed": {0: 500}},
            "flights/1, window 2026-01-01T12:01:00+00:00 is over in every partition that is not idle, and waits for "
            "the next words of idle partition 1 of worker-1",
        ),
        (
            {"heard": {number: Heard(a_beat(number, idle=True), NOW) for number in (0, 1)}},
            "flights/1, window 2026-01-01T12:01:00+00:00 is over in every partition that is not idle, and waits for "
            "stage 2 (lag 10 in partition 0 of worker-0) or the next words of idle partition 0 of worker-0 "
            "(and 1 more)",
        ),
    ],
)
def test_the_last_line_names_what_the_oldest_pending_window_waits_for(change: dict[str, object], sentence: str) -> None:
    assert told(parts=(PENDING,), **change).startswith(sentence)


def test_people_see_a_silent_worker_and_an_idle_partition() -> None:
    heard = {0: Heard(a_beat(0, idle=True), NOW), 1: Heard(a_beat(1), NOW - 12_000)}
    text = as_text(picture_of(replace(SEEN, heard=heard)))
    one, other = text.splitlines()[3:5]
    assert " idle " in one
    assert other.startswith("1          worker-1  10.0.0.2")
    assert other.endswith("silent worker  12.0 s ago, generation 4")
    assert text.splitlines()[0] == "2026-01-01T12:01:10Z  group tidemark: Stable, 2 workers"


def test_programs_get_the_same_as_people() -> None:
    picture: Picture = picture_of(SEEN)
    found = json.loads(as_json(picture))
    assert (found["holding"], found["rebalancing"], found["workers"]) == ("nothing holds time back", False, 2)
    assert found["partitions"][0]["watermark"] == "2026-01-01T12:01:05Z"
    assert found["versions"][0]["last_report"] == "2026-01-01T12:00:00Z"


def test_records_that_are_no_heartbeats_are_a_note_above_the_last_line() -> None:
    picture = picture_of(replace(SEEN, unreadable=3))
    *_, note, last = as_text(picture).splitlines()
    assert note.startswith("note: 3 records are left out: on window-partials")
    assert last == "nothing holds time back"
    assert json.loads(as_json(picture))["notes"] == list(picture.notes)
    assert picture_of(SEEN).notes == ()
