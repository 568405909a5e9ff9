"""The timer of stage 1: who is spoken for, when time passes without events, and what is durable before it is said."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from contracts.partials import Heartbeat, PartialAggregate
from stream_app.agents.counting import Counting
from stream_app.agents.silence import Silence
from stream_app.windowing.decoding import Limits
from tests.builders import NOON, a_baseline, an_event
from tests.unit.stream_app.agents.stand import ADDRESSES, FakeBatch, Stand

IDLE = 10.0
SILENT = IDLE + 1.5
"""So long the timer ticks until a partition is silent: the first tick knows of one answer and nothing before it, and
what an answer proves is always a little more than a tick ago."""


@pytest.fixture
async def stand() -> Stand:
    """Fifty events of the first five seconds after noon are counted; the log has no more."""
    stand = Stand(a_baseline())
    events = [an_event(sequence=i, event_time=NOON + timedelta(seconds=i / 10)) for i in range(50)]
    limits = Limits(max_future_ms=3_600_000, max_age_ms=3_600_000)
    await Counting("predictions", limits, stand.owned, stand.baselines, stand.telemetry).handle(FakeBatch.of(events))
    stand.source.append(50)
    return stand


def silence(stand: Stand, said: list[str] | None = None) -> Silence:
    """said: gets what the worker ends with."""
    words = [] if said is None else said
    return Silence("predictions", IDLE, stand.owned, stand.telemetry, words.append)


async def after(stand: Stand, timer: Silence, seconds: float) -> None:
    """The timer ticks every half a second for so long."""
    for _ in range(round(seconds * 2)):
        stand.time.now += 0.5
        await asyncio.sleep(0)  # what runs beside it may go on
        await timer.tick()
        for _ in range(3):  # acknowledgements come at once
            await asyncio.sleep(0)


async def test_every_partition_gets_a_heartbeat_at_every_tick(stand: Stand) -> None:
    await silence(stand).tick()
    (beat,) = stand.outlet.partials()
    assert isinstance(beat, Heartbeat)
    assert not beat.idle
    assert beat.watermark == round((NOON + timedelta(seconds=2.9)).timestamp() * 1000)


async def test_a_silent_partition_hands_its_last_window_on(stand: Stand) -> None:
    await after(stand, silence(stand), IDLE + 3)  # the window ends at 10 s, and 2 s of lateness are allowed
    partial = next(message for message in stand.outlet.partials() if isinstance(message, PartialAggregate))
    assert partial.rows == 50
    last = stand.outlet.partials()[-1]
    assert isinstance(last, Heartbeat)
    assert last.idle


async def test_time_does_not_pass_while_events_wait_on_the_log(stand: Stand) -> None:
    stand.source.append(51)
    await after(stand, silence(stand), IDLE + 5)
    assert not any(isinstance(message, PartialAggregate) for message in stand.outlet.partials())
    assert not any(message.idle for message in stand.outlet.partials() if isinstance(message, Heartbeat))
    assert stand.value("lag_events", partition="0") == 1


async def test_offsets_that_hold_no_record_are_no_lag_and_what_a_crash_would_read_again_is_shown(stand: Stand) -> None:
    stand.source.append(51)
    stand.source.is_drained, stand.source.committed_at = True, 40
    await after(stand, silence(stand), 2 * IDLE + 3)
    assert stand.value("lag_events", partition="0") == 0
    assert stand.value("uncommitted_events", partition="0") == 10


async def test_time_does_not_pass_for_a_process_that_was_stopped(stand: Stand) -> None:
    timer = silence(stand)
    await timer.tick()
    stand.time.now += IDLE * 3  # SIGSTOP, SIGCONT
    await timer.tick()
    assert not any(isinstance(message, PartialAggregate) for message in stand.outlet.partials())


async def test_an_outage_of_the_broker_is_no_silence(stand: Stand) -> None:
    timer = silence(stand)
    stand.source.reachable = False
    await after(stand, timer, IDLE * 3)  # what was meant for this partition waits in an outbox
    assert not any(isinstance(message, PartialAggregate) for message in stand.outlet.partials())
    stand.source.reachable = True
    await after(stand, timer, IDLE - 1)  # it has as long as ever to come
    assert not any(isinstance(message, PartialAggregate) for message in stand.outlet.partials())
    assert not any(message.idle for message in stand.outlet.partials() if isinstance(message, Heartbeat))
    await after(stand, timer, 3)
    assert any(isinstance(message, PartialAggregate) for message in stand.outlet.partials())


@pytest.mark.parametrize("seconds", [1.5, 2.5])
async def test_an_answer_that_lay_here_while_this_process_was_stopped_proves_no_silence(
    stand: Stand, seconds: float
) -> None:
    timer = silence(stand)
    await after(stand, timer, IDLE)
    before = stand.owned.partition(0).watermark
    stand.source.stopped(seconds)  # too short for the timer to notice
    stand.source.append(60, ago=seconds / 2)
    assert stand.source.answered(0) == stand.time.clock.wall_ms()  # fresh, and yet it does not know of those events
    assert stand.source.end(0) == 50
    await timer.tick()
    assert stand.owned.partition(0).watermark == before
    await after(stand, timer, 1)
    assert stand.source.end(0) == 60
    assert stand.owned.partition(0).watermark == before


async def test_time_passes_up_to_what_is_proven_and_not_up_to_now(stand: Stand) -> None:
    timer = silence(stand)
    await after(stand, timer, SILENT - 0.5)
    before, proven = stand.owned.partition(0).watermark, stand.time.clock.wall_ms()
    stand.source.stopped(2.5)
    await timer.tick()
    watermark = stand.owned.partition(0).watermark
    assert before is not None
    assert watermark is not None
    assert before < watermark <= proven - 2_000  # so what came while the process was stopped is in time as ever


@pytest.mark.parametrize("set_by", [-5.0, 3600.0])
async def test_a_wall_clock_that_is_set_makes_no_silence(stand: Stand, set_by: float) -> None:
    timer = silence(stand)
    await after(stand, timer, IDLE - 1)
    before = stand.owned.partition(0).watermark
    stand.time.wall_set = set_by
    await after(stand, timer, IDLE - 1)
    assert stand.owned.partition(0).watermark == before
    await after(stand, timer, 4 - set_by if set_by < 0 else 4)
    assert stand.owned.partition(0).watermark != before


async def test_markers_of_a_foreign_transaction_at_the_logs_end_are_nothing_that_waits(stand: Stand) -> None:
    stand.source.append(52)
    stand.source.is_drained = True
    timer = silence(stand)
    await after(stand, timer, SILENT)
    assert stand.source.rereads == [(0, 50)]  # records lost on their way would come now
    assert not any(message.idle for message in stand.outlet.partials() if isinstance(message, Heartbeat))
    await after(stand, timer, SILENT)
    assert stand.source.rereads == [(0, 50)]
    last = stand.outlet.partials()[-1]
    assert isinstance(last, Heartbeat)
    assert last.idle


async def test_the_passing_of_time_is_durable_before_it_is_said(stand: Stand) -> None:
    timer = silence(stand)
    await after(stand, timer, SILENT - 0.5)
    said = len(stand.outlet.sent)
    stand.store.deaf = True
    stand.time.now += 0.5
    waiting = asyncio.create_task(timer.tick())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    assert len(stand.outlet.sent) == said
    waiting.cancel()


async def test_time_that_could_not_be_made_durable_has_not_passed(stand: Stand) -> None:
    timer, before = silence(stand), stand.owned.partition(0).watermark
    stand.store.refusals = 1_000
    await after(stand, timer, IDLE + 3)
    assert stand.store.refusals < 1_000
    assert stand.owned.partition(0).watermark == before
    assert {message.watermark for message in stand.outlet.partials()} == {before}  # heartbeats alone
    stand.store.refusals = 0
    await after(stand, timer, 0.5)
    assert [message.rows for message in stand.outlet.partials() if isinstance(message, PartialAggregate)] == [50]


async def test_nothing_is_said_in_a_rebalance_or_for_partitions_of_others(stand: Stand) -> None:
    stand.source.settled = False
    await silence(stand).tick()
    stand.source.settled, stand.source.partitions = True, frozenset({1})
    await silence(stand).tick()
    assert stand.outlet.sent == []


async def test_nothing_is_said_about_a_partition_whose_batch_is_being_counted(stand: Stand) -> None:
    async with stand.owned.locks[0]:
        await silence(stand).tick()
    assert stand.outlet.sent == []


async def test_no_time_passes_while_ended_windows_are_being_handed_on(stand: Stand) -> None:
    stand.outlet.slow.add("window-partials")
    ends_a_window = [an_event(sequence=50, event_time=NOON + timedelta(seconds=12.5))]
    limits = Limits(max_future_ms=3_600_000, max_age_ms=3_600_000)
    agent = Counting("predictions", limits, stand.owned, stand.baselines, stand.telemetry)
    await agent.handle(FakeBatch.of(ends_a_window, first=50))
    stand.source.append(51)
    timer, before, written = silence(stand), stand.owned.partition(0).watermark, len(stand.store.writes)
    await after(stand, timer, 2 * SILENT)  # the second window, too, is over by the clock
    assert stand.owned.is_handing_on(0)
    assert (stand.owned.partition(0).watermark, len(stand.store.writes)) == (before, written)
    assert [type(message) for message in stand.outlet.partials()] == [PartialAggregate]
    assert stand.value("open_windows", partition="0") == 2  # shown all the same
    stand.outlet.slow.clear()
    stand.outlet.waiting[0].set_result(None)
    await stand.owned.handed_on()
    await after(stand, timer, 0.5)
    assert [message.rows for message in stand.outlet.partials() if isinstance(message, PartialAggregate)] == [50, 1]


def beats_of(stand: Stand) -> set[int]:
    """The partitions that were spoken for."""
    return {message.partition for message in stand.outlet.partials() if isinstance(message, Heartbeat)}


async def two_partitions() -> Stand:
    stand = Stand(a_baseline())
    stand.source.partitions = frozenset({0, 1})
    stand.owned.restore([0, 1])
    await silence(stand).tick()
    assert beats_of(stand) == {0, 1}
    stand.outlet.sent.clear()
    return stand


@pytest.mark.parametrize(("epoch", "settled"), [(0, False), (1, True)])
async def test_a_tick_ends_with_the_first_partition_when_all_are_lost_meanwhile(epoch: int, settled: bool) -> None:
    stand = await two_partitions()

    def rebalance() -> None:
        stand.source.epoch, stand.source.generation, stand.source.settled = epoch, 7 + epoch, settled

    stand.outlet.before_ack["window-partials"] = rebalance
    await silence(stand).tick()
    assert beats_of(stand) == {0}


async def test_a_heartbeat_that_fails_is_logged_and_made_good_by_the_next(stand: Stand) -> None:
    stand.outlet.refusals["window-partials"] = 1
    timer = silence(stand)
    await timer.tick()
    assert stand.outlet.sent == []
    await timer.tick()
    assert len(stand.outlet.partials()) == 1


@pytest.mark.parametrize(("start", "end", "idle"), [(0, 0, True), (500, 500, True), (0, 3, False), (500, 503, False)])
async def test_a_partition_that_never_had_an_event_holds_nobody_back(start: int, end: int, idle: bool) -> None:
    stand = Stand(a_baseline())
    stand.source.log_start = start
    stand.source.append(end)
    await after(stand, silence(stand), SILENT)
    last = stand.outlet.partials()[-1]
    assert isinstance(last, Heartbeat)
    assert (last.idle, last.watermark) == (idle, None)


async def test_a_log_that_ends_before_what_was_read_of_it_ends_the_worker_with_one_line(stand: Stand) -> None:
    said: list[str] = []
    stand.source.append(30)
    timer = silence(stand, said)
    await after(stand, timer, 8)
    assert said == []
    await after(stand, timer, 4)
    assert said[0].startswith("predictions/0 ends at offset 30 and was read to 50: the topic was made anew")
    assert said[0].index("Start the worker again first") < said[0].index("STREAM_APP_ID")


async def test_a_new_leader_may_look_for_the_end_of_its_log_as_long_as_a_replica_is_slow(stand: Stand) -> None:
    said: list[str] = []
    timer = silence(stand, said)
    await after(stand, timer, 3)
    stand.source.led_by = 2
    stand.source.append(30)
    await after(stand, timer, 45)
    assert said == []
    await after(stand, timer, 12)
    assert said[0].startswith("predictions/0 ends at offset 30 and was read to 50: the topic was made anew")


async def test_what_a_new_leader_says_proves_no_silence_until_it_knows_what_was_acknowledged_before(
    stand: Stand,
) -> None:
    timer = silence(stand)
    await after(stand, timer, 3)
    for leader in (None, 2):
        stand.source.led_by = leader
        await after(stand, timer, 22)
        assert not words_of(stand)
    # Ten more were acknowledged before the other leader died.
    stand.source.append(60)
    await after(stand, timer, 1)
    events = [an_event(sequence=50 + i, event_time=NOON + timedelta(seconds=i / 10)) for i in range(10)]
    limits = Limits(max_future_ms=3_600_000, max_age_ms=3_600_000)
    counting = Counting("predictions", limits, stand.owned, stand.baselines, stand.telemetry)
    await counting.handle(FakeBatch.of(events, first=50))
    assert stand.value("events_total", outcome="late") == 0
    assert stand.value("events_total", outcome="counted") == 60
    await after(stand, timer, 45)
    assert words_of(stand)


async def test_silent_partitions_do_not_wait_for_each_others_acknowledgements(stand: Stand) -> None:
    """Of partition 1 nothing is known but that it is there; its word must not wait until partition 0's state is."""
    stand.source.partitions, stand.owned.heard = frozenset({0, 1}), {0: 0.0, 1: 0.0}
    timer = silence(stand)
    await after(stand, timer, 3)
    before = len(stand.outlet.partials())
    stand.store.deaf = True
    task = asyncio.create_task(after(stand, timer, IDLE))
    for _ in range(500):
        await asyncio.sleep(0)
    assert not task.done()  # it waits for the changelog, with what has ended in partition 0
    task.cancel()
    beats = [message for message in stand.outlet.partials()[before:] if isinstance(message, Heartbeat)]
    assert beats[-1].partition == 1
    assert [beat.partition for beat in beats].count(1) == [beat.partition for beat in beats].count(0) + 1


async def test_a_log_that_was_too_short_for_a_moment_ends_nobody(stand: Stand) -> None:
    said: list[str] = []
    timer = silence(stand, said)
    for end in (30, 50, 30, 50):
        stand.source.append(end)
        await after(stand, timer, 8)
    assert said == []


async def test_while_the_broker_does_not_answer_a_log_is_not_called_too_short(stand: Stand) -> None:
    said: list[str] = []
    stand.source.append(30)
    timer = silence(stand, said)
    await after(stand, timer, 3)
    stand.source.reachable = False
    await after(stand, timer, 90)
    assert said == []


def words_of(stand: Stand) -> list[Heartbeat]:
    """The idle heartbeats."""
    return [message for message in stand.outlet.partials() if isinstance(message, Heartbeat) and message.idle]


@pytest.mark.parametrize("ago", [0.01, 0.05, 0.15, 0.3, 0.45])
@pytest.mark.parametrize("reachable", [True, False])
@pytest.mark.parametrize("stopped", [0.0, 2.5])
async def test_a_word_that_is_said_behind_events_names_one_from_before_them(
    stand: Stand, ago: float, reachable: bool, stopped: float
) -> None:
    timer = silence(stand)
    await after(stand, timer, IDLE + 5)
    assert words_of(stand)[-1].behind
    stand.outlet.sent.clear()
    stand.time.now += 0.5
    came = stand.time.clock.wall_ms() - round(ago * 1000)
    stand.source.reachable = reachable
    stand.source.append(60, ago=ago)
    if stopped:
        stand.source.stopped(stopped)
    await timer.tick()
    await after(stand, timer, 5)
    assert all(word.behind < came for word in words_of(stand))
    assert len(words_of(stand)) <= 10
    last = stand.outlet.partials()[-1]
    assert isinstance(last, Heartbeat)
    assert not last.idle


async def test_each_word_names_one_of_about_a_second_before(stand: Stand) -> None:
    await after(stand, silence(stand), IDLE + 10)
    words = words_of(stand)[3:]
    assert len(words) > 5
    assert all(word.said - word.behind == 1000 for word in words)
    assert {word.behind for word in words} <= {word.said for word in words_of(stand)}
    assert len(stand.owned._words[0]) == 3  # the one that was named, and what came behind it


async def test_a_word_that_is_not_acknowledged_is_not_named(stand: Stand) -> None:
    timer = silence(stand)
    stand.outlet.slow_beats = True
    await after(stand, timer, IDLE + 5)
    assert {word.behind for word in words_of(stand)} == {0}
    stand.outlet.slow_beats = False
    for ack in stand.outlet.waiting:
        ack.set_exception(ConnectionError("gone"))
    acknowledged = stand.time.clock.wall_ms()
    await after(stand, timer, 3)
    assert words_of(stand)[-1].behind > acknowledged


async def acknowledged_late(stand: Stand, timer: Silence, seconds: float) -> None:
    """The timer ticks every half a second for so long; the broker has each word .9 s after it was said."""
    stand.outlet.slow_beats = True
    said: list[tuple[float, list[asyncio.Future[object]]]] = []
    for _ in range(round(seconds * 2)):
        stand.time.now += 0.4
        while said and said[0][0] + 0.89 < stand.time.now:
            for ack in said.pop(0)[1]:
                ack.set_result(None)
        for _ in range(3):
            await asyncio.sleep(0)
        stand.time.now += 0.1
        await timer.tick()
        said.append((stand.time.now, stand.outlet.waiting[:]))
        stand.outlet.waiting.clear()


async def test_a_word_counts_from_its_acknowledgement_and_not_from_when_it_was_said(stand: Stand) -> None:
    #   said |   .  | acknowledged   a tick has a proof of .5 to .7 s before: of the one at 1 s it lies behind what was
    #        0  .4 .9  1.0           said, and before its acknowledgement
    await acknowledged_late(stand, silence(stand), IDLE + 10)
    named = [word.said - word.behind for word in words_of(stand) if word.behind]
    assert len(named) > 5
    assert set(named) <= {1500, 2000}


async def test_a_word_that_failed_between_others_is_named_by_none(stand: Stand) -> None:
    timer = silence(stand)
    await after(stand, timer, IDLE + 5)
    stand.outlet.slow_beats = True
    await after(stand, timer, 0.5)
    failed, stand.outlet.slow_beats = words_of(stand)[-1].said, False
    for ack in stand.outlet.waiting:
        ack.set_exception(ConnectionError("gone"))
    for _ in range(3):
        await asyncio.sleep(0)
    await after(stand, timer, 5)
    named = [word.behind for word in words_of(stand) if word.said > failed]
    assert failed not in named
    assert failed - 500 in named
    assert failed + 500 in named


@pytest.mark.parametrize("missing", range(ADDRESSES.partials.partitions))
async def test_a_word_that_not_all_partitions_of_the_partials_have_is_not_named(stand: Stand, missing: int) -> None:
    timer = silence(stand)
    await after(stand, timer, IDLE)
    stand.outlet.slow_beats, held = True, []
    for _ in range(12):
        stand.time.now += 0.5
        await timer.tick()
        held.append(stand.outlet.waiting.pop(missing))
        for ack in stand.outlet.waiting:
            ack.set_result(None)
        stand.outlet.waiting.clear()
        for _ in range(3):
            await asyncio.sleep(0)
    assert len(words_of(stand)) > 5
    assert {word.behind for word in words_of(stand)} == {0}
    for ack in held:
        ack.set_result(None)
    await after(stand, timer, 1.5)
    assert words_of(stand)[-1].behind


async def test_while_the_broker_is_slow_to_answer_the_words_name_one_from_before(stand: Stand) -> None:
    timer = silence(stand)
    await after(stand, timer, IDLE + 5)
    stand.source.reachable, gone = False, stand.time.clock.wall_ms()
    await after(stand, timer, stand.source.answer_seconds - 1)
    later = [word for word in words_of(stand) if word.said > gone]
    assert len(later) == 4
    assert all(0 < word.behind < gone for word in later)


async def test_a_word_from_before_an_event_is_named_by_none_behind_it(stand: Stand) -> None:
    timer = silence(stand)
    await after(stand, timer, IDLE + 5)
    stand.source.append(51)
    await after(stand, timer, 1)
    moved = stand.time.clock.wall_ms()
    agent = Counting(
        "predictions",
        Limits(max_future_ms=3_600_000, max_age_ms=3_600_000),
        *(stand.owned, stand.baselines, stand.telemetry),
    )
    await agent.handle(FakeBatch.of([an_event(sequence=50, event_time=NOON + timedelta(seconds=25))], first=50))
    await after(stand, timer, IDLE + 30)
    later = [word for word in words_of(stand) if word.said > moved]
    assert later[-1].behind
    assert all(word.behind == 0 or word.behind > moved for word in later)


@pytest.mark.parametrize("fetch_seconds", [0.2, 1.0, 3.0, 10.0])
async def test_a_partition_is_idle_however_long_a_fetch_waits(stand: Stand, fetch_seconds: float) -> None:
    stand.source.fetch_seconds = fetch_seconds
    timer = silence(stand)
    await after(stand, timer, IDLE + 5 * fetch_seconds + 15)
    stand.outlet.sent.clear()
    await after(stand, timer, 60)
    words = words_of(stand)
    assert len(words) == 120
    assert all(0 < word.said - word.behind <= 2000 * fetch_seconds + 1500 for word in words)
