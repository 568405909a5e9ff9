import asyncio
import sqlite3
from pathlib import Path

import pytest

from api.errors import IdempotencyAway, IdempotencyInProgress
from api.idempotency.ledger import Ledger
from api.idempotency.owners import Owners
from api.idempotency.store import Store
from api.idempotency.ticket import Ticket
from api.outbox.segments import Outcome
from api.telemetry import Telemetry
from tests.waiting import eventually


class CountingStore(Store):
    """How many operations each transaction had; the first `failures` of them fail."""

    sizes: list[int]
    failures = 0

    def run(self, operations):  # type: ignore[no-untyped-def]
        self.sizes.append(len(operations))
        if self.failures:
            self.failures -= 1
            raise IdempotencyAway("away")
        return super().run(operations)


def a_ledger(directory: Path) -> tuple[Ledger, CountingStore, Telemetry]:
    owners, telemetry = Owners(directory, "00", 1), Telemetry()
    store = CountingStore(directory / "keys.db", owners.own, keep_ms=1000, max_bytes=1 << 30)
    store.sizes = []
    return Ledger(store, owners, telemetry, now=lambda: 7, retry_seconds=0.01), store, telemetry


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


async def test_outcomes_are_tried_again_before_their_records_go_and_hold_them_back_for_seconds_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    ledger, store, _ = a_ledger(tmp_path)
    ticket = await take(ledger)
    store.failures = 2
    await ledger.remember([Outcome(b"d", ticket.taken, b"answer")])
    assert await ledger.take(b"d", b"body") == b"answer"

    store.failures = 3
    await ledger.remember([Outcome(b"d", ticket.taken, b"answer")])

    assert "1 answers are not kept" in caplog.text


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
