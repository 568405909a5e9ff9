"""The cure of Faust's recovery does its work, and is still needed: the same lives of a worker, with it and without.

The day `..._loses_records` fails is a good day: Faust (tables/recovery.py) or aiokafka (consumer/fetcher.py) has
mended what docs/decisions/0003-faust-recovery.md describes. Read the new code, make sure that it is not merely the
timing that has changed (`python -m tests.faust_recovery BOOTSTRAP`), then take the override out of
stream_app/delivery/consumer.py, with its tests, and say so in the decision.
"""

from __future__ import annotations

from tests.faust_recovery import Consumer, GoesOn, LiveSet, StockRecovery, lived
from tests.servers.verbs import Broker

TRIES = 10
"""For what needs luck: that a fetch is pending at the moment at which the set becomes empty. Mostly the first is."""


async def test_with_the_cure_each_record_is_counted_once_however_long_recovery_takes(kafka: Broker) -> None:
    outcome = await lived(kafka.bootstrap, Consumer, tries=2)
    assert outcome.gaps == []
    assert outcome.counted == outcome.sent


async def test_with_the_cure_each_record_is_counted_once_where_a_rebalance_overtakes_a_recovery(kafka: Broker) -> None:
    outcome = await lived(kafka.bootstrap, Consumer, tries=3, overtaken=True)
    assert outcome.gaps == []
    assert outcome.counted == outcome.sent


async def test_without_the_cure_a_recovery_that_was_overtaken_resumes_what_the_next_one_clears(kafka: Broker) -> None:
    """Cause (C)."""
    outcome = await lived(kafka.bootstrap, GoesOn, tries=TRIES, overtaken=True)
    assert outcome.gaps, "it missed nothing: has upstream mended it? See the head of this file"
    assert outcome.counted < outcome.sent


async def test_without_the_cure_recovery_clears_queues_that_hold_records_and_loses_records(kafka: Broker) -> None:
    """Cause (A). What the queues held is passed over, and skipped when it is read again: the state is beyond it."""
    outcome = await lived(kafka.bootstrap, StockRecovery, tries=TRIES)
    assert outcome.gaps, "the stock consumer lost nothing: has upstream mended it? See the head of this file"
    assert outcome.counted < outcome.sent


async def test_without_the_view_a_pending_fetch_eats_what_nobody_asked_for_and_loses_records(kafka: Broker) -> None:
    """Cause (B), which in stock order a later seek mostly hides: with cause (A) cured it costs whole polls."""
    outcome = await lived(kafka.bootstrap, LiveSet, tries=TRIES)
    assert outcome.gaps, "the live set ate nothing: has aiokafka mended it? See the head of this file"
    assert outcome.counted < outcome.sent
