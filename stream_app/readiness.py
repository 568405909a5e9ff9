"""A broker that answers and is not ready yet is waited for: just started, fenced by its controller, electing leaders.

aiokafka says of each error whether it passes (`retriable`), and is right about all that a start can meet. Added here:
what it calls neither, and passes all the same.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
)

from stream_app.errors import BrokerError

_log = logging.getLogger(__name__)
T = TypeVar("T")
_KNOWN_PAUSE = 0.5
_FIRST_PAUSE, _GREATEST_PAUSE = 0.25, 2.0
_QUIET_SECONDS = 1.5
"""Somebody who looks on is told after this; an election takes less, and a line of it would only worry."""


def passes(error: BaseException) -> bool:
    """Whether the same question may be answered a moment later. A BrokerError: what its cause says.

    >>> passes(InvalidReplicationFactorError("All brokers are currently fenced."))
    True
    >>> passes(InvalidReplicationFactorError("only 1 broker(s) are registered"))
    False
    """
    if isinstance(error, BrokerError):
        return error.__cause__ is not None and passes(error.__cause__)
    if isinstance(error, InvalidReplicationFactorError):  # one code for a mistake and for a broker's bad moment
        return "fenced" in str(error)
    if isinstance(error, KafkaError):
        # aiokafka repeats what passes and at its limit says KafkaTimeoutError; the bare class: it knows no broker yet.
        # With a cause the bare class is what one of its tasks did not expect and ended of: no later answer comes.
        unknown = type(error) is KafkaError and error.__cause__ is None
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError) or unknown
    return isinstance(error, TimeoutError)


def in_the_middle(address: str, error: KafkaError, what: str = "") -> BrokerError:
    """For a command that was connected, and then got no answer. What aiokafka did not expect is the cause of its error.

    >>> print(in_the_middle("kafka:9092", KafkaTimeoutError("no offsets in 40 s")))
    Kafka at kafka:9092: KafkaTimeoutError: no offsets in 40 s: it is away or not ready; try again when it is
    """
    advice = ": it is away or not ready; try again when it is" if passes(error) else ""
    cause = "" if error.__cause__ is None else f" ({error.__cause__!r})"
    return BrokerError(f"Kafka at {address}: {what}{error}{cause}{advice}")


def check_ready(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Raises NodeNotReadyError. While every broker is fenced, a client starts and knows none. The coordinator of its
    group is then looked for once and never again: an AssertionError in a task of aiokafka's, and no partition comes.
    """
    if not (client.client if isinstance(client, AIOKafkaProducer) else client._client).cluster.brokers():
        raise NodeNotReadyError("it names no broker that is ready")


async def until_one_answers(start: Callable[[], Awaitable[None]], stopping: Callable[[], bool]) -> None:
    """Start a consumer or producer: Kafka was there a moment ago, so it is waited for, without an end, as by a worker
    that counts already. Raises when it is stopping.

    start: its own. Where it raises KafkaConnectionError it has left nothing behind, and may be called again.
    """
    await _without_end(start, KafkaConnectionError, "no Kafka answers any more", stopping)


async def until_a_broker_is_ready(consumer: AIOKafkaConsumer, stopping: Callable[[], bool]) -> None:
    """Between the start of a consumer and its joining a group; see check_ready. Returns early when it is stopping."""

    async def ask() -> None:
        try:
            check_ready(consumer)
        except NodeNotReadyError:
            await consumer._client.force_metadata_update()
            check_ready(consumer)

    with suppress(NodeNotReadyError):
        await _without_end(ask, NodeNotReadyError, "Kafka is not ready", stopping)


async def _without_end(
    ask: Callable[[], Awaitable[None]], passing: type[KafkaError], words: str, stopping: Callable[[], bool]
) -> None:
    loop, told, pause = asyncio.get_running_loop(), Seldom(_log.warning), _KNOWN_PAUSE
    began = loop.time()
    while True:
        try:
            return await ask()
        except passing as error:
            if stopping():
                raise
            waited, line = loop.time() - began, f"{words}: {error}"
            told(f"{line}; waiting for it without an end", f"{line}; waited for {waited:.0f} s so far")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _GREATEST_PAUSE)


async def stopped(consumer: AIOKafkaConsumer) -> None:
    """Stop it. aiokafka stops half-way while a fetch waits for its next try, with the CancelledError of that fetch, as
    if the caller had been cancelled.
    """
    found = (await asyncio.gather(consumer.stop(), return_exceptions=True))[0]
    if isinstance(found, asyncio.CancelledError):
        await consumer._client.close()
    elif found is not None:
        raise found


@contextmanager
def not_fetching(consumer: AIOKafkaConsumer) -> Iterator[None]:
    """Within, no new fetch is sent. An answer comes behind the one to the fetch before it, which waits half a second
    for records: each question would take as long, and meet a broker that is ready now and then by chance only.
    """
    held = consumer.assignment() - consumer.paused()
    consumer.pause(*held)
    try:
        yield
    finally:
        consumer.resume(*(held & consumer.assignment()))


class Seldom:
    """Says the first line that it is given, and once in half a minute a later one: of what is tried again and again."""

    def __init__(self, say: Callable[[str], None], seconds: float = 30.0) -> None:
        self._say, self._seconds, self._due = say, seconds, -math.inf

    def __call__(self, first: str, later: str) -> None:
        """later: said in place of `first` where that was said before."""
        now = time.monotonic()
        if now >= self._due:
            self._say(first if self._due == -math.inf else later)
            self._due = now + self._seconds


class Waiting:
    """seconds: that each question may take until its answer, beyond the first. say: hears what is waited for, and once
    in half a minute how long is left.

    looked_on: by somebody who is not told of a moment, and did not choose the seconds.
    """

    def __init__(self, address: str, seconds: float, say: Callable[[str], None], *, looked_on: bool = False) -> None:
        self._address, self._seconds, self._say, self._looked_on = address, seconds, say, looked_on

    def silent(self) -> Waiting:
        """The same without a word: for somebody who asks again and again, and says himself what the error was."""
        return Waiting(self._address, self._seconds, lambda _: None, looked_on=self._looked_on)

    @property
    def trying(self) -> str:
        """For how long, and by which setting."""
        return f"trying for {self._seconds:g} s{'' if self._looked_on else ' (STREAM_BROKER_WAIT_SECONDS)'}"

    async def until_ready(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer. ask: may be called again after it raised. Raises BrokerError when the time is over, and at once
        what does not pass.
        """
        loop, told, pause = asyncio.get_running_loop(), Seldom(self._say), _FIRST_PAUSE
        began = loop.time()
        while True:
            try:
                return await ask()
            except (KafkaError, TimeoutError, BrokerError) as error:
                if not passes(error):
                    raise
                line = self._told(error)
                waited = loop.time() - began
                if waited + pause > self._seconds:
                    raise BrokerError(f"{line}; waited for {waited:.0f} s") from error
                if waited > _QUIET_SECONDS or not self._looked_on:
                    told(f"{line}; {self.trying}", f"{line}; {self._seconds - waited:.0f} s left")
                await asyncio.sleep(pause)
                pause = min(2 * pause, 1.0 if self._looked_on else _GREATEST_PAUSE)

    def _told(self, error: BaseException) -> str:
        return str(error) if isinstance(error, BrokerError) else f"Kafka at {self._address} is not ready: {error!r}"
