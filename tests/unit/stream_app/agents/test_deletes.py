"""Stage 2: what is deleted is acknowledged elsewhere first: a refusal in between loses nothing, no report waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from contracts.partials import encode_partial
from stream_app.windowing.merged_state import (
    PartKey,
    VersionKey,
    VersionRecord,
    decode_version,
    parse_merged_key,
    part_key,
    version_key,
)
from tests.builders import NOON_MS, a_baseline
from tests.unit.stream_app.agents.stand import Stand
from tests.unit.stream_app.agents.test_merging import a_partial, batch, beats, merging, one_window, topics

VERSION = version_key(VersionKey(0, "flights", "1"))


@pytest.fixture
def stand() -> Stand:
    return Stand(a_baseline())


def version(stand: Stand) -> VersionRecord:
    return decode_version(stand.store.values[VERSION])


def refuse_versions(stand: Stand) -> Callable[[], None]:
    """The changelog takes no version's record, and all else; call what is returned to end it."""
    put = stand.store.put

    def refusing(partition: int, key: bytes, value: bytes | None) -> asyncio.Future[object]:
        stand.store.refusals = int(isinstance(parse_merged_key(key), VersionKey))
        return put(partition, key, value)

    def end() -> None:
        stand.store.put, stand.store.refusals = put, 0

    stand.store.put = refusing  # type: ignore[method-assign]
    return end


async def test_a_part_that_a_restore_found_late_is_there_until_its_rows_are_counted_as_late(stand: Stand) -> None:
    await merging(stand).handle(batch(one_window(stand)))
    missed = part_key(PartKey(0, "flights", "1", NOON_MS, 1))
    stand.store.values[missed] = encode_partial(a_partial(stand.baselines.by_version["flights", "1"], 1, 200))
    agent, end = merging(stand), refuse_versions(stand)
    stand.source.stopping = True  # the worker ends where its state cannot be written
    await agent.handle(batch(beats(2), first=4))
    assert missed in stand.store.values
    assert version(stand).late_rows == 0
    end()
    stand.source.stopping = False
    await merging(stand).handle(batch(beats(2), first=4))
    assert missed not in stand.store.values
    assert version(stand).late_rows == 50


async def test_parts_are_there_until_their_windows_close_is_acknowledged(stand: Stand) -> None:
    parts = [part_key(PartKey(0, "flights", "1", NOON_MS, number)) for number in (0, 1)]
    agent, end = merging(stand), refuse_versions(stand)
    stand.source.stopping = True
    await agent.handle(batch(one_window(stand)))
    assert all(part in stand.store.values for part in parts)
    end()
    stand.source.stopping = False
    await merging(stand).handle(batch(beats(1), first=4))
    first, second = [sent.value for sent in stand.outlet.sent if sent.topic == "drift-reports"]
    assert first == second
    assert not any(part in stand.store.values for part in parts)
    assert (version(stand).reports, version(stand).reported_rows) == (1, 300)


async def test_no_report_of_a_batch_waits_until_a_close_is_acknowledged_or_a_part_deleted(stand: Stand) -> None:
    baseline = stand.baselines.by_version["flights", "1"]
    windows = [a_partial(baseline, number, 150, window=window) for window in (0, 1, 2) for number in (0, 1)]
    before: list[list[bool]] = []
    stand.outlet.before_ack["drift-reports"] = lambda: before.append(
        [value is None for *_, value in stand.store.writes]
    )
    put, acks = stand.store.put, list[asyncio.Future[object]]()

    def slow(partition: int, key: bytes, value: bytes | None) -> asyncio.Future[object]:
        stand.store.deaf = isinstance(parse_merged_key(key), VersionKey)
        acks.append(put(partition, key, value))
        return acks[-1]

    stand.store.put = slow  # type: ignore[method-assign]
    handling = asyncio.ensure_future(merging(stand).handle(batch([*windows, *beats(3)])))
    for _ in range(100):
        await asyncio.sleep(0)
    assert topics(stand).count("drift-reports") == 3  # no close is acknowledged
    assert not any(any(deletes) for deletes in before)
    assert not any(value is None for *_, value in stand.store.writes)
    for ack in acks:
        if not ack.done():
            ack.set_result(None)
    await handling
    assert sum(value is None for *_, value in stand.store.writes) == 6
