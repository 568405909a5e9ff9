import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from api.errors import IdempotencyAway, IdempotencyInProgress
from api.idempotency.ledger import _KEPT_MOST, Ledger
from api.idempotency.operations import Take
from api.idempotency.owners import Owners
from api.idempotency.store import Store
from api.idempotency.ticket import Ticket
from api.outbox.segments import Group, Outcome, Record
from api.telemetry import Telemetry
from tests.serving import an_outbox
from tests.waiting import eventually


class CountingStore(Store):
    """How many operations each transaction had; the first `failures` of them fail, and all while there is a defect."""

    sizes: list[int]
    failures = 0
    defect: Exception | None = None

    def run(self, operations):  # type: ignore[no-untyped-def]
        self.sizes.append(len(operations))
        if self.failures:
            self.failures -= 1
            raise IdempotencyAway("away")
        if self.defect is not None:
            raise self.defect
        return super().run(operations)


def a_ledger(directory: Path, **more: Any) -> tuple[Ledger, CountingStore, Telemetry]:
    owners, telemetry = Owners(directory, "00", 1), Telemetry()
    store = CountingStore(directory / "keys.db", owners.own, keep_ms=1000, max_bytes=1 << 30)
    store.sizes = []
    return Ledger(store, owners, telemetry, now=lambda: 7, retry_seconds=0.01, **more), store, telemetry


def unkept(telemetry: Telemetry) -> float | None:
    return telemetry.registry.get_sample_value("tidemark_api_idempotency_unkept_total")


async def take(ledger: Ledger, digest: bytes = b"d") -> Ticket:
    ticket = await ledger.take(digest, b"body")
    assert isinstance(ticket, Ticket)
    return ticket


async def test_what_arrives_together_is_one_transaction(tmp_path: Path):
    ledger, store, _ = a_ledger(tmp_path)

    await asyncio.gather(*(take(ledger, b"%d" % n) for n in range(50)))

    assert sum(store.sizes) == 50
    assert len(store.sizes) <= 3


async def test_an_answer_that_could_not_be_kept_is_kept_as_soon_as_that_is_possible(tmp_path: Path):
    ledger, store, telemetry = a_ledger(tmp_path)
    ticket = await take(ledger)
    store.failures = 1

    await ledger.finish(ticket, b"answer")

    with pytest.raises(IdempotencyInProgress):
        await ledger.take(b"d", b"body")
    await eventually(lambda: not ledger._unsaved, 20, "the answer in the store")
    assert await ledger.take(b"d", b"body") == b"answer"
    assert telemetry.registry.get_sample_value("tidemark_api_idempotency_failures_total") == 1


async def test_outcomes_are_tried_again_before_their_records_go(tmp_path: Path):
    ledger, store, telemetry = a_ledger(tmp_path)
    ticket = await take(ledger)
    store.failures = 2

    await ledger.remember([Outcome(b"d", ticket.taken, b"answer")])

    assert store.failures == 0
    assert await ledger.take(b"d", b"body") == b"answer"
    assert unkept(telemetry) == 0


async def test_an_answer_that_the_store_has_is_not_written_a_second_time(tmp_path: Path):
    ledger, store, _ = a_ledger(tmp_path)
    ticket = await take(ledger)
    await ledger.finish(ticket, b"answer")
    before = len(store.sizes)

    await ledger.remember([Outcome(b"d", ticket.taken, b"answer")])
    assert len(store.sizes) == before
    await ledger.remember([Outcome(b"d", ticket.taken, b"answer"), Outcome(b"of another process", 7, b"answer")])

    assert store.sizes[before:] == [1]


async def test_what_is_known_to_be_kept_is_bounded(tmp_path: Path):
    ledger, _, _ = a_ledger(tmp_path)

    await ledger.remember([Outcome(b"%d" % n, 7, b"answer") for n in range(_KEPT_MOST + 10)])

    assert len(ledger._kept) == _KEPT_MOST
    assert b"9" not in ledger._kept


async def test_a_store_that_is_broken_holds_back_the_first_slice_and_then_one_now_and_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A backlog of 1 GiB has some 4,000 slices, and the outbox fills meanwhile."""
    clock = [0.0]
    ledger, store, telemetry = a_ledger(tmp_path, stopwatch=lambda: clock[0])
    store.failures = 1000

    for n in range(500):
        await ledger.remember([Outcome(b"%d" % n, 7, b"answer")])
    assert len(store.sizes) == 3
    for n in range(500):  # a slice each second
        clock[0] += 1
        await ledger.remember([Outcome(b"%d" % n, 7, b"answer")])

    assert 3 < len(store.sizes) < 30
    assert unkept(telemetry) == 1000
    assert caplog.text.count("answers cannot be kept") == 1


async def test_a_store_that_works_again_is_used_again(tmp_path: Path):
    clock = [0.0]
    ledger, store, telemetry = a_ledger(tmp_path, stopwatch=lambda: clock[0])
    ticket = await take(ledger)
    store.failures = 3
    await ledger.remember([Outcome(b"lost", 7, b"answer")])
    await ledger.finish(ticket, b"answer")  # tells that it works
    other = await take(ledger, b"other")

    await ledger.remember([Outcome(b"other", other.taken, b"answer")])

    assert await ledger.take(b"other", b"body") == b"answer"
    assert unkept(telemetry) == 1


async def test_a_key_whose_event_was_sent_while_the_store_was_broken_is_answered_when_it_works(tmp_path: Path):
    """Its work raised behind the append, so that nobody finished it: its record would have."""
    ledger, store, _ = a_ledger(tmp_path)
    ticket = await take(ledger)
    store.failures = 3
    for _ in range(5):  # Kafka does not take the slice at first
        await ledger.remember([Outcome(b"d", ticket.taken, b"answer")])
    assert len(ledger._unsaved) == 1

    await eventually(lambda: not ledger._unsaved, 20, "the answer in the store")

    assert await ledger.take(b"d", b"body") == b"answer"
    assert ledger._open == {}


async def test_it_tells_how_many_requests_wait(tmp_path: Path):
    ledger, _, _ = a_ledger(tmp_path)
    takers = [asyncio.ensure_future(take(ledger, b"%d" % n)) for n in range(3)]
    await asyncio.sleep(0)
    assert ledger.waiting == 3
    tickets = await asyncio.gather(*takers)
    assert ledger.waiting == 0
    finishing = asyncio.ensure_future(ledger.finish(tickets[0], b"answer"))
    await asyncio.sleep(0)
    assert ledger.waiting == 1
    await finishing

    assert ledger.waiting == 0


async def test_whatever_the_store_raises_is_told_to_whoever_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    ledger, store, _ = a_ledger(tmp_path)
    store.defect = RuntimeError("a defect")

    with pytest.raises(IdempotencyAway):
        await ledger.take(b"d", b"body")
    store.defect = None

    assert "a defect" in caplog.text
    assert isinstance(await ledger.take(b"d", b"body"), Ticket)


async def test_a_dead_process_is_settled_once_for_all_who_ask_and_other_keys_are_served_meanwhile(tmp_path: Path):
    dead = Owners(tmp_path, "01", 1)
    left_behind = Store(tmp_path / "keys.db", dead.own, keep_ms=1000, max_bytes=1 << 30)
    keys = [b"%d" % n for n in range(300)]
    left_behind.run([Take(key, b"body", 7) for key in (*keys, b"free")])
    (tmp_path / "01").mkdir()
    outbox = an_outbox(tmp_path / "01", 1)
    for key in keys:
        outcome = Outcome(key, 7, b"answer")
        outbox.append(Group("flights/1", 0, [Record(b"k", "1", "", bytes(100_000), outcome)]))
    ledger, _, _ = a_ledger(tmp_path)

    asking = [asyncio.ensure_future(ledger.take(key, b"body")) for key in (keys[0], keys[-1], b"free")]
    served = 0
    while not any(one.done() for one in asking):
        await take(ledger, b"other %d" % served)
        served += 1

    assert served > 3
    assert (await asking[0], await asking[1]) == (b"answer", b"answer")
    assert isinstance(await asking[2], Ticket)


async def test_the_end_waits_for_what_is_being_kept(tmp_path: Path):
    ledger, _, _ = a_ledger(tmp_path)
    ticket = await take(ledger)
    finishing = asyncio.ensure_future(ledger.finish(ticket, b"answer"))
    await asyncio.sleep(0)

    await ledger.close()

    await finishing
    with sqlite3.connect(tmp_path / "keys.db") as keys:
        assert keys.execute("select answer from keys").fetchall() == [(b"answer",)]
    keys.close()
