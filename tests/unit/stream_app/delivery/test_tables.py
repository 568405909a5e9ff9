"""State tables: a recovery keeps the youngest value of each key, and a lost partition leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import InvalidMessage
from stream_app.delivery import tables
from stream_app.delivery.batches import Fetching, RecordBatch
from stream_app.delivery.framework import App
from stream_app.delivery.tables import MonotoneStore
from stream_app.windowing.records import Record, Records


@pytest.fixture
def store() -> MonotoneStore:
    """Values are numbers as text; the greater is the younger."""
    app = App("group", fetching=Fetching(batched=frozenset()), broker="kafka://127.0.0.1:1")
    app.finalize()
    return app.state_table("counts", 2, age=lambda key, value: int(value), recovered=lambda: None).data


def changelog(*entries: tuple[bytes, bytes | None], partition: int = 0) -> list[SimpleNamespace]:
    """One event, as a poll of the changelog's partition becomes one."""
    tp = TP("group-counts-changelog", partition)
    records = [Record(tp.topic, partition, i, 0, key, value) for i, (key, value) in enumerate(entries)]
    return [SimpleNamespace(message=RecordBatch(tp, records))]


def recover(store: MonotoneStore, events: list[SimpleNamespace]) -> dict[bytes, bytes]:
    store.apply_changelog_batch(events, to_key=None, to_value=None)
    return dict(store.data)


async def test_a_late_write_of_a_former_owner_does_not_replace_a_younger_value(store: MonotoneStore) -> None:
    assert recover(store, changelog((b"k", b"5"), (b"k", b"9"), (b"k", b"7"))) == {b"k": b"9"}
    assert store.uncovered() == [(0, b"k", b"9")]
    assert store.uncovered() == []


async def test_what_recovery_finds_covered_and_then_uncovered_needs_no_word(store: MonotoneStore) -> None:
    recover(
        store, changelog((b"k", b"9"), (b"k", b"7"), (b"k", b"9"), (b"gone", b"9"), (b"gone", b"7"), (b"gone", None))
    )
    recover(store, changelog((b"of another", b"9"), (b"of another", b"7"), partition=1))
    await store.on_recovery_completed({TP("group-counts-changelog", 0)}, set())
    assert store.uncovered() == []


class Life:
    """A worker, its changelog on a broker, and a former owner that writes there too. Values are numbers as text.

    log: what Kafka has. The worker's own writes wait in its producer; acks and the log come back when they are asked
    for. covered: of how many the worker was told that they were covered.
    """

    def __init__(self) -> None:
        self.app = App("group", fetching=Fetching(batched=frozenset()), broker="kafka://127.0.0.1:1")
        self.app.finalize()
        self.app.ready = True
        self.covered = 0
        self.app.when_covered = self._count
        self.table = self.app.state_table("counts", 2, age=lambda key, value: int(value), recovered=lambda: None)
        self.table.send_changelog = self._send
        self.log: list[tuple[bytes, bytes | None]] = []
        self._waiting: deque[tuple[bytes, bytes | None, asyncio.Future[object]]] = deque()
        self._acks: deque[tuple[int, asyncio.Future[object]]] = deque()
        self._read = 0

    def _count(self, number: int) -> None:
        self.covered += number

    def _send(self, partition: int, key: bytes, value: bytes | None, **_: object) -> asyncio.Future[object]:
        written: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, value, written))
        return written

    def put(self, key: bytes, value: bytes | None) -> None:
        self.table.put(0, key, value)

    def late(self, key: bytes, value: bytes) -> None:
        """A former owner's write arrives."""
        self.log.append((key, value))

    def arrive(self, number: int = 1 << 30) -> None:
        """So many of the worker's own writes do."""
        for _ in range(min(number, len(self._waiting))):
            key, value, written = self._waiting.popleft()
            self._acks.append((len(self.log), written))
            self.log.append((key, value))

    async def acknowledge(self, number: int = 1 << 30) -> None:
        for _ in range(min(number, len(self._acks))):
            offset, written = self._acks.popleft()
            written.set_result(SimpleNamespace(offset=offset))
        await asyncio.sleep(0)

    def read_back(self, number: int = 1 << 30, *, as_faust_does: bool = False) -> None:
        """as_faust_does: as while the worker is not ready, and of a poll that had begun before it was."""
        part = self.log[self._read : self._read + number]
        if part and as_faust_does:
            self.table.data.apply_changelog_batch(changelog(*part), None, None)
        elif part:
            offsets = np.arange(self._read, self._read + len(part))
            keys, values = [key for key, _ in part], [value for _, value in part]
            self.table.read_back(Records("counts", 0, offsets, 0 * offsets, keys, values))
        self._read += len(part)

    async def rebalance(self) -> None:
        """It keeps its partition."""
        await self.table.data.on_recovery_completed({TP("group-counts-changelog", 0)}, set())

    async def settle(self, *, as_faust_does: bool = False) -> int:
        """Until nothing is under way and the time for late writes has passed; how many writes that took."""
        before = len(self.log)
        quiet = False
        while not quiet:
            while self._waiting or self._acks or self._read < len(self.log):
                self.arrive()
                await self.acknowledge()
                self.read_back(as_faust_does=as_faust_does)
                assert len(self.log) < before + 1000, "it never ends"
            self.table.uncover()
            quiet = not self._waiting
        return len(self.log) - before

    @property
    def compacted(self) -> dict[bytes, bytes]:
        """What compaction leaves."""
        return {key: value for key, value in dict(self.log).items() if value is not None}


async def test_a_late_write_behind_the_last_own_one_is_written_over() -> None:
    life = Life()
    life.put(b"k", b"5")
    life.put(b"k", b"9")
    await life.settle()
    life.late(b"k", b"7")
    await life.settle()
    assert life.log == [(b"k", b"5"), (b"k", b"9"), (b"k", b"7"), (b"k", b"9")]
    assert life.covered == 1


async def test_own_writes_are_not_written_again_however_late_they_are_read_back() -> None:
    life = Life()
    for number in range(1, 6):
        life.put(b"k", b"%d" % number)
        life.arrive()
        if number % 2:
            await life.acknowledge()
    life.put(b"k", None)
    life.read_back(3)
    life.arrive()
    await life.acknowledge()
    life.read_back(1)
    await life.settle()
    assert (len(life.log), life.covered) == (6, 0)


async def test_a_late_write_before_an_own_one_is_left_alone() -> None:
    life = Life()
    life.put(b"k", b"9")
    life.late(b"k", b"7")
    life.read_back()
    assert await life.settle() == 1
    assert life.covered == 0


async def test_a_late_write_behind_a_tombstone_is_deleted_again_and_the_store_never_has_it() -> None:
    life = Life()
    life.put(b"k", b"5")
    life.put(b"k", None)
    await life.settle()
    life.late(b"k", b"5")
    await life.settle()
    assert (life.compacted, dict(life.table.data.data), life.covered) == ({}, {}, 1)


async def test_what_recovery_finds_covered_is_written_again() -> None:
    life = Life()
    recover(life.table.data, changelog((b"k", b"9"), (b"k", b"7")))
    life.log, life._read = [(b"k", b"9"), (b"k", b"7")], 2
    await life.rebalance()
    life.table.uncover()
    await life.settle()
    assert (life.compacted, life.covered) == ({b"k": b"9"}, 1)


async def test_what_comes_by_fausts_way_behind_a_recovery_is_written_over_too() -> None:
    life = Life()
    life.put(b"k", b"9")
    await life.settle(as_faust_does=True)
    life.late(b"k", b"7")
    await life.settle(as_faust_does=True)
    life.late(b"k", b"8")
    await life.settle()
    assert (life.compacted, life.covered) == ({b"k": b"9"}, 2)


async def test_in_a_rebalance_nothing_is_written_over_but_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_PATIENCE_SECONDS", 0.01)
    life = Life()
    life.put(b"k", b"9")
    await life.settle()
    life.app.ready = False
    life.late(b"k", b"7")
    life.read_back()
    await asyncio.sleep(0.1)
    assert life.covered == 0
    life.app.ready = True
    await asyncio.sleep(0.1)
    await life.settle()
    assert (life.compacted, life.covered) == ({b"k": b"9"}, 1)


async def test_a_worker_that_has_lost_the_partition_writes_nothing_over_once_it_knows() -> None:
    life = Life()
    life.put(b"k", b"5")
    life.put(b"gone", b"5")
    life.put(b"gone", None)
    await life.settle()
    life.late(b"k", b"9")  # the new owner's, before what this one still had to write
    life.late(b"k", b"5")
    life.late(b"gone", b"6")
    life.read_back()
    await life.table.data.on_recovery_completed({TP("group-counts-changelog", 1)}, set())
    life.table.uncover()
    await life.settle()
    assert (life.covered, len(life.log)) == (0, 6)


async def test_many_late_writes_of_a_key_are_written_over_once() -> None:
    life = Life()
    life.put(b"k", b"99")
    life.put(b"deleted by the former owner too", b"99")
    await life.settle()
    for number in range(50):
        life.late(b"k", b"%d" % number)
    life.late(b"deleted by the former owner too", b"7")
    life.log.append((b"deleted by the former owner too", None))
    assert await life.settle() == 1
    assert (life.compacted, life.covered) == ({b"k": b"99"}, 1)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "end", "late", "arrive", "ack", "read"]), st.integers(0, 2), st.integers(1, 3)
        )
    )
)
def test_whatever_comes_when_compaction_leaves_what_the_owner_holds(steps: list[tuple[str, int, int]]) -> None:
    async def live() -> None:
        life, count = Life(), 0
        ever: dict[bytes, list[bytes]] = {b"%d" % number: [] for number in range(3)}
        ended: set[bytes] = set()
        for step, which, number in steps:
            key = b"%d" % which
            if step in ("put", "end") and key not in ended:
                count += 1
                ever[key].append(b"%d" % count)
                life.put(key, ever[key][-1])
                if step == "end":  # as a window: its last counts are written before it is deleted
                    ended.add(key)
                    life.put(key, None)
            elif step == "late" and ever[key]:
                life.late(key, ever[key][-number % len(ever[key])])
            elif step == "arrive":
                life.arrive(number)
            elif step == "ack":
                await life.acknowledge(number)
            elif step in ("read", "faust"):
                life.read_back(number, as_faust_does=step == "faust")
            elif step == "rebalance":
                await life.rebalance()
            elif step == "uncover":
                life.table.uncover()
        await life.settle()
        assert life.compacted == {key: values[-1] for key, values in ever.items() if values and key not in ended}
        assert life.compacted == dict(life.table.data.data)
        assert await life.settle() == 0

    asyncio.run(live())


async def test_the_same_age_is_replaced_by_what_comes_later(store: MonotoneStore) -> None:
    assert recover(store, changelog((b"k", b"5"), (b"k", b"05"))) == {b"k": b"05"}


async def test_a_tombstone_deletes(store: MonotoneStore) -> None:
    assert recover(store, changelog((b"k", b"5"), (b"other", b"1"), (b"k", None))) == {b"other": b"1"}


async def test_read_back_beside_live_writes_only_what_is_younger_is_news(store: MonotoneStore) -> None:
    store.hold(0, b"own", b"5")
    store.hold(0, b"overtaken", b"05")  # as old as 5
    store.read_back(0, [b"own", b"own", b"overtaken"], [b"4", b"9", b"5"])
    assert dict(store.data) == {b"own": b"9", b"overtaken": b"05"}


async def test_read_back_of_a_new_owner_brings_new_keys_and_takes_ended_ones(store: MonotoneStore) -> None:
    store.hold(0, b"ended", b"5")
    store.read_back(0, [b"new", b"ended", b"never there"], [b"1", None, None])
    assert dict(store.data) == {b"new": b"1"}
    await store.on_recovery_completed({TP("group-counts-changelog", 1)}, set())
    assert not store.data  # it is known as a key of its partition


async def test_read_back_of_what_a_newer_build_wrote_is_kept_for_restoring_to_say_it(store: MonotoneStore) -> None:
    def age(key: bytes, value: bytes) -> int:
        raise InvalidMessage("newer")

    store.age = age
    store.hold(0, b"k", b"5")
    store.read_back(0, [b"k"], [b"of a newer build"])
    assert dict(store.data) == {b"k": b"of a newer build"}


async def test_keys_of_a_lost_partition_are_forgotten_also_those_written_live(store: MonotoneStore) -> None:
    store.hold(0, b"kept", b"1")
    store.hold(1, b"lost", b"1")
    recover(store, changelog((b"recovered", b"1"), partition=1))
    await store.on_recovery_completed({TP("group-counts-changelog", 0)}, set())
    assert dict(store.data) == {b"kept": b"1"}


async def test_what_the_changelog_refuses_is_taken_back_and_reported() -> None:
    app = App("group", fetching=Fetching(batched=frozenset()), broker="kafka://127.0.0.1:1")
    app.finalize()
    reported: list[BaseException] = []
    app.when_unwritten = reported.append
    table = app.state_table("counts", 2, age=lambda key, value: 0, recovered=lambda: None)
    table.put(0, b"k", b"kept").set_result(None)
    await asyncio.sleep(0)
    refused = [table.put(0, b"k", b"lost"), table.put(0, b"new", b"lost"), table.put(0, b"k", None)]
    refused[1].set_exception(ConnectionError("new"))
    refused[2].set_exception(ConnectionError("the tombstone"))
    await asyncio.sleep(0)
    assert table.stored() == [(b"k", b"lost")]
    refused[0].set_exception(ConnectionError("k"))
    await asyncio.sleep(0)
    assert table.stored() == [(b"k", b"kept")]
    assert [str(error) for error in reported] == ["new", "the tombstone", "k"]
