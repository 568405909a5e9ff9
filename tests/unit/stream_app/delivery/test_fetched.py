"""What is asked of aiokafka's own notes on a partition: when it was answered, and whether it was read to its end."""

from __future__ import annotations

from collections import defaultdict, deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition
from faust.types import TP

from stream_app.delivery.consumer import Consumer

HERE = TP("predictions", 3)


@pytest.fixture
async def state() -> SubscriptionState:
    """The partition is assigned, and nothing was fetched yet."""
    state = SubscriptionState()
    state.assign_from_user({TopicPartition(*HERE)})
    return state


@pytest.fixture
async def consumer(state: SubscriptionState) -> Any:
    """Without a broker, thread or app."""
    consumer = Consumer.__new__(Consumer)
    consumer._thread = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_subscription=state))
    consumer._delivered = defaultdict(deque)
    return consumer


def fetched(state: SubscriptionState, position: int, highwater: int) -> None:
    """As aiokafka's fetcher notes it."""
    notes = state.subscription.assignment.state_value(TopicPartition(*HERE))
    notes.reset_to(position)
    notes.highwater, notes.timestamp = highwater, 1_800_000_000_000


async def test_before_the_first_answer_nothing_is_known(consumer: Any) -> None:
    assert consumer.answered(HERE) is None
    assert not consumer.drained(HERE)


async def test_a_partition_of_somebody_else_is_not_known(consumer: Any) -> None:
    assert consumer.answered(TP("predictions", 4)) is None
    assert not consumer.drained(TP("predictions", 4))


@pytest.mark.parametrize(("position", "drained"), [(9, False), (10, True)])
async def test_a_partition_is_drained_when_it_was_fetched_to_its_end(
    consumer: Any, state: SubscriptionState, position: int, drained: bool
) -> None:
    fetched(state, position, highwater=10)
    assert consumer.answered(HERE) == 1_800_000_000_000
    assert consumer.drained(HERE) is drained


async def test_it_is_not_drained_while_a_batch_of_it_is_unfinished(consumer: Any, state: SubscriptionState) -> None:
    fetched(state, 10, highwater=10)
    batch = SimpleNamespace(acked=False)
    consumer._delivered[HERE].append(batch)
    assert not consumer.drained(HERE)
    batch.acked = True
    assert consumer.drained(HERE)
