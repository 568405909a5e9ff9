"""What delivery/ overrides or relies on in Faust, mode and aiokafka reads as it did when the overrides were written.

test_stock.py runs their code where that can be done without a broker; here are signatures, and what can only be read.

A failure here after an upgrade is no bug yet: read the new code, decide whether the override still does its work, run
tests/integration/test_faust_recovery.py and test_stream_crashes.py, and only then change what is expected here.
"""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiokafka
import faust
import pytest
from faust.stores import memory
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport import consumer as base
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer
from faust.transport.utils import DefaultSchedulingStrategy

from stream_app import delivery
from stream_app.delivery import batches, consumer, framework, tables


def test_the_versions_are_the_ones_that_the_overrides_were_written_for() -> None:
    pinned = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}
    assert {name: version(name) for name in pinned} == pinned


OVERRIDDEN = [
    (driver.Consumer, consumer.Consumer, "_to_message", "(self, tp, record)"),
    (driver.Consumer, consumer.Consumer, "_new_offset", "(self, tp)"),
    (driver.Consumer, consumer.Consumer, "_add_gap", "(self, tp, offset_from, offset_to)"),
    (driver.Consumer, consumer.Consumer, "resume_partitions", "(self, tps)"),
    (driver.Consumer, consumer.Consumer, "resume_flow", "(self)"),
    (driver.Consumer, consumer.Consumer, "on_partitions_revoked", "(self, revoked)"),
    (driver.Consumer, consumer.Consumer, "_getmany", "(self, active_partitions, timeout)"),
    (driver.Consumer, consumer.Consumer, "_wait_next_records", "(self, timeout)"),
    (driver.Consumer, consumer.Consumer, "wait_first", "(self, coros, timeout)"),
    (driver.Consumer, consumer.Consumer, "perform_seek", "(self)"),
    (driver.Consumer, consumer.Consumer, "_new_consumer_thread", "(self)"),
    (driver.AIOKafkaConsumerThread, consumer.ConsumerThread, "_create_worker_consumer", "(self, transport)"),
    (driver.AIOKafkaConsumerThread, consumer.ConsumerThread, "on_start", "(self)"),
    (driver.Producer, framework.Producer, "_new_producer", "(self, transactional_id)"),
    (driver.Producer, framework.Producer, "_settings_extra", "(self)"),
    (memory.Store, tables.MonotoneStore, "apply_changelog_batch", "(self, batch, to_key, to_value)"),
    (memory.Store, tables.MonotoneStore, "on_recovery_completed", "(self, active_tps, standby_tps)"),
    (Collection, tables.StateTable, "_new_store", "(self)"),
    (TableManager, tables.Tables, "on_start", "(self)"),
    (TableManager, tables.Tables, "on_rebalance", "(self, assigned, revoked, newly_assigned, generation_id)"),
    (faust.App, framework.App, "_new_transport", "(self)"),
    (faust.App, framework.App, "_create_directories", "(self)"),
    (faust.App, framework.App, "maybe_start_producer", "(self)"),
    (faust.App, framework.App, "on_rebalance_start", "(self)"),
    (faust.App, framework.App, "on_rebalance_end", "(self)"),
    (DefaultSchedulingStrategy, batches.BatchScheduler, "iterate", "(self, records)"),
    (faust.Schema, batches.BatchSchema, "loads_key", None),
    (faust.Schema, batches.BatchSchema, "loads_value", None),
]


@pytest.mark.parametrize(("theirs", "ours", "name", "signature"), OVERRIDDEN, ids=lambda value: str(value))
def test_an_overridden_method_takes_what_it_took(theirs: type, ours: type, name: str, signature: str | None) -> None:
    method, override = inspect.unwrap(getattr(theirs, name)), vars(ours)[name]
    assert inspect.iscoroutinefunction(method) == inspect.iscoroutinefunction(override)
    if signature is not None:
        assert names_of(method) == signature
        assert names_of(override) == signature


def names_of(method: Any) -> str:
    return "(" + ", ".join(inspect.signature(method).parameters) + ")"


def test_nothing_is_overridden_without_a_line_in_this_table() -> None:
    listed = {(ours, name) for _, ours, name, _ in OVERRIDDEN}
    found = {(ours, name) for ours in classes() for name in overridden(ours)}
    assert found == listed | OTHERS


def test_a_class_that_nobody_has_listed_is_found_with_what_it_overrides() -> None:
    class Newcomer(driver.Consumer):  # type: ignore[misc]
        extra = None

        def __init__(self) -> None:
            """Its own business."""

        async def commit(self) -> None:
            """Overrides."""

    class Heir(consumer.Consumer):
        def ack(self, message: Any) -> bool:
            return False

        def close(self) -> None:
            """Overrides what its grandparents have."""

    assert list(overridden(Newcomer)) == ["commit"]
    assert list(overridden(Heir)) == ["ack", "close"]
    assert {consumer.ConsumerThread, framework.Transport, batches.BatchSchema, tables.Tables} < set(classes())


def classes() -> Iterator[type]:
    """Those that the modules of the package define."""
    for module in pkgutil.iter_modules(delivery.__path__, f"{delivery.__name__}."):
        for thing in vars(import_module(module.name)).values():
            if inspect.isclass(thing) and thing.__module__ == module.name:
                yield thing


def overridden(ours: type) -> Iterator[str]:
    """What can be called in a class that derives from another project's, and what that has under the same name."""
    theirs = [base for base in ours.__mro__ if base.__module__.split(".")[0] in {"faust", "mode", "aiokafka"}]
    for name in vars(ours):
        if not name.startswith("__") and any(callable(getattr(base, name, None)) for base in theirs):
            yield name


OTHERS = {(framework.Transport, "Consumer"), (framework.Transport, "Producer")}


def code(thing: Any) -> str:
    return " ".join(inspect.getsource(inspect.unwrap(thing)).split())


def test_nothing_can_come_between_clearing_the_queues_and_resuming_the_flow() -> None:
    """Cause (A): why resume_flow() is where the source partitions may begin."""
    for recovery in (Recovery.on_recovery_completed, Recovery._resume_streams):
        assert "flow_control.resume() consumer.resume_flow()" in code(recovery)  # no await


def test_partitions_that_are_handed_out_are_paused_before_the_tables_hear_of_them() -> None:
    """Cause (C): why Tables.on_rebalance() is where a recovery may resume something again."""
    assigned = code(faust.App._on_partitions_assigned)
    assert assigned.index("(consumer.pause_partitions)(assigned)") < assigned.index("(self.tables.on_rebalance)(")
    assert code(base.Consumer.on_partitions_assigned).index("self._set_active_tps(assigned)") > 0
    assert "thread.app.on_rebalance_start()" in code(driver.ConsumerRebalanceListener.on_partitions_revoked)


def test_a_recovery_asks_once_whether_it_is_overtaken_and_goes_on_when_its_seek_has_ended() -> None:
    """Cause (C): between those lies a seek, which asks the broker; and RebalanceAgain is how a recovery is given up."""
    completed = code(Recovery.on_recovery_completed)
    asked = completed.index("self.app.consumer_generation_id != generation_id")
    assert asked < completed.index("consumer.perform_seek()") < completed.index("self.app.on_rebalance_end()")
    assert completed.count("generation_id != generation_id") == 1
    assert "except RebalanceAgain as exc:" in code(Recovery._restart_recovery.fun)


def test_the_fetch_wait_is_hard_coded_and_its_attributes_are_read_when_the_consumer_starts() -> None:
    assert "fetch_max_wait_ms=1500" in code(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert "fetch_min_bytes" not in code(driver.AIOKafkaConsumerThread._create_worker_consumer)
    started = code(aiokafka.AIOKafkaConsumer.start)
    assert "fetch_min_bytes=self._fetch_min_bytes" in started
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in started


def test_a_delivery_is_given_up_when_the_flow_ends_and_nobody_asks_what_came_of_it() -> None:
    """Why Consumer.wait_first() may begin it without a task."""
    delivery = "await self.wait_first( callback(message), self.suspend_flow.wait() ) set_read_offset(tp, offset)"
    assert delivery in code(base.Consumer._drain_messages)


def test_a_changelog_with_a_buffer_of_one_is_read_on_after_its_recovery() -> None:
    """What Consumer._read_changelogs_back() reads; and why it says where the next recovery begins."""
    recovery = code(Recovery._restart_recovery.fun)
    assert "if self.tp_to_table[tp].recovery_buffer_size == 1" in recovery
    assert "consumer, assigned_active_tps, active_offsets" in recovery


def test_a_commit_may_be_ahead_of_the_changelog() -> None:
    """Why perform_seek reads from min(committed, stored + 1)."""
    assert "timeout=0.1" in code(ProducerBuffer.flush_atmost)


def test_a_hole_in_a_poll_is_told_to_add_gap() -> None:
    """Why `_add_gap` does nothing for batches: their offsets are those of their last records."""
    assert "if gap > 1 and r_offset: acks_enabled = acks_enabled_for(message.topic) if acks_enabled: await self." in (
        code(base.Consumer._drain_messages)
    )
    assert "self._add_gap(tp, r_offset + 1, offset)" in code(base.Consumer._drain_messages)


def test_a_stop_flushes_what_was_written_before_the_last_commit() -> None:
    """Why nothing waits for changelog writes at the end: `_new_offset` then finds them done."""
    stopping = code(faust.App.on_stop)
    assert stopping.index("self._stop_consumer()") < stopping.index("self._producer_flush(")
    assert "await self.wait_empty()" in code(base.Consumer.on_stop)  # the consumer is a child: it stops after that
    assert "commit_and_end_transactions" in code(base.Consumer.wait_empty)


def test_the_compiled_stream_acknowledges_by_itself() -> None:
    """Why Consumer looks which batches are handled: an override of ack() is not called."""
    source = (Path(faust.__file__).parent / "_cython" / "streams.pyx").read_text()
    assert "message.acked = True" in source
    assert "consumer.ack" not in source


def test_acks_go_by_the_message_and_the_bookkeeping_by_lists_that_are_cleared_here() -> None:
    assert "message.acked = True" in code(base.Consumer.ack)
    assert "for tp in self._acked" in code(base.Consumer._filter_tps_with_pending_acks)


def test_a_former_owner_drops_only_keys_whose_partition_is_noted() -> None:
    """Why MonotoneStore.hold() notes it."""
    assert "for k, p in self._key_partition.items(): if p not in partitions:" in code(
        memory.Store.on_recovery_completed
    )


def test_what_a_recovery_callback_raises_is_dropped() -> None:
    """Why app.py reports unreadable state by itself."""
    assert "await asyncio.wait(callback_coros)" in code(Recovery.on_recovery_completed)


def test_starting_the_tables_is_a_pause_of_a_second_and_two_calls() -> None:
    """Why Tables.on_start makes the two calls at once."""
    assert code(TableManager.on_start).endswith(
        "await self.sleep(1.0) if not self.should_stop: await self._update_channels() await self.recovery.start()"
    )


def test_the_lines_that_the_decision_cites_are_where_it_says() -> None:
    decision = Path(__file__).parents[4] / "docs" / "decisions" / "0003-faust-recovery.md"
    cited = re.findall(r"^\| `([\w/]+\.py):(\d+)` \| `(.+)` \|$", decision.read_text(), re.MULTILINE)
    packages = Path(faust.__file__).parents[1]
    found = [(file, line, (packages / file).read_text().splitlines()[int(line) - 1].strip()) for file, line, _ in cited]
    assert len(cited) == 10
    assert found == cited
