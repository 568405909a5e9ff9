"""How long one alert is tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.alerting.errors import DeliveryError, Refused, Retry
from stream_app.alerting.retry import Limits, Outcome, backoff, carry
from tests.alerting import an_alert
from tests.fakes import ManualClock, RecordingSink, half

LIMITS = Limits(attempts=5, give_up_after=100.0, first_delay=1.0, greatest_delay=60.0)


async def carried(*errors: DeliveryError, limits: Limits = LIMITS) -> tuple[Outcome, RecordingSink, ManualClock]:
    sink, clock = RecordingSink(errors), ManualClock()
    outcome = await carry(
        sink.deliver,
        an_alert(),
        b"{}",
        limits=limits,
        pause=clock.pause,
        random=half,
        clock=clock,
        failed=lambda attempts, why, wait: None,
    )
    return outcome, sink, clock


async def test_the_first_success_ends_it() -> None:
    outcome, sink, clock = await carried()
    assert outcome == Outcome("delivered", 1)
    assert (len(sink.delivered), clock.waits) == (1, [])


async def test_failures_are_repeated_with_doubling_waits_until_one_succeeds() -> None:
    outcome, _, clock = await carried(Retry("away"), Retry("away"), Retry("away"))
    assert outcome == Outcome("delivered", 4)
    assert clock.waits == [0.5, 1.0, 2.0]


async def test_a_refusal_is_final() -> None:
    outcome, sink, clock = await carried(Refused("the receiver answered 422"))
    assert outcome == Outcome("undeliverable", 1, "the receiver answered 422")
    assert (sink.attempts, clock.waits) == ([an_alert().id], [])


async def test_the_limit_of_attempts_is_kept_and_named() -> None:
    outcome, sink, _ = await carried(*[Retry("the receiver answered 503")] * 9)
    assert (outcome.kind, outcome.attempts, outcome.away, len(sink.attempts)) == ("undeliverable", 5, True, 5)
    assert outcome.detail == "5 attempts in 8 s, the limit of attempts; last: the receiver answered 503"


async def test_the_limit_of_time_is_kept_and_named() -> None:
    limits = Limits(attempts=1000, give_up_after=10.0, first_delay=1.0, greatest_delay=60.0)
    outcome, _, clock = await carried(*[Retry("away")] * 99, limits=limits)
    assert clock.waits == [0.5, 1.0, 2.0, 4.0]
    assert outcome.away
    assert outcome.detail == "5 attempts in 8 s, another 8 s would pass the limit of 10 s; last: away"


async def test_the_receivers_own_wait_is_kept_and_the_jitter_comes_on_top() -> None:
    _, _, clock = await carried(Retry("busy", after=30.0), Retry("busy", after=0.0))
    assert clock.waits == [30.5, 1.0]


async def test_a_receiver_that_asks_for_more_than_the_limit_ends_the_alert_at_once() -> None:
    outcome, sink, clock = await carried(Retry("busy", after=3600.0))
    assert outcome.detail == "1 attempt in 0 s, another 3600 s would pass the limit of 100 s; last: busy"
    assert (len(sink.attempts), clock.waits) == (1, [])


async def test_a_pause_that_says_stop_leaves_the_alert_for_later() -> None:
    sink, clock = RecordingSink([Retry("away")] * 3), ManualClock()

    async def stop(seconds: float) -> bool:
        return True

    outcome = await carry(
        sink.deliver,
        an_alert(),
        b"{}",
        limits=LIMITS,
        pause=stop,
        random=half,
        clock=clock,
        failed=lambda attempts, why, wait: None,
    )
    assert (outcome.kind, len(sink.attempts)) == ("interrupted", 1)


async def test_every_failure_that_will_be_repeated_is_told() -> None:
    seen: list[tuple[int, str, float]] = []
    sink, clock = RecordingSink([Retry("away"), Retry("busy", after=7.0)]), ManualClock()
    await carry(
        sink.deliver,
        an_alert(),
        b"{}",
        limits=LIMITS,
        pause=clock.pause,
        random=half,
        clock=clock,
        failed=lambda attempts, why, wait: seen.append((attempts, str(why), wait)),
    )
    assert seen == [(1, "away", 0.5), (2, "busy", 8.0)]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0.01, 100), st.floats(0.01, 1000))
def test_a_wait_lies_between_nothing_and_the_greatest(n: int, u: float, first: float, greatest: float) -> None:
    limits = Limits(attempts=1, give_up_after=1.0, first_delay=first, greatest_delay=greatest)
    assert 0 <= backoff(n, limits, lambda: u) <= greatest
    assert backoff(n, limits, lambda: u) <= backoff(n + 1, limits, lambda: u)


@pytest.mark.parametrize("u", [0.0, 0.25, 0.999])
def test_the_jitter_is_full(u: float) -> None:
    assert backoff(3, LIMITS, lambda: u) == pytest.approx(4 * u)
