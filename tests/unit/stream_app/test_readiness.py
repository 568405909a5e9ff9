"""What passes is waited for with a line, what does not ends the waiting at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, errors
from aiokafka.consumer.fetcher import Fetcher

from stream_app import readiness
from stream_app.errors import BrokerError
from stream_app.readiness import Waiting, in_the_middle, passes, until_a_broker_is_ready, until_one_answers
from training.topics import ready

FENCED = errors.InvalidReplicationFactorError("Unable to replicate the partition 1 time(s): All brokers are fenced.")
PASSING = [
    errors.NodeNotReadyError("node id None"),
    errors.StaleMetadata("Broker id None not in current metadata"),
    errors.LeaderNotAvailableError(),
    errors.NotLeaderForPartitionError(),
    errors.GroupCoordinatorNotAvailableError(),
    errors.GroupLoadInProgressError(),
    errors.NotCoordinatorForGroupError(),
    errors.KafkaConnectionError(),
    errors.RequestTimedOutError(),
    errors.KafkaTimeoutError("Failed to get offsets by times in 40000 ms"),
    errors.KafkaError("Unable to get cluster metadata over all known brokers"),
    TimeoutError(),
    FENCED,
]
UNEXPECTED = errors.KafkaError("Unexpected error during data retrieval")
UNEXPECTED.__cause__ = ValueError("of a record")
LASTING = [
    UNEXPECTED,
    errors.TopicAuthorizationFailedError(),
    errors.AuthenticationFailedError(),
    errors.InvalidReplicationFactorError("only 1 broker(s) are registered"),
    errors.PolicyViolationError(),
    errors.UnsupportedVersionError(),
    ValueError(),
    BrokerError("for a reason of our own"),
]


def caused_by(error: Exception) -> BrokerError:
    told = BrokerError("Kafka does not create topic t")
    told.__cause__ = error
    return told


def answers(*results: Exception | str) -> Callable[[], Awaitable[str]]:
    left = list(results)

    async def ask() -> str:
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, Exception):
            raise result
        return result

    return ask


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_a_broker_that_is_not_ready_says_passes(error: Exception) -> None:
    assert passes(error)
    assert passes(caused_by(error))


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_a_later_answer_cannot_mend_does_not(error: Exception) -> None:
    assert not passes(error)
    assert not passes(caused_by(error))


async def test_the_answer_comes_in_the_end_and_it_is_said_once_what_is_waited_for() -> None:
    said: list[str] = []
    found = await Waiting("a:1", 10, said.append).until_ready(answers(PASSING[0], caused_by(FENCED), "well"))
    assert found == "well"
    assert said == [
        "Kafka at a:1 is not ready: NodeNotReadyError('node id None'); trying for 10 s (STREAM_BROKER_WAIT_SECONDS)"
    ]


async def test_how_long_is_left_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "Seldom", partial(readiness.Seldom, seconds=0.5))
    said: list[str] = []
    asked = answers(PASSING[0], PASSING[0], caused_by(FENCED), "well")  # at 0, .25 and .75 s
    await Waiting("a:1", 10, said.append).until_ready(asked)
    assert re.fullmatch(r"Kafka does not create topic t; [789] s left", said[1])
    assert len(said) == 2


async def test_a_broker_that_goes_away_in_a_start_is_waited_for_without_an_end_and_with_few_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readiness, "Seldom", partial(readiness.Seldom, seconds=1.0))
    away = errors.KafkaConnectionError("nobody")
    await until_one_answers(answers(away, away, away, "well"), lambda: False)  # at 0, .5 and 1.5 s
    first, later = [record.getMessage() for record in caplog.records]
    assert first == "no Kafka answers any more: KafkaConnectionError: nobody; waiting for it without an end"
    assert re.fullmatch(r"no Kafka answers any more: KafkaConnectionError: nobody; waited for \d s so far", later)


async def test_a_start_that_is_told_to_stop_waits_no_longer() -> None:
    with pytest.raises(errors.KafkaConnectionError):
        await until_one_answers(answers(errors.KafkaConnectionError("nobody")), lambda: True)


class NobodyKnown:
    """A consumer that was started and knows no broker."""

    def __init__(self) -> None:
        self._client = self.cluster = self
        self.asked = 0

    def brokers(self) -> set[object]:
        return set()

    async def force_metadata_update(self) -> bool:
        self.asked += 1
        return False


async def test_a_member_that_is_told_to_stop_waits_no_longer_for_a_broker_that_is_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    consumer = NobodyKnown()
    async with asyncio.timeout(10):
        await until_a_broker_is_ready(consumer, lambda: True)
    assert (consumer.asked, caplog.records) == (1, [])


async def test_what_lasts_is_raised_at_once_and_nothing_is_said() -> None:
    said: list[str] = []
    with pytest.raises(errors.TopicAuthorizationFailedError):
        await Waiting("a:1", 10, said.append).until_ready(answers(errors.TopicAuthorizationFailedError(), "well"))
    assert said == []


async def test_in_the_end_the_line_says_how_long_it_was_waited_for() -> None:
    with pytest.raises(BrokerError, match=r"Kafka at a:1 is not ready: LeaderNotAvailableError\(\); waited for \d s"):
        await Waiting("a:1", 0.5, print).until_ready(answers(errors.LeaderNotAvailableError()))


async def test_somebody_who_looks_on_is_not_told_of_a_moment() -> None:
    said: list[str] = []
    await Waiting("a:1", 10, said.append, looked_on=True).until_ready(answers(PASSING[0], "well"))
    assert said == []


async def test_somebody_who_says_the_error_himself_hears_it_and_nothing_before() -> None:
    said: list[str] = []
    with pytest.raises(BrokerError, match=r"Kafka at a:1 is not ready: .*; waited for \d s"):
        await Waiting("a:1", 2.5, said.append, looked_on=True).silent().until_ready(answers(PASSING[0]))
    assert said == []


def test_what_aiokafka_did_not_expect_is_in_the_line_as_its_log_is_not_shown_and_no_reason_to_try_again() -> None:
    unexpected = "KafkaError: Unexpected error during data retrieval (ValueError('of a record'))"
    assert str(in_the_middle("a:1", UNEXPECTED)) == f"Kafka at a:1: {unexpected}"


class Connections:
    """Those of a consumer whose broker went away."""

    closed = False

    async def send(self, node: int, request: object) -> None:
        raise errors.KafkaConnectionError("Connection at a:1 closed")

    async def close(self) -> None:
        self.closed = True


class Fetching(Fetcher):
    """aiokafka's own, of which one fetch has failed and waits for its next try."""

    def __init__(self, connections: Any) -> None:
        self._client, self._retry_backoff, self._fetch_waiters = connections, 60, set()
        self._fetch_task = asyncio.create_task(asyncio.sleep(60))
        self._pending_tasks = {asyncio.create_task(self._proc_fetch_request(None, 0, None))}

    def _invalidate_preferred_read_replica_for_node(self, *_: object) -> None: ...


@pytest.mark.parametrize("stopped", [readiness.stopped, ready.stopped])
async def test_a_consumer_whose_fetch_waits_for_its_next_try_is_stopped_like_any_other(
    stopped: Callable[[AIOKafkaConsumer], Awaitable[None]],
) -> None:
    consumer = AIOKafkaConsumer("t", bootstrap_servers="127.0.0.1:1")
    consumer._client = connections = Connections()
    consumer._fetcher = Fetching(connections)
    await asyncio.sleep(0.01)
    await stopped(consumer)
    assert connections.closed
