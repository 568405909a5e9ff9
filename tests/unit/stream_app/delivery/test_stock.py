"""What the overrides rely on in Faust and aiokafka, by running their code: each test is named after one assumption.

A failure after an upgrade is no bug yet: the assumption in the test's name has fallen. Read the new code, decide what
becomes of the override that the test names, and run tests/integration/test_faust_recovery.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_app.delivery.batches import Fetching, RecordBatch
from stream_app.delivery.consumer import Consumer, ConsumerThread
from stream_app.delivery.framework import App, Producer, Transport
from stream_app.delivery.tables import MonotoneStore
from stream_app.delivery.views import View
from stream_app.windowing.records import Record
from tests.unit.stream_app.delivery.stand import FakeThread
from tests.unit.stream_app.delivery.stand import Record as AnyRecord
from tests.waiting import eventually

SOURCE, LOG = TP("predictions", 0), TP("group-counts-changelog", 0)
FETCHING = Fetching(batched=frozenset({"predictions"}), batch_records=3, max_wait_ms=123, min_bytes=456)


class StockConsumer(driver.Consumer):
    """Faust's own; `steps` has what recovery asked of it, in order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.steps: list[Any] = []
        super().__init__(*args, **kwargs)
        self._thread = FakeThread({SOURCE, LOG})

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        self.steps.append("resume_partitions")
        super().resume_partitions(tps)

    async def perform_seek(self) -> None:
        self.steps.append("perform_seek")
        for queue in self.app.flow_control._queues:
            queue.put_nowait("delivered during the seek")

    def resume_flow(self) -> None:
        self.steps.append(("resume_flow", [queue.qsize() for queue in self.app.flow_control._queues]))
        super().resume_flow()


def app_with(consumer: type[driver.Consumer]) -> App:
    class WithConsumer(Transport):
        Consumer = consumer

    class TestApp(App):
        def _new_transport(self) -> Transport:
            return WithConsumer(self.conf.broker_consumer, self)

    app = TestApp("group", fetching=FETCHING, broker="kafka://127.0.0.1:1")
    app.state_table("counts", 1, age=lambda key, value: int(value), recovered=lambda: None)
    app.finalize()
    return app


@pytest.fixture
async def stock() -> StockConsumer:
    consumer: StockConsumer = app_with(StockConsumer).consumer
    consumer._set_active_tps({SOURCE, LOG})
    return consumer


@pytest.fixture
async def ours() -> Consumer:
    consumer: Consumer = app_with(Consumer).consumer
    consumer._thread = FakeThread({SOURCE, LOG})
    return consumer


async def test_recovery_resumes_partitions_then_seeks_then_clears_every_queue_then_resumes_the_flow(
    stock: StockConsumer,
) -> None:
    """Cause (A), and why `resume_partitions` holds sources back until `resume_flow`."""
    app = stock.app
    app._fetcher = SimpleNamespace(maybe_start=lambda: asyncio.sleep(0))
    queue = app.FlowControlQueue(maxsize=8, clear_on_resume=True)
    app.flow_control.resume()  # as it was to read the changelog
    await app.tables.recovery.on_recovery_completed(app.consumer_generation_id)
    assert stock.steps == ["resume_partitions", "perform_seek", ("resume_flow", [0])]
    assert queue.empty()


async def test_recovery_without_tables_has_the_same_order(stock: StockConsumer) -> None:
    app = stock.app
    app._fetcher = SimpleNamespace(maybe_start=lambda: asyncio.sleep(0))
    queue = app.FlowControlQueue(maxsize=8, clear_on_resume=True)
    await app.tables.recovery._resume_streams(app.consumer_generation_id)
    assert stock.steps == ["resume_partitions", "perform_seek", ("resume_flow", [0])]
    assert queue.empty()


async def test_a_worker_is_ready_when_recovery_says_that_the_rebalance_has_ended(ours: Consumer) -> None:
    """Why `on_rebalance_end` is where counting begins."""
    app = ours.app
    app._fetcher = SimpleNamespace(maybe_start=lambda: asyncio.sleep(0))
    await app.tables.recovery.on_recovery_completed(app.consumer_generation_id)
    assert app.ready


async def test_a_revocation_is_told_to_the_app_before_anything_else_happens(ours: Consumer) -> None:
    """Why `on_rebalance_start` is where counting ends, and resume_partitions() can ask app.rebalancing."""
    app, told = ours.app, []
    app.ready, app.when_rebalancing = True, lambda: told.append("rebalancing")
    thread = SimpleNamespace(app=app, on_partitions_revoked=lambda revoked: told.append(revoked))
    driver.ConsumerRebalanceListener(thread).on_partitions_revoked({SOURCE})
    assert told == ["rebalancing", {SOURCE}]
    assert app.rebalancing
    assert not app.ready


async def test_batches_under_way_are_waited_for_only_after_the_epoch_has_changed(ours: Consumer) -> None:
    """Why `on_partitions_revoked` voids them first: what was begun must not be committed as if it were done."""
    epochs = []

    async def revoked(_: set[TP]) -> None:
        epochs.append(ours.epoch)

    ours._on_partitions_revoked = revoked
    await ours.on_partitions_revoked({SOURCE})
    assert epochs == [1]


class _Fetched(list[str]):
    next_fetch_offset = 0


def fetcher_with_a_record() -> Fetcher:
    """aiokafka's, with one fetched record of SOURCE that nobody took."""
    fetcher, tp = object.__new__(Fetcher), TopicPartition(*SOURCE)
    state = SimpleNamespace(paused=False, position=0, consumed_to=lambda offset: None)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    result = FetchResult(tp, assignment=assignment, partition_records=_Fetched(["record"]), backoff=0)
    fetcher._records, fetcher._wait_consume_future = {tp: result}, None
    fetcher._subscriptions = SimpleNamespace(reassignment_in_progress=False, is_assigned=lambda tp: True)
    fetcher._closed = True  # nothing to end
    return fetcher


@pytest.mark.parametrize(("partitions", "taken"), [(set(), [SOURCE]), ({LOG}, []), ({SOURCE}, [SOURCE])])
async def test_aiokafka_takes_an_empty_set_of_partitions_for_all_of_them(partitions: set[TP], taken: list[TP]) -> None:
    """Cause (B), and why a `View` is never falsy."""
    assert list(await fetcher_with_a_record().fetched_records(partitions)) == taken


async def test_aiokafka_takes_nothing_of_a_view_that_is_empty(ours: Consumer) -> None:
    assert await fetcher_with_a_record().fetched_records(View(ours, ())) == {}
    assert list(await fetcher_with_a_record().fetched_records(View(ours, {SOURCE}))) == [SOURCE]


async def test_a_fetch_gets_the_live_set_and_faust_drops_what_has_become_inactive_meanwhile(
    stock: StockConsumer,
) -> None:
    """Cause (B), and why `_getmany` passes a snapshot."""
    passed = []

    async def getmany(active_partitions: set[TP], timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109
        passed.append(active_partitions)
        stock.pause_partitions({SOURCE, LOG})
        return {SOURCE: [RecordBatch(SOURCE, [AnyRecord(0)])]}

    stock._getmany = getmany
    assert [item async for item in stock.getmany(timeout=1.0)] == []
    assert passed == [set()]
    assert passed[0] is stock._active_partitions


async def test_nothing_active_makes_faust_sleep_a_whole_second(stock: StockConsumer) -> None:
    """Why `_wait_next_records` looks again sooner."""
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    stock.sleep = sleep
    stock.pause_partitions({SOURCE, LOG})
    await stock._wait_next_records(1.0)
    assert slept == [1]


async def test_what_a_poll_brings_goes_through_the_scheduler_and_to_message(ours: Consumer) -> None:
    """Why `BatchScheduler.iterate` makes batches, and `_to_message` can note their order."""
    ours._set_active_tps({SOURCE})
    ours._thread.records = {SOURCE: [AnyRecord(offset) for offset in range(4)]}
    messages = [message async for _, message in ours.getmany(timeout=1.0)]
    assert [message.value.offset for message in messages] == [2, 3]
    assert list(ours._delivered[SOURCE]) == messages


async def test_a_batch_comes_through_the_schema_as_it_is(ours: Consumer) -> None:
    """Why `BatchSchema` hands it on: decoding is the agent's."""
    topic = ours.app.batched_topic("predictions")
    message = ours._to_message(SOURCE, RecordBatch(SOURCE, [AnyRecord(0)]))
    event = await topic.decode(message)
    assert event.value is message.value


async def test_the_consumer_makes_its_thread_and_the_thread_its_aiokafka_consumer() -> None:
    """Why `_new_consumer_thread` and `_create_worker_consumer` reach the fetch settings."""
    thread = app_with(Consumer).consumer._thread
    assert type(thread) is ConsumerThread
    consumer = thread._create_consumer(loop=asyncio.get_running_loop())
    assert (consumer._fetch_max_wait_ms, consumer._fetch_min_bytes) == (123, 456)
    consumer._closed = True  # it was never started


async def test_the_producer_takes_its_extra_settings_last() -> None:
    """Why `_settings_extra` makes it idempotent."""
    producer = app_with(Consumer).producer
    assert type(producer) is Producer
    kafka = producer._new_producer()
    assert kafka._txn_manager is not None
    assert kafka._txn_manager.transactional_id is None
    kafka._closed = True  # it was never started


async def test_a_table_keeps_its_state_in_the_store_that_it_is_given_and_recovery_fills_it(ours: Consumer) -> None:
    """Why `_new_store` and `apply_changelog_batch` decide what a late write of a former owner does."""
    (table,) = ours.app.tables.values()
    assert type(table.data) is MonotoneStore
    recovery = ours.app.tables.recovery
    records = [Record(LOG.topic, LOG.partition, offset, 0, b"k", value) for offset, value in enumerate((b"9", b"7"))]
    recovery.buffers[table] += [SimpleNamespace(message=RecordBatch(LOG, records))]
    recovery.flush_buffers()
    assert table.stored() == [(b"k", b"9")]


async def test_recovery_takes_a_batch_of_the_changelog_for_one_event_that_reaches_its_last_offset(
    ours: Consumer,
) -> None:
    """Why changelogs are batched topics, and why tables have a recovery buffer of one."""
    (table,) = ours.app.tables.values()
    assert table.changelog_topic_name == LOG.topic in ours.app.fetching.batched
    recovery, queue = ours.app.tables.recovery, ours.app.tables.changelog_queue
    recovery.tp_to_table[LOG], recovery.active_highwaters[LOG], recovery.active_offsets[LOG] = table, 2, -1
    recovery.active_tps.add(LOG)
    records = [Record(LOG.topic, LOG.partition, offset, 0, b"%d" % offset, b"1") for offset in range(3)]
    message = ours._to_message(LOG, RecordBatch(LOG, records))
    assert not ours._delivered  # nothing of a changelog is ever acknowledged or committed
    ours.app.flow_control.resume()
    queue.put_nowait(SimpleNamespace(message=message))
    reading = asyncio.create_task(recovery._slurp_changelogs.fun(recovery))
    await eventually(lambda: recovery.active_offsets[LOG] == 2, 5, "the batch is read")
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert table.stored() == [(b"0", b"1"), (b"1", b"1"), (b"2", b"1")]


async def test_an_app_builds_its_transport_by_the_method_that_ours_replaces() -> None:
    app = App("group", fetching=FETCHING, broker="kafka://127.0.0.1:1")
    assert type(app.transport) is Transport
    assert type(app.consumer) is Consumer
    await app.on_first_start()  # makes no directory
