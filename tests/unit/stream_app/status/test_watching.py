"""A watch goes on over what passes, says it once, and ends with what does not pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiokafka import errors

from stream_app.errors import BrokerError
from stream_app.readiness import in_the_middle
from stream_app.status.picture import Picture
from stream_app.status.watching import Watch
from tests.unit.stream_app.status.test_status import SEEN, picture_of

PICTURE = picture_of(SEEN)


def passed_on(error: errors.KafkaError) -> BrokerError:
    told = in_the_middle("a:1", error)
    told.__cause__ = error
    return told


SLOW = passed_on(errors.KafkaTimeoutError("no offsets"))
REFUSED = passed_on(errors.TopicAuthorizationFailedError("status"))


def moments(*found: Picture | BrokerError) -> Callable[[], Awaitable[Sequence[Picture]]]:
    left = list(found)

    async def read() -> Sequence[Picture]:
        found = left.pop(0)
        if isinstance(found, BrokerError):
            raise found
        return [found]

    return read


async def watched(*found: Picture | BrokerError, trouble: str | None = None) -> tuple[int, list[str]]:
    """How many pictures were shown until it ended with REFUSED, and what was said."""
    shown: list[Sequence[Picture]] = []
    said: list[str] = []
    with pytest.raises(BrokerError, match="TopicAuthorizationFailedError"):
        await Watch(shown.append, said.append).go_on(moments(*found, REFUSED), 0.0, lambda: trouble)
    return len(shown), said


async def test_what_passes_is_said_once_with_the_time_of_the_picture_above() -> None:
    number, said = await watched(PICTURE, SLOW, SLOW, PICTURE, SLOW)
    line = f"{SLOW}; the picture above is of {PICTURE.at:%H:%M:%S}Z"
    assert (number, said) == (2, [line, line])


async def test_what_differs_in_its_seconds_alone_is_not_said_again() -> None:
    nine, ten = (passed_on(errors.GroupCoordinatorNotAvailableError(f"waited for {seconds} s")) for seconds in (9, 10))
    assert await watched(nine, ten, nine) == (0, [str(nine)])
    assert await watched(nine, SLOW, ten) == (0, [str(nine), str(SLOW)])


async def test_before_the_first_picture_there_is_none_above() -> None:
    assert await watched(SLOW, PICTURE) == (1, [str(SLOW)])


async def test_what_was_said_already_is_not_said_in_other_words() -> None:
    assert await watched(PICTURE, SLOW, PICTURE, trouble="no Kafka answers at a:1") == (2, [])
