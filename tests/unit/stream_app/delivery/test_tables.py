"""State tables: a recovery keeps the youngest value of each key, and a lost partition leaves nothing behind."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from faust.types import TP

from contracts.errors import InvalidMessage
from stream_app.delivery.batches import Fetching, RecordBatch
from stream_app.delivery.framework import App
from stream_app.delivery.tables import MonotoneStore
from stream_app.windowing.records import Record


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
    assert store.replaced == 1


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
