"""How often and how long one alert is tried: exponential backoff with full jitter, bounded by attempts and by time."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from contracts.alerts import DriftAlert
from stream_app.alerting.errors import DeliveryError, Refused, Retry


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """attempts and give_up_after (s) bound one alert; first_delay, greatest_delay (s) shape the backoff."""

    attempts: int
    give_up_after: float
    first_delay: float
    greatest_delay: float


class Outcome(msgspec.Struct, frozen=True):
    """What became of one alert. detail: why it could not be delivered. away: not because it was refused."""

    kind: Literal["delivered", "undeliverable", "interrupted"]
    attempts: int
    detail: str = ""
    away: bool = False


class Deliver(Protocol):
    """One attempt: `Sink.deliver`."""

    async def __call__(self, alert: DriftAlert, body: bytes) -> None: ...


def backoff(failures: int, limits: Limits, random: Callable[[], float]) -> float:
    """Seconds to wait after so many failures: uniform between 0 and min(greatest, first * 2^(failures - 1)).

    Full jitter keeps many senders from coming back at the same moment. random: uniform in [0, 1). Source: M. Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    >>> limits = Limits(attempts=9, give_up_after=60, first_delay=1, greatest_delay=5)
    >>> [backoff(failures, limits, lambda: 0.5) for failures in (1, 2, 3, 4, 2000)]
    [0.5, 1.0, 2.0, 2.5, 2.5]
    """
    doublings = min(failures - 1, 60)  # beyond this a float could overflow; the bound was reached long before
    return random() * min(limits.greatest_delay, limits.first_delay * 2.0**doublings)


def guarded(deliver: Deliver) -> Deliver:
    """A fault of the sink, which one alert may bring out, refuses that alert: it must not stop those behind it."""

    async def attempt(alert: DriftAlert, body: bytes) -> None:
        try:
            await deliver(alert, body)
        except DeliveryError:
            raise
        except Exception as error:
            # Where, but not the error's own text: nobody vouches that it holds no secret.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            raise Refused(f"a fault of the sink: {type(error).__name__} at {where}") from error

    return attempt


async def carry(
    deliver: Deliver,
    alert: DriftAlert,
    body: bytes,
    *,
    limits: Limits,
    pause: Callable[[float], Awaitable[bool]],
    random: Callable[[], float],
    clock: Callable[[], float],
    failed: Callable[[int, Retry, float], None],
) -> Outcome:
    """Try until the alert is delivered, refused, given up, or the pause says to stop.

    pause(seconds) returns True when the process is to stop; clock: monotonic seconds; failed(attempts, why, wait) is
    told of each attempt that will be repeated. A wait that the receiver asks for (Retry-After) is kept, and one that
    would not end within the limit ends the alert now rather than after a useless wait.
    """
    began, attempts = clock(), 0
    while True:
        attempts += 1
        try:
            await deliver(alert, body)
        except Refused as error:
            return Outcome("undeliverable", attempts, str(error))
        except Retry as error:
            spent = clock() - began
            # a sum: of many models that are asked to wait as long, no two come back at the same moment
            wait = (error.after or 0.0) + backoff(attempts, limits, random)
            tried = f"{attempts} attempt{'s' if attempts > 1 else ''} in {spent:.0f} s"
            if attempts >= limits.attempts:
                return Outcome("undeliverable", attempts, f"{tried}, the limit of attempts; last: {error}", away=True)
            if spent + wait > limits.give_up_after:
                why = f"{tried}, another {wait:.0f} s would pass the limit of {limits.give_up_after:g} s"
                return Outcome("undeliverable", attempts, f"{why}; last: {error}", away=True)
            failed(attempts, error, wait)
            if await pause(wait):
                return Outcome("interrupted", attempts, str(error))
        else:
            return Outcome("delivered", attempts)
