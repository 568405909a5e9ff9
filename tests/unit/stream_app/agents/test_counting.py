"""Stage 1: what is written, in which order, and what a failure leaves behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from contracts.partials import Heartbeat, PartialAggregate
from stream_app.agents.counting import Counting
from stream_app.agents.owned import MOST_ENDED
from stream_app.agents.patience import LONGEST_PAUSE, Lost
from stream_app.agents.silence import Silence
from stream_app.windowing import state
from stream_app.windowing.decoding import Limits
from tests.builders import NOON, a_baseline, an_event
from tests.unit.stream_app.agents.stand import FakeBatch, Stand
from tests.waiting import eventually

LIMITS = Limits(max_future_ms=3_600_000, max_age_ms=3_600_000)


@pytest.fixture
def stand() -> Stand:
    return Stand(a_baseline())


def counting(stand: Stand) -> Counting:
    return Counting("predictions", LIMITS, stand.owned, stand.baselines, stand.telemetry)


def events(count: int, first: int = 0, seconds: float = 0.1) -> list[Any]:
    """The i-th event i * seconds after noon."""
    return [an_event(sequence=i, event_time=NOON + timedelta(seconds=i * seconds)) for i in range(first, first + count)]


async def test_a_batch_is_stored_with_the_offset_it_reaches_written_last(stand: Stand) -> None:
    await counting(stand).handle(FakeBatch.of(events(5)))
    *windows, (_, key, value) = stand.store.writes
    assert isinstance(state.parse_key(key), state.MetaKey)
    assert state.decode_meta(value).last_offset == 4
    assert [state.decode_part(value).rows for _, _, value in windows] == [5]
    assert stand.value("events_total", outcome="counted") == 5


async def test_what_a_batch_wrote_is_noted_with_it_so_that_its_commit_can_wait(stand: Stand) -> None:
    stand.store.deaf, batch = True, FakeBatch.of(events(5))
    await counting(stand).handle(batch)
    assert len(batch.writes) == len(stand.store.writes) == 2  # a window and the meta record
    assert not any(write.done() for write in batch.writes)


async def test_a_finished_window_is_sent_then_deleted_then_announced(stand: Stand) -> None:
    await counting(stand).handle(FakeBatch.of(events(130)))
    await stand.owned.handed_on()
    partial, heartbeat = stand.outlet.partials()
    assert isinstance(partial, PartialAggregate)
    assert partial.rows == 100
    assert isinstance(heartbeat, Heartbeat)
    assert heartbeat.watermark == partial.window_end + 900
    assert (heartbeat.generation, heartbeat.partitions) == (7, 2)
    assert stand.store.writes[-1][2] is None  # the tombstone
    beats = [sent.partition for sent in stand.outlet.sent if sent.key is None]
    assert beats == [0, 1, 2, 3]


def rows_sent(stand: Stand) -> list[int]:
    return [message.rows for message in stand.outlet.partials() if isinstance(message, PartialAggregate)]


async def test_a_window_is_kept_until_its_partial_is_acknowledged(stand: Stand) -> None:
    stand.outlet.refusals["window-partials"] = 1
    await counting(stand).handle(FakeBatch.of(events(130)))
    await stand.owned.handed_on()
    assert (rows_sent(stand), stand.owned.partition(0).open_windows) == ([], 2)
    await stand.owned.hand_on(0, 0, silent_at=None)  # a tick that comes too soon
    assert (rows_sent(stand), stand.owned.partition(0).open_windows) == ([], 2)
    stand.time.now += 0.5
    await stand.owned.hand_on(0, 0, silent_at=None)  # the next tick
    assert (rows_sent(stand), stand.owned.partition(0).open_windows) == ([100], 1)


async def test_counting_does_not_wait_for_an_ended_window_and_no_heartbeat_overtakes_it(stand: Stand) -> None:
    stand.outlet.slow.add("window-partials")
    agent = counting(stand)
    await agent.handle(FakeBatch.of(events(130)))
    await asyncio.sleep(0)
    await agent.handle(FakeBatch.of(events(100, first=130), first=130))  # ends the second window, too
    await stand.owned.hand_on(0, 0, silent_at=None)  # a tick says nothing meanwhile
    assert stand.value("events_total", outcome="counted") == 230
    assert [type(message) for message in stand.outlet.partials()] == [PartialAggregate]
    assert [value for _, _, value in stand.store.writes].count(None) == 0
    stand.outlet.waiting[0].set_result(None)
    await eventually(lambda: len(stand.outlet.waiting) == 2, 5, "the second window is sent")
    assert tombstones(stand) == 1
    stand.outlet.waiting[1].set_result(None)
    await stand.owned.handed_on()
    assert rows_sent(stand) == [100, 100]
    beats = [message.watermark for message in stand.outlet.partials() if isinstance(message, Heartbeat)]
    ends = [message.window_end for message in stand.outlet.partials() if isinstance(message, PartialAggregate)]
    assert beats[0] == ends[1] - 1  # held back before the window that is not acknowledged yet
    assert beats[1] >= ends[1]


def far_apart(count: int, first: int = 0) -> FakeBatch:
    """Events that each end the window of the one before."""
    return FakeBatch.of(events(count, first=first, seconds=20), first=first)


async def test_counting_waits_where_many_ended_windows_wait(stand: Stand) -> None:
    stand.outlet.slow.add("window-partials")
    agent = counting(stand)
    await agent.handle(far_apart(MOST_ENDED + 1))
    assert stand.owned.partition(0).ended == MOST_ENDED
    one_more = asyncio.create_task(agent.handle(far_apart(1, first=MOST_ENDED + 1)))
    await eventually(lambda: stand.owned.partition(0).ended > MOST_ENDED, 5, "it is counted")
    assert stand.owned.locks[0].locked()
    assert not one_more.done()
    stand.outlet.slow.clear()
    for ack in stand.outlet.waiting:
        ack.set_result(None)
    await asyncio.wait_for(one_more, 5)
    await stand.owned.handed_on()
    assert len(rows_sent(stand)) == MOST_ENDED + 1


async def test_where_handing_on_fails_counting_waits_longer_each_time_and_it_is_a_retry_of_that(stand: Stand) -> None:
    stand.outlet.refusals["window-partials"] = 3
    await counting(stand).handle(far_apart(2 * MOST_ENDED))
    assert stand.time.pauses == pytest.approx([0.2, 0.4, 0.8])
    assert stand.value("retries_total", stage="hand-on") == 3
    assert stand.value("retries_total", stage="count") == 0
    await stand.owned.handed_on()
    assert len(rows_sent(stand)) == 2 * MOST_ENDED - 1


async def test_a_worker_that_stops_leaves_windows_that_cannot_be_handed_on_to_the_next_one(stand: Stand) -> None:
    stand.outlet.refusals["window-partials"] = 1_000_000
    stand.source.stopping = True
    await counting(stand).handle(far_apart(2 * MOST_ENDED))
    assert stand.source.abandoned == []  # it is counted, and may be committed
    assert stand.owned.partition(0).next_offset == 2 * MOST_ENDED


async def test_a_rebalance_frees_counting_from_waiting(stand: Stand) -> None:
    stand.outlet.slow.add("window-partials")
    waiting = asyncio.create_task(counting(stand).handle(far_apart(2 * MOST_ENDED)))
    await eventually(lambda: stand.outlet.waiting, 5, "its windows are sent")
    stand.source.epoch = 1
    for ack in stand.outlet.waiting:
        ack.set_result(None)
    await asyncio.wait_for(waiting, 5)
    assert tombstones(stand) == 0


async def test_ticks_try_again_to_hand_on_more_and_more_seldom_and_say_how_far_time_is(stand: Stand) -> None:
    await counting(stand).handle(FakeBatch.of(events(60)))
    stand.outlet.refuses_keyed.add("window-partials")
    await counting(stand).handle(FakeBatch.of(events(70, first=60), first=60))
    await stand.owned.handed_on()
    timer = Silence("predictions", 1_000.0, stand.owned, stand.telemetry)
    for _ in range(80):
        stand.time.now += 0.5
        await timer.tick()
    assert 4 <= stand.value("retries_total", stage="hand-on") <= 9
    beats = [message.watermark for message in stand.outlet.partials() if isinstance(message, Heartbeat)]
    assert len(beats) > 60
    ended = stand.owned.partition(0).due()[0].window_end
    assert set(beats) == {ended - 1}  # before the window that is not acknowledged
    stand.outlet.refuses_keyed.clear()
    stand.time.now += LONGEST_PAUSE
    await timer.tick()
    assert rows_sent(stand) == [100]


@pytest.mark.parametrize("refusals", [0, 1])
async def test_nothing_is_said_with_a_generation_that_came_after_the_epoch(stand: Stand, refusals: int) -> None:
    stand.outlet.refusals["window-partials"] = refusals
    await counting(stand).handle(FakeBatch.of(events(130)))
    await stand.owned.handed_on()
    stand.source.epoch, stand.source.generation = 1, 8
    stand.outlet.sent.clear()
    with pytest.raises(Lost):  # also where the pause after a failure is not over, and only a heartbeat is due
        await stand.owned.hand_on(0, 0, silent_at=None)
    assert stand.outlet.sent == []


async def test_what_was_being_handed_on_in_a_rebalance_changes_nothing_any_more(stand: Stand) -> None:
    stand.outlet.slow.add("window-partials")
    await counting(stand).handle(FakeBatch.of(events(130)))
    await asyncio.sleep(0)
    stand.source.epoch = 1
    stand.owned.restore([0])
    stand.outlet.waiting[0].set_result(None)
    await asyncio.sleep(0.01)
    assert tombstones(stand) == 0
    assert [type(message) for message in stand.outlet.partials()] == [PartialAggregate]


def tombstones(stand: Stand) -> int:
    return [value for _, _, value in stand.store.writes].count(None)


async def test_dead_letters_are_acknowledged_before_the_state_moves_past_them(stand: Stand) -> None:
    seen = []
    stand.outlet.before_ack["dead-letters"] = lambda: seen.append(list(stand.store.writes))
    await counting(stand).handle(FakeBatch.of([events(1)[0], b"{", *events(2, first=1)]))
    assert seen == [[]]
    (letter,) = stand.outlet.dead_letters()
    assert (letter.reason, letter.offset) == ("malformed", 1)
    assert stand.value("dead_letters_total", reason="malformed") == 1
    assert stand.owned.partition(0).next_offset == 4


async def test_nothing_is_lost_while_the_dead_letters_cannot_be_sent(stand: Stand) -> None:
    stand.outlet.refusals["dead-letters"] = 3
    await counting(stand).handle(FakeBatch.of([*events(3), b"{"]))
    assert len(stand.outlet.dead_letters()) == 1
    assert stand.value("events_total", outcome="counted") == 3


async def test_a_window_too_large_for_the_changelog_ends_the_worker_before_anything_of_its_batch_is_written(
    stand: Stand,
) -> None:
    said: list[str] = []

    def cannot_go_on(words: str) -> None:
        said.append(words)
        stand.source.stopping = True

    agent = Counting(
        *("predictions", LIMITS, stand.owned, stand.baselines, stand.telemetry), largest=1600, cannot_go_on=cannot_go_on
    )
    await agent.handle(FakeBatch.of(events(90)))
    written, counted = list(stand.store.writes), stand.owned.partition(0).next_offset
    assert [state.decode_part(value).rows for _, _, value in written[:-1]] == [90]
    await agent.handle(FakeBatch.of(events(400, first=90, seconds=0.01), first=90))
    (words,) = said
    assert words.startswith("predictions/0 offset 90: a window of flights/1 in source partition 0 has ")
    assert "a record may have 1,600" in words
    assert "monitored = false" in words
    assert stand.store.writes == written
    assert stand.source.abandoned == [0]  # so it is not committed, and the next worker reads it
    assert stand.owned.partition(0).next_offset == counted == 90


async def test_a_batch_taken_before_a_rebalance_changes_nothing(stand: Stand) -> None:
    stand.source.epoch = 1
    await counting(stand).handle(FakeBatch.of(events(5), epoch=0))
    assert stand.store.writes == []
    assert stand.outlet.sent == []


async def test_a_rebalance_while_dead_letters_are_sent_stops_the_count(stand: Stand) -> None:
    def rebalance() -> None:
        stand.source.epoch += 1

    stand.outlet.before_ack["dead-letters"] = rebalance
    await counting(stand).handle(FakeBatch.of([*events(3), b"{"]))
    assert stand.store.writes == []


async def test_a_rebalance_while_partials_are_sent_leaves_the_window_to_the_next_owner(stand: Stand) -> None:
    def rebalance() -> None:
        stand.source.epoch += 1

    stand.outlet.before_ack["window-partials"] = rebalance
    await counting(stand).handle(FakeBatch.of(events(130)))
    assert all(value is not None for _, _, value in stand.store.writes)  # no tombstone
    assert not any(isinstance(message, Heartbeat) for message in stand.outlet.partials())


async def test_what_is_delivered_again_is_skipped(stand: Stand) -> None:
    agent, batch = counting(stand), FakeBatch.of([*events(5), b"{"])
    await agent.handle(batch)
    await agent.handle(batch)
    assert stand.value("events_total", outcome="counted") == 5
    assert stand.value("events_total", outcome="redelivered") == 6
    assert len(stand.outlet.dead_letters()) == 1


async def test_a_gap_is_read_again_and_not_counted_over(stand: Stand) -> None:
    agent = counting(stand)
    await agent.handle(FakeBatch.of(events(5)))
    await agent.handle(FakeBatch.of(events(5, first=8), first=8))
    assert stand.source.rereads == [(0, 5)]
    assert stand.owned.partition(0).next_offset == 5
    assert stand.value("gaps_total") == 1
    await agent.handle(FakeBatch.of(events(8, first=5), first=5))
    assert stand.owned.partition(0).next_offset == 13
    assert stand.value("events_total", outcome="counted") == 13


def booked(stand: Stand) -> tuple[int, int, int]:
    meta = stand.owned.partition(0).meta
    assert meta is not None
    return meta.last_offset + 1 - meta.first_offset, meta.read, meta.absent


async def test_offsets_that_are_not_in_the_log_are_booked_as_absent_once_that_is_known(stand: Stand) -> None:
    agent = counting(stand)
    await agent.handle(FakeBatch.of(events(5)))
    behind_a_marker = FakeBatch.of(events(3, first=6), first=6)
    for _ in range(4):  # the same hole after each reading
        await agent.handle(behind_a_marker)
    assert booked(stand) == (9, 8, 1)
    inside = FakeBatch([*FakeBatch.of(events(1, first=9), first=9).records, *FakeBatch.of([b"{"], first=12).records])
    await agent.handle(inside)
    assert booked(stand) == (13, 10, 3)
    again = FakeBatch([*inside.records, *FakeBatch.of(events(1, first=15), first=15).records])  # 13, 14 are not there
    await agent.handle(again)
    assert booked(stand) == (16, 11, 5)


async def test_offsets_that_were_deleted_before_they_were_read_stay_visible_in_the_accounts(stand: Stand) -> None:
    agent = counting(stand)
    await agent.handle(FakeBatch.of(events(5)))
    stand.source.log_start = 8
    await agent.handle(FakeBatch.of(events(2, first=8), first=8))
    assert booked(stand) == (10, 7, 0)


async def test_an_unknown_version_is_looked_up_before_it_is_refused(stand: Stand) -> None:
    stand.baselines.later = [a_baseline(version="2")]
    late = [an_event(sequence=i, model_version="2") for i in range(3)]
    nobody = an_event(sequence=9, model_version="3")
    await counting(stand).handle(FakeBatch.of([*late, nobody]))
    assert stand.baselines.refreshed == 1
    assert [letter.reason for letter in stand.outlet.dead_letters()] == ["unknown-version"]
    assert stand.value("events_total", outcome="counted") == 3


async def test_one_look_up_does_for_all_batches_that_were_here_when_it_began(stand: Stand) -> None:
    agent, taken = counting(stand), stand.time.now
    stand.time.now += 0.1
    for first in range(20):
        nobody = an_event(sequence=first, model_version="3")
        await agent.handle(FakeBatch.of([nobody], first=first, taken=taken))
    assert stand.baselines.refreshed == 1
    assert [letter.reason for letter in stand.outlet.dead_letters()] == ["unknown-version"] * 20


@pytest.mark.parametrize("later", [0.0, 0.001])
async def test_a_record_that_came_after_a_look_up_is_looked_up_anew_for_its_baseline_may_be_there_now(
    stand: Stand, later: float
) -> None:
    """later: seconds of the clock, which may not have moved."""
    agent = counting(stand)
    await agent.handle(FakeBatch.of([an_event(sequence=0, model_version="2")], taken=stand.time.now))
    stand.baselines.later = [a_baseline(version="2")]
    stand.time.now += later
    await agent.handle(FakeBatch.of([an_event(sequence=1, model_version="2")], first=1, taken=stand.time.now))
    assert (stand.baselines.refreshed, stand.value("events_total", outcome="counted")) == (2, 1)


async def test_a_batch_that_came_during_a_look_up_is_looked_up_anew(stand: Stand) -> None:
    """Its record may have been produced, and its baseline before it, after the end of the topic was asked for."""
    agent, refresh = counting(stand), stand.baselines.refresh

    async def slow() -> None:
        await refresh()
        stand.time.now += 0.5

    stand.baselines.refresh = slow  # type: ignore[method-assign]
    before, during = stand.time.now - 0.1, stand.time.now + 0.2
    await agent.handle(FakeBatch.of([an_event(sequence=0, model_version="2")], taken=before))
    stand.baselines.later = [a_baseline(version="2")]
    await agent.handle(FakeBatch.of([an_event(sequence=1, model_version="2")], first=1, taken=during))
    assert stand.value("events_total", outcome="counted") == 1


async def test_a_look_up_that_failed_is_none(stand: Stand) -> None:
    refresh = stand.baselines.refresh

    async def fails_once() -> None:
        stand.baselines.refresh = refresh  # type: ignore[method-assign]
        raise ConnectionError

    stand.baselines.refresh, stand.baselines.later = fails_once, [a_baseline(version="2")]  # type: ignore[method-assign]
    taken, stand.time.now = stand.time.now, stand.time.now + 1
    await counting(stand).handle(FakeBatch.of([an_event(sequence=0, model_version="2")], taken=taken))
    assert stand.value("events_total", outcome="counted") == 1


async def test_a_record_that_breaks_the_counting_itself_becomes_a_dead_letter_and_the_others_are_counted(
    stand: Stand,
) -> None:
    baseline = stand.baselines.by_version["flights", "1"]
    broken = a_baseline(model="broken")
    broken.features.clear()  # what a fault of ours may look like: KeyError when its first window is opened
    stand.baselines.by_version["broken", "1"] = broken
    good = events(7)
    batch = FakeBatch.of([*good[:3], an_event(sequence=50, model="broken"), *good[3:]])
    await counting(stand).handle(batch)
    (letter,) = stand.outlet.dead_letters()
    assert (letter.offset, letter.reason) == (3, "malformed")
    assert "cannot be counted" in letter.detail
    assert stand.owned.partition(0).accounts[baseline.model, baseline.version].counted == 7
    assert stand.owned.partition(0).next_offset == 8


async def test_a_worker_that_stops_while_kafka_is_away_commits_nothing_it_has_not_counted(stand: Stand) -> None:
    stand.outlet.refusals["dead-letters"] = 1_000
    stand.source.stopping = True
    await counting(stand).handle(FakeBatch.of([b"{"]))
    assert stand.source.abandoned == [0]
    assert stand.store.writes == []


async def test_a_new_owner_goes_on_from_what_was_stored(stand: Stand) -> None:
    await counting(stand).handle(FakeBatch.of(events(60)))
    stand.owned.restore([0])
    assert stand.owned.next_offsets == {0: 60}
    await counting(stand).handle(FakeBatch.of(events(70, first=60), first=60))
    await stand.owned.handed_on()
    assert rows_sent(stand) == [100]


async def test_baselines_that_are_not_followed_any_more_end_the_worker_with_one_line(stand: Stand) -> None:
    said: list[str] = []

    def cannot_go_on(words: str) -> None:
        said.append(words)
        stand.source.stopping = True

    stand.baselines.gone = True
    agent = Counting(*("predictions", LIMITS, stand.owned, stand.baselines, stand.telemetry), cannot_go_on=cannot_go_on)
    await agent.handle(FakeBatch.of([an_event(model="nobody")], first=5))
    assert said == ["predictions/0 offset 5: the topic baselines is not followed any more: start this process again"]
    assert (stand.store.writes, stand.outlet.sent, stand.source.abandoned) == ([], [], [0])
