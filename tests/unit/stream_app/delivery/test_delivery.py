"""Batches, commits by batch, and the cure of the recovery, on a consumer that is not connected to anything."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain
from faust.types import TP

from stream_app.app import CLOCK
from stream_app.delivery.batches import BatchScheduler, Fetching, RecordBatch
from stream_app.delivery.consumer import WAITING, WAITING_BYTES, Consumer
from stream_app.delivery.framework import App
from stream_app.delivery.tables import StateTable, Tables
from stream_app.delivery.views import View
from stream_app.windowing.records import Records
from tests.unit.stream_app.delivery.stand import FakeThread, Record

A, B, LOG = TP("predictions", 0), TP("predictions", 1), TP("group-counts-changelog", 0)
FETCHING = Fetching(batched=frozenset({"predictions"}), batch_records=3)


@pytest.fixture
async def app() -> App:
    app = App("group", fetching=FETCHING, broker="kafka://127.0.0.1:1")
    app.state_table("counts", 2, age=lambda key, value: 0, recovered=lambda: None)
    app.finalize()
    app.topics.add(app.batched_topic("predictions"))
    await app.topics._update_indices()  # as subscribing does: now acks of this topic count
    return app


@pytest.fixture
async def consumer(app: App) -> Consumer:  # async: Faust's events take the loop of the moment in which they are made
    consumer = app.consumer
    consumer._thread = FakeThread({A, B, LOG})
    consumer._set_active_tps({A, B, LOG})
    consumer.pause_partitions({A, B, LOG})
    return consumer


def deliver(consumer: Consumer, first: int, last: int, tp: TP = A) -> Any:
    return consumer._to_message(tp, RecordBatch(tp, [Record(offset) for offset in range(first, last + 1)]))


def finish(message: Any) -> None:
    message.acked = True


async def test_a_poll_becomes_batches_of_one_partition_and_at_most_so_many_records() -> None:
    polled = {A: [Record(i) for i in range(5)], B: [Record(9)]}
    found = [(tp, batch.first_offset, batch.offset) for tp, batch in BatchScheduler(FETCHING).iterate(polled)]
    assert found == [(A, 0, 2), (A, 3, 4), (B, 9, 9)]


async def test_other_topics_are_delivered_record_by_record() -> None:
    assert [record for _, record in BatchScheduler(FETCHING).iterate({LOG: [Record(1), Record(2)]})] == [
        Record(1),
        Record(2),
    ]


async def test_a_commit_goes_up_to_the_last_batch_before_the_first_unfinished_one(consumer: Consumer) -> None:
    first, second, third = deliver(consumer, 0, 2), deliver(consumer, 3, 5), deliver(consumer, 6, 8)
    finish(second)
    assert consumer._new_offset(A) is None
    finish(first)
    assert consumer._new_offset(A) == 6
    assert consumer._new_offset(A) is None
    finish(third)
    assert consumer._new_offset(A) == 9


def written(message: Any) -> asyncio.Future[object]:
    """A changelog write of this batch, under way."""
    write = asyncio.get_running_loop().create_future()
    message.value.writes.append(write)
    return write


async def test_a_batch_that_is_handled_and_waits_for_its_commit_holds_no_records(consumer: Consumer) -> None:
    message, unhandled = deliver(consumer, 0, 2), deliver(consumer, 3, 5)
    write = written(message)
    finish(message)
    await consumer._getmany({A}, 1.0)
    assert consumer._delivered[A][0].value.records == ()
    assert len(unhandled.value.records) == 3
    assert (message.value.first_offset, message.value.offset) == (0, 2)
    write.set_result(None)
    assert consumer._new_offset(A) == 3


async def test_a_commit_stops_before_a_batch_whose_changelog_writes_are_under_way(consumer: Consumer) -> None:
    first, second = deliver(consumer, 0, 2), deliver(consumer, 3, 5)
    writes = written(first), written(first)
    finish(first)
    finish(second)
    assert consumer._new_offset(A) is None
    writes[0].set_result(None)
    assert consumer._new_offset(A) is None
    writes[1].set_result(None)
    assert consumer._new_offset(A) == 6


async def test_the_periodic_commit_comes_back_to_a_batch_when_no_further_one_arrives(consumer: Consumer) -> None:
    message = deliver(consumer, 0, 2)
    write = written(message)
    consumer.ack(message)
    await consumer.commit()
    assert consumer._thread.commits == []
    write.set_result(None)
    await consumer.commit()
    assert consumer._thread.commits == [{A: 3}]


async def test_a_batch_whose_changelog_write_failed_is_never_committed(consumer: Consumer) -> None:
    failed, cancelled = deliver(consumer, 0, 2), deliver(consumer, 0, 2, tp=B)
    written(failed).set_exception(ConnectionError("refused"))
    written(cancelled).cancel()
    for message in (failed, cancelled):
        finish(message)
        assert consumer._new_offset(message.tp) is None


async def test_a_batch_that_is_read_again_must_be_finished_again(consumer: Consumer) -> None:
    stale = deliver(consumer, 0, 2)
    again = deliver(consumer, 0, 2)
    finish(stale)
    assert consumer._new_offset(A) is None
    finish(again)
    assert consumer._new_offset(A) == 3


async def test_what_was_on_its_way_when_a_gap_was_found_is_not_committed(consumer: Consumer) -> None:
    ahead = deliver(consumer, 6, 8)
    await consumer.reread_from(A, 3)
    finish(ahead)
    assert consumer._new_offset(A) is None
    assert consumer._thread.seeks == [{A: 3}]


async def test_an_abandoned_batch_is_not_committed_though_it_is_acknowledged(consumer: Consumer) -> None:
    message = deliver(consumer, 0, 2)
    consumer.abandon(A)
    finish(message)
    assert consumer._new_offset(A) is None


async def test_a_gap_of_offsets_between_batches_is_none_to_the_bookkeeping(consumer: Consumer) -> None:
    finish(deliver(consumer, 0, 2))
    await consumer._add_gap(A, 3, 5)
    finish(deliver(consumer, 6, 8))
    assert consumer._new_offset(A) == 9


async def test_source_partitions_stay_paused_in_a_rebalance_until_the_queues_are_cleared(
    app: App, consumer: Consumer
) -> None:
    app.rebalancing = True
    consumer.resume_partitions({A, B, LOG})
    assert consumer._active_partitions == {LOG}
    consumer.resume_flow()
    assert consumer._active_partitions == {A, B, LOG}


async def test_a_rebalance_in_between_forgets_what_was_to_be_resumed(app: App, consumer: Consumer) -> None:
    app.rebalancing = True
    consumer.resume_partitions({A})
    await consumer.on_partitions_revoked({A, B, LOG})
    consumer.resume_flow()
    assert A not in consumer._active_partitions


async def recover(app: App) -> None:
    """The end of Faust's recovery, as it is."""
    app._fetcher = SimpleNamespace(maybe_start=lambda: asyncio.sleep(0))
    await app.tables.recovery.on_recovery_completed(app.consumer_generation_id)


async def begin_rebalance(app: App, consumer: Consumer) -> None:
    app.on_rebalance_start()
    await consumer.on_partitions_revoked({A, B, LOG})


def hand_out(app: App) -> None:
    """As Tables.on_rebalance does, which asks Kafka more."""
    app.handed_out = app.rebalancing_count


async def test_a_recovery_ends_a_rebalance_whose_partitions_are_handed_out(app: App, consumer: Consumer) -> None:
    await begin_rebalance(app, consumer)
    hand_out(app)
    await recover(app)
    assert consumer.flow_active
    assert {A, B} <= consumer._active_partitions
    assert (app.ready, app.rebalancing) == (True, False)


async def test_a_recovery_that_a_rebalance_has_overtaken_resumes_nothing_and_ends_nothing(
    app: App, consumer: Consumer
) -> None:
    """Cause (C), before the partitions are handed out."""
    await begin_rebalance(app, consumer)
    await recover(app)
    consumer._set_active_tps({A, B, LOG})  # Faust's next step: for a moment all of them are active
    assert not consumer.flow_active
    assert (app.ready, app.rebalancing) == (False, True)
    hand_out(app)
    consumer.pause_partitions({A, B, LOG})
    consumer.resume_flow()  # the next recovery's, to read the changelog
    assert consumer._active_partitions == set()


@pytest.mark.parametrize("handed_out", [False, True])
async def test_a_recovery_that_is_overtaken_in_its_seek_goes_no_further(
    app: App, consumer: Consumer, handed_out: bool
) -> None:
    """Cause (C): a seek asks the broker, which may take as long as handing out the partitions."""

    async def overtaken() -> dict[TP, int]:
        await begin_rebalance(app, consumer)
        if handed_out:
            hand_out(app)
        return {A: 7}

    await begin_rebalance(app, consumer)
    hand_out(app)
    consumer._thread.seek_to_committed = overtaken
    with pytest.raises(RebalanceAgain):
        await recover(app)
    assert (app.ready, app.rebalancing) == (False, True)
    assert consumer._active_partitions == set()


async def test_the_end_of_a_recovery_is_none_where_the_next_rebalance_has_begun(app: App, consumer: Consumer) -> None:
    """The begin is told in the consumer's thread, whatever this one is doing."""
    await begin_rebalance(app, consumer)
    hand_out(app)
    app.on_rebalance_start()
    app.on_rebalance_end()
    assert (app.ready, app.rebalancing) == (False, True)


async def test_partitions_are_handed_out_before_their_recovery_is_begun(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recovery that may resume nothing would wait for its changelogs for ever."""
    told = []

    async def begins(tables: Tables, assigned: set[TP], revoked: set[TP], new: set[TP], generation: int) -> None:
        told.append((tables.app.overtaken, assigned, revoked, new, generation))

    monkeypatch.setattr(TableManager, "on_rebalance", begins)
    app.on_rebalance_start()
    assert app.overtaken
    await app.tables.on_rebalance({A}, {B}, {LOG}, 7)
    assert told == [(False, {A}, {B}, {LOG}, 7)]


async def test_outside_a_rebalance_partitions_resume_at_once(app: App, consumer: Consumer) -> None:
    app.rebalancing = False
    consumer.resume_partitions({A})
    assert consumer._active_partitions == {A}


async def test_a_pending_fetch_takes_the_partitions_that_were_active_when_it_began(consumer: Consumer) -> None:
    active = {A}
    view = View(consumer, active)
    active.clear()
    active.add(B)
    assert A in view
    assert B not in view


async def test_a_pending_fetch_takes_nothing_after_the_next_rebalance(consumer: Consumer) -> None:
    view = View(consumer, {A})
    await consumer.on_partitions_revoked({A})
    assert A not in view


async def test_a_fetch_without_active_partitions_does_not_mean_all_of_them(consumer: Consumer) -> None:
    view = View(consumer, set())
    assert view
    assert A not in view


async def test_every_fetch_gets_a_view_and_ends_soon_enough_to_see_partitions_that_become_active(
    consumer: Consumer,
) -> None:
    consumer._set_active_tps({A})
    consumer._paused_partitions.clear()
    await consumer._getmany({A}, 1.0)
    await consumer._getmany(None, 0.1)
    (first, long), (second, short) = consumer._thread.fetches
    assert (A in first, B in first, A in second) == (True, False, False)
    assert (long, short) == (0.25, 0.1)


async def test_no_more_of_a_topic_is_taken_while_enough_of_it_waits_to_be_handled(consumer: Consumer) -> None:
    messages = [deliver(consumer, offset, offset, tp=(A, B)[offset % 2]) for offset in range(WAITING)]
    await consumer._getmany({A, B, LOG}, 1.0)
    finish(messages[0])  # handled, and not committed yet
    await consumer._getmany({A, B, LOG}, 1.0)
    (held, soon), (free, _) = consumer._thread.fetches
    assert [tp in held for tp in (A, B, LOG)] == [False, False, True]  # a changelog is never held back
    assert soon <= 0.02  # or the queue would run dry meanwhile
    assert [tp in free for tp in (A, B, LOG)] == [True, True, True]


async def test_few_records_that_are_large_are_enough_as_well(consumer: Consumer) -> None:
    large = Record(0, b" " * (WAITING_BYTES // 2))
    first = consumer._to_message(A, RecordBatch(A, [large]))
    await consumer._getmany({A, B}, 1.0)
    consumer._to_message(B, RecordBatch(B, [large, Record(1, None)]))
    await consumer._getmany({A, B}, 1.0)
    finish(first)
    await consumer._getmany({A, B}, 1.0)
    assert [A in view for view, _ in consumer._thread.fetches] == [True, False, True]


async def test_a_batch_knows_the_bytes_of_its_values() -> None:
    columns = np.arange(2), np.zeros(2, np.int64), [b"key", None], [b"12345", None]
    assert RecordBatch(A, Records(*A, *columns)).bytes == 5
    assert RecordBatch(A, [Record(0, b"123"), Record(1, None)]).bytes == 3


async def test_a_batch_knows_when_it_was_taken_by_the_clock_of_the_agents() -> None:
    before = CLOCK.seconds()
    batch = RecordBatch(A, [Record(0)])
    assert before <= batch.taken <= CLOCK.seconds()


async def test_what_was_taken_before_a_rebalance_holds_nothing_back_after_it(consumer: Consumer) -> None:
    for offset in range(WAITING):
        deliver(consumer, offset, offset)
    await consumer.on_partitions_revoked({A, B})
    await consumer._getmany({A}, 1.0)
    [(view, _)] = consumer._thread.fetches
    assert A in view


async def changelog_of(consumer: Consumer, app: App, last: int) -> dict[TP, list[Any]]:
    """What a poll gives that brought a batch of A, and of the changelog up to this offset."""
    app.tables.changelog_topics.add(LOG.topic)
    columns = np.arange(last - 1, last + 1), np.zeros(2, np.int64), [b"k", b"k"], [b"v", b"v"]
    consumer._thread.records = {A: [Record(7)], LOG: [Records(*LOG, *columns)]}
    return dict(await consumer._getmany({A, LOG}, 1.0))


def table_of(app: App, read: int) -> StateTable:
    """The table of the changelog, which this worker has read up to this offset."""
    [table] = app.tables.values()
    app.tables.recovery.add_active(table, LOG)
    app.tables.recovery.active_offsets[LOG] = read
    return table


async def test_a_worker_that_is_ready_reads_its_changelog_back_and_recovery_goes_on_behind_it(
    app: App, consumer: Consumer
) -> None:
    app.ready, table = True, table_of(app, read=3)
    assert await changelog_of(consumer, app, last=9) == {A: [Record(7)]}
    assert app.tables.recovery.active_offsets[LOG] == 9
    assert table.stored() == [(b"k", b"v")]


async def test_what_a_new_owner_wrote_while_this_worker_was_away_is_there_after_the_next_rebalance(
    app: App, consumer: Consumer
) -> None:
    """A worker that was stopped for long counts on until it hears that it has lost the partition.

    What it has read of the changelog by then is not read again, if it gets the partition back.
    """
    app.ready, table = True, table_of(app, read=3)
    table.age = table.data.age = lambda key, value: len(value)
    table.data.hold(0, b"k", b"")  # the new owner is ahead
    await changelog_of(consumer, app, last=9)
    await consumer.on_partitions_revoked({LOG})
    app.tables.recovery.on_partitions_revoked({LOG})
    assert table.stored() == [(b"k", b"v")]


async def test_what_was_read_of_the_changelog_is_not_read_back_a_second_time(app: App, consumer: Consumer) -> None:
    app.ready, table = True, table_of(app, read=9)
    await changelog_of(consumer, app, last=9)
    assert table.stored() == []


async def test_in_recovery_changelogs_are_read(app: App, consumer: Consumer) -> None:
    offsets = app.tables.recovery.active_offsets
    offsets[LOG] = 3
    assert set(await changelog_of(consumer, app, last=9)) == {A, LOG}
    assert offsets[LOG] == 3


async def test_a_changelog_of_another_worker_now_is_not_taken_for_read(app: App, consumer: Consumer) -> None:
    app.ready = True
    assert set(await changelog_of(consumer, app, last=9)) == {A}
    assert LOG not in app.tables.recovery.active_offsets


async def test_what_a_rebalance_came_between_is_left_to_faust(app: App, consumer: Consumer) -> None:
    app.ready = True

    async def getmany(active_partitions: Any, timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109
        await consumer.on_partitions_revoked({LOG})
        return consumer._thread.records

    consumer._thread.getmany = getmany
    assert set(await changelog_of(consumer, app, last=9)) == {A, LOG}


async def test_a_message_that_can_be_delivered_at_once_needs_no_task(consumer: Consumer) -> None:
    delivered, before = [], asyncio.all_tasks()

    async def deliver() -> None:
        delivered.append(asyncio.all_tasks())

    await consumer.wait_first(deliver(), consumer.suspend_flow.wait())
    assert delivered == [before]


async def test_a_delivery_that_waits_is_given_up_when_the_flow_ends(consumer: Consumer) -> None:
    ended, room = asyncio.Event(), asyncio.Event()

    async def deliver() -> None:
        try:
            await room.wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(consumer.wait_first(deliver(), consumer.suspend_flow.wait()))
    await asyncio.sleep(0)
    assert not waiting.done()
    consumer.suspend_flow.set()
    await asyncio.wait_for(waiting, 1.0)
    await asyncio.wait_for(ended.wait(), 1.0)


async def test_a_delivery_that_waits_is_finished_when_there_is_room(consumer: Consumer) -> None:
    delivered, room = [], asyncio.Event()

    async def deliver() -> None:
        await room.wait()
        await asyncio.sleep(0)
        delivered.append("it")

    waiting = asyncio.create_task(consumer.wait_first(deliver(), consumer.suspend_flow.wait()))
    await asyncio.sleep(0)
    room.set()
    await asyncio.wait_for(waiting, 1.0)
    assert delivered == ["it"]


async def test_a_delivery_that_fails_raises_at_once_or_late(consumer: Consumer) -> None:
    async def at_once() -> None:
        raise ValueError("at once")

    async def late() -> None:
        await asyncio.sleep(0)
        raise ValueError("late")

    for fails in (at_once, late):
        with pytest.raises(ValueError, match=fails.__name__.replace("_", " ")):
            await consumer.wait_first(fails(), asyncio.sleep(60))


async def test_messages_are_sent_through_a_producer_that_was_started_once(app: App) -> None:
    starts = []

    async def start() -> None:
        starts.append("started")
        app.producer._started.set()

    app.producer.start = start
    assert await app.maybe_start_producer() is app.producer
    assert await app.maybe_start_producer() is app.producer
    assert starts == ["started"]


async def test_nothing_is_fetched_while_every_partition_is_held_back(consumer: Consumer) -> None:
    found, active = await asyncio.wait_for(consumer._wait_next_records(1.0), 0.9)  # Faust would sleep for a second
    assert (found, active) == ({}, set())
    assert consumer._thread.fetches == []


async def test_the_app_is_ready_between_the_end_of_a_rebalance_and_the_next(app: App) -> None:
    told: list[str] = []
    app.when_ready, app.when_rebalancing = lambda: told.append("ready"), lambda: told.append("rebalancing")
    assert (app.ready, app.was_ready) == (False, False)
    app.on_rebalance_start()
    app.handed_out = app.rebalancing_count
    app.on_rebalance_end()
    assert (app.ready, app.was_ready) == (True, True)
    app.on_rebalance_start()
    assert (app.ready, app.was_ready) == (False, True)
    assert told == ["rebalancing", "ready", "rebalancing"]


async def test_each_batch_knows_the_rebalance_it_was_read_in(consumer: Consumer) -> None:
    before = deliver(consumer, 0, 2).value.epoch
    await consumer.on_partitions_revoked({A})
    assert deliver(consumer, 0, 2).value.epoch == before + 1 == consumer.epoch


@pytest.mark.parametrize(
    ("committed", "stored", "seeks"),
    [(10, 7, [{A: 7}]), (10, 10, []), (10, 12, []), (10, 0, [{A: 0}]), (None, 0, [])],
)
async def test_reading_begins_at_the_committed_offset_or_behind_the_stored_one_whichever_is_first(
    app: App, consumer: Consumer, committed: int | None, stored: int, seeks: list[dict[TP, int]]
) -> None:
    if committed is not None:
        consumer._thread.committed = {A: committed}
    app.stored_next = lambda: {A: stored}
    await consumer.perform_seek()
    assert consumer._thread.seeks == seeks


async def test_acks_below_a_commit_that_was_too_far_count_again(app: App, consumer: Consumer) -> None:
    consumer._thread.committed = {A: 10}
    app.stored_next = lambda: {A: 4}
    await consumer.perform_seek()
    finish(deliver(consumer, 4, 6))
    assert consumer._should_commit(A, consumer._new_offset(A))
