"""The consumer: commits by batch, and loses nothing over a rebalance.

After a rebalance Faust 0.15.3 drops messages, for three reasons, all seen on a real broker:

(A) Recovery resumes the source partitions, seeks, then *clears every stream queue*, though deliveries had begun when
    the changelog was read. What came in between is gone; the state moves past it, and it is never read again.
(B) Faust hands aiokafka its *live* set of active partitions, and aiokafka takes an empty set for "all". While nothing
    is active, a pending fetch eats records of the source partitions, Faust drops them, and the position has moved on.
(C) A recovery that the next rebalance has overtaken goes on until that one's is begun: it resumes the source partitions
    and says that all is ready, and what they bring is cleared away at the end of the next recovery, behind its seek.

Each override says which of them it cures, or what else it is for.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from functools import partial
from inspect import iscoroutine
from typing import Any

import numpy as np
from faust.tables.recovery import RebalanceAgain
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_app.delivery.batches import BatchScheduler, RecordBatch
from stream_app.delivery.eager import begin
from stream_app.delivery.parsing import FetchResults, keep_bytes_of_fetches
from stream_app.delivery.views import Readings, View
from stream_app.readiness import until_a_broker_is_ready, until_one_answers

WAITING, WAITING_BYTES = 32, 16 << 20
"""Batches of a topic that may wait to be handled, and bytes of their values; then no more of it is taken.

Both: a megabyte that was fetched is five when a state of many zeros is decompressed.

Faust's own bound is 4,096: millions of events behind a backlog. A smaller one would hold partitions back with callbacks
that a rebalance does not know of, and a full queue that is cleared by one never wakes who waits to put into it.
"""
NOBODYS = -1
"""The epoch of a batch that comes again: of no rebalance, so it is dropped as one from before the last is."""


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust hard-codes fetch_max_wait_ms=1500, has no setting for fetch_min_bytes; batched topics: see parsing.py."""

    async def on_start(self) -> None:
        await super().on_start()
        if self._consumer._max_poll_records is None:  # as configuration.py has it: see WholeFetch
            keep_bytes_of_fetches()
            self._consumer._fetcher._records = FetchResults(self.app.fetching.batched)
        await until_a_broker_is_ready(self._consumer, lambda: self.should_stop)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        fetching = self.app.fetching
        consumer._fetch_max_wait_ms, consumer._fetch_min_bytes = fetching.max_wait_ms, fetching.min_bytes
        consumer.start = partial(until_one_answers, consumer.start, lambda: self.should_stop)
        return consumer


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Commits by batch, and loses nothing over a rebalance.

    epoch: rebalances of this process so far. began: where reading began after the last one, None where at the log's
    first record.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.epoch = 0
        self.readings = Readings()
        self._view: View | None = None
        self.began: dict[TP, int | None] = {}
        self._delivered: defaultdict[TP, deque[Any]] = defaultdict(deque)
        self._deferred: set[TP] = set()
        super().__init__(*args, **kwargs)
        self.scheduler = BatchScheduler(self.app.fetching, lambda tp: self._view is None or tp in self._view)

    # Committing. Faust's bookkeeping is by single offset and calls everything between two acks a gap: with batches the
    # commit would stick for ever. Here the batches in the order of their delivery are the bookkeeping.

    def _to_message(self, tp: TP, record: Any) -> Any:
        if type(record) is not RecordBatch or self._is_changelog_tp(tp):  # a changelog is never committed
            return super()._to_message(tp, record)
        record.epoch = self.epoch
        message, waiting = super()._to_message(tp, record), self._delivered[tp]
        # Reading began again further back: what was registered from there on comes again, or was dropped unhandled.
        while waiting and waiting[-1].offset >= record.first_offset:
            waiting.pop()
        waiting.append(message)
        return message

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self.app.fetching.batched:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        done, waiting = None, self._delivered[tp]
        # By identity of the message: an ack of a batch that was read again since has no say.
        # What is not durable yet is looked at again by the next commit: Faust asks once a second, batches or none, and
        # at the end of a stop, after its flush.
        while waiting and waiting[0].acked and waiting[0].value.durable:
            done = waiting.popleft().offset + 1
        return done

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if tp.topic not in self.app.fetching.batched:
            await super()._add_gap(tp, offset_from, offset_to)

    # The cure of the recovery.

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Cures (A): in a rebalance source partitions stay paused until the queues have been cleared."""
        if self.app.rebalancing:
            sources = {tp for tp in tps if not self._is_changelog_tp(tp)}
            if not self.app.overtaken:  # (C)
                self._deferred |= sources
            tps = set(tps) - sources
        super().resume_partitions(tps)

    def resume_flow(self) -> None:
        """Cures (A): called right behind the clearing, no await between; now the source partitions may flow.

        Cures (C): of a former rebalance nothing may; and while partitions are being handed out Faust takes all of them
        for active.
        """
        if self.app.overtaken:
            return
        super().resume_flow()
        deferred, self._deferred = self._deferred, set()
        if deferred:
            super().resume_partitions(deferred & self.assignment())

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """The epoch makes views of pending fetches void (B) and tells agents that a batch is no longer theirs."""
        # told before, in the consumer's thread; the end of the former rebalance may have come with it
        self.app.rebalancing, self.app.ready = True, False
        self._deferred.clear()
        self.epoch += 1
        for tp in revoked:
            self._delivered.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109  # Faust's signature
        # Cures (B). The shorter wait is for partitions that become active while a fetch is pending.
        self._drop_handled()
        enough, settled, epoch = self._topics_with_enough(), self.app.ready, self.epoch
        wanted = [tp for tp in active_partitions or () if tp.topic not in enough]
        self._view = View(self, wanted)
        found = await super()._getmany(self._view, min(timeout, 0.02 if enough else 0.25))
        if settled and self.app.ready and epoch == self.epoch:
            self._read_changelogs_back(found)
        return found

    def _read_changelogs_back(self, found: dict[TP, list[Any]]) -> None:
        """Once the state is restored its changelogs bring what this worker has written itself, or what another one has.

        It goes into the tables without Faust's way there, which costs as much as counting does. Recovery is told how
        far that is: after the next rebalance it goes on from there.
        """
        recovery = self.app.tables.recovery
        offsets = recovery.active_offsets
        for tp in [tp for tp in found if self._is_changelog_tp(tp)]:
            for records in found.pop(tp):
                if tp in offsets and records.offsets[-1] > offsets[tp]:
                    new = records[int(np.searchsorted(records.offsets, offsets[tp], side="right")) :]
                    recovery.tp_to_table[tp].read_back(new)
                    offsets[tp] = int(new.offsets[-1])

    def _drop_handled(self) -> None:
        """A batch stays known until it is committed; its records, of hundreds of bytes each, are not needed so long.

        Here, and not in ack(): Faust's compiled stream acknowledges a message without calling that.
        """
        for messages in self._delivered.values():
            for message in messages:
                if message.acked:
                    message.value.records = ()

    def _topics_with_enough(self) -> set[str]:
        """Topics of which WAITING batches, or WAITING_BYTES, were delivered and are not handled yet."""
        number: Counter[str] = Counter()
        size: Counter[str] = Counter()
        for tp, messages in self._delivered.items():
            waiting = [message.value.bytes for message in messages if not message.acked]
            number[tp.topic] += len(waiting)
            size[tp.topic] += sum(waiting)
        return {topic for topic in number if number[topic] >= WAITING or size[topic] >= WAITING_BYTES}

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:  # noqa: ASYNC109  # mode's signature
        """Faust's delivery of a message, against the end of the flow: what does not wait needs no tasks for waiting.

        Then the result is None; Faust does not look at it.
        """
        if len(coros) == 2 and all(map(iscoroutine, coros)):
            begun = begin(coros[0], coros[1])
            if begun is None:
                return None
            coros = begun, coros[1]
        return await super().wait_first(*coros, timeout=timeout)

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109  # Faust's signature
        if self.flow_active and not self._get_active_partitions():
            await self.sleep(0.05)  # Faust sleeps a whole second when every partition is held back
            return {}, self._active_partitions
        return await super()._wait_next_records(timeout)

    async def perform_seek(self) -> None:
        """After recovery read from min(committed, stored + 1): a commit may be ahead of what the changelog has.

        Faust's flush before a commit gives up after 0.1 s without progress; a failed changelog write is only logged.

        Raises RebalanceAgain (C), as Faust's waiting does: what is sought here is the next recovery's business.
        """
        if self.app.overtaken:
            return
        rebalance = self.app.rebalancing_count
        await super().perform_seek()
        for tp, following in self.app.stored_next().items():
            committed = self._committed_offset.get(tp)
            if committed is not None and following < committed and tp in self.assignment():
                self.log.warning("%s/%s: committed %s, stored %s", tp.topic, tp.partition, committed, following)
                await self.reread_from(tp, following)
                self._committed_offset[tp] = following or None  # else acks below the old commit are ignored
        if rebalance != self.app.rebalancing_count:
            raise RebalanceAgain
        self.began = dict(self._read_offset)

    async def reread_from(self, tp: TP, offset: int) -> None:
        """Read a partition again from an offset; what is on its way is neither handled nor committed.

        If batches of the former reading were handled, each would be a gap of its own and have all read again: behind a
        backlog there would be no end of that.

        Consumer.seek() would run in this thread and race with the fetcher (KeyError, the worker dies); seek_wait() runs
        in the consumer's own thread.
        """
        with self.readings.anew(tp):
            await self.seek_wait({tp: offset})
            # not before: where the seek fails its batch is tried again, and must be its own still
            for message in self._delivered.pop(tp, ()):
                message.value.epoch = NOBODYS

    def answered(self, tp: TP) -> int | None:
        """When the last answer to a fetch of this partition was taken in, milliseconds UTC; None before the first.

        Not when the broker gave it: aiokafka stamps it when it comes to it, after a stop of this process long after.
        """
        state = self._fetched(tp)
        return None if state is None else state.timestamp

    def leader(self, tp: TP) -> int | None:
        """The number of the broker that leads this partition; None while there is none, or it is not known."""
        leader: int | None = self._thread._ensure_consumer()._client.cluster.leader_for_partition(tp)
        return None if leader is None or leader < 0 else leader

    def drained(self, tp: TP) -> bool:
        """Whether a fetch has come to the end of the log, and all that it brought is finished."""
        state = self._fetched(tp)
        if state is None or state.highwater is None or not state.has_valid_position:
            return False
        return state.position >= state.highwater and all(message.acked for message in self._delivered.get(tp, ()))

    def _fetched(self, tp: TP) -> Any:
        """aiokafka's own notes on an assigned partition; it has no public way to a position without waiting for one."""
        subscription = self._thread._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        return None if assignment is None or tp not in assignment.tps else assignment.state_value(tp)

    def abandon(self, tp: TP) -> None:
        """What was delivered and is not finished must not be committed, though it will be acknowledged."""
        self._delivered.pop(tp, None)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)
