"""One timer for all the pauses of a connection; on a clock that is turned by hand."""

from collections.abc import Callable
from typing import Any

from api.http.idle import Idle


class Clock:
    """Of an event loop: its time, and its timers that were not taken back."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.made = 0

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], None]) -> Any:
        self.made += 1
        timer = (self.now + seconds, call)
        self.timers.append(timer)
        return _Timer(self, timer)

    def go_to(self, now: float) -> None:
        while due := [timer for timer in self.timers if timer[0] <= now]:
            self.now = due[0][0]
            self.timers.remove(due[0])
            due[0][1]()
        self.now = now


class _Timer:
    def __init__(self, clock: Clock, timer: tuple[float, Callable[[], None]]) -> None:
        self._clock, self._timer = clock, timer

    def cancel(self) -> None:
        self._clock.timers.remove(self._timer)


def an_idle(clock: Any) -> tuple[Idle, list[float]]:
    expired: list[float] = []
    return Idle(clock, 5, lambda: expired.append(clock.now)), expired


def test_a_connection_that_is_not_used_again_is_closed_after_its_time():
    clock = Clock()
    idle, expired = an_idle(clock)

    idle.begin()
    clock.go_to(4.9)
    assert expired == []
    clock.go_to(20)

    assert expired == [5]


def test_each_use_begins_the_time_anew():
    clock = Clock()
    idle, expired = an_idle(clock)

    for used in (0, 3, 6):
        clock.go_to(used)
        idle.cancel()
        idle.begin()
    clock.go_to(20)

    assert expired == [11]


def test_a_request_under_way_is_waited_for():
    clock = Clock()
    idle, expired = an_idle(clock)

    idle.begin()
    idle.cancel()
    clock.go_to(100)
    assert (expired, clock.timers) == ([], [])
    idle.begin()
    clock.go_to(200)

    assert expired == [105]


def test_a_thousand_requests_in_a_second_need_one_timer():
    clock = Clock()
    idle, _ = an_idle(clock)

    for number in range(1000):
        clock.go_to(number / 1000)
        idle.cancel()
        idle.begin()

    assert clock.made == 1


def test_nothing_is_left_of_a_connection_that_is_gone():
    clock = Clock()
    idle, expired = an_idle(clock)

    idle.end()
    idle.begin()
    idle.end()
    clock.go_to(100)

    assert (expired, clock.timers) == ([], [])
