"""Watermark: monotone, and behind the greatest event time by the allowed lateness."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.windowing.watermark import Watermark

times = st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1)


@given(times, st.integers(0, 1000))
def test_it_is_the_greatest_event_time_less_the_lateness_whatever_the_order(events: list[int], lateness: int) -> None:
    watermark = Watermark(lateness)
    for time in events:
        watermark.observe(time)
    assert watermark.value == max(events) - lateness


@given(times, times)
def test_it_never_goes_back_whoever_moves_it(events: list[int], clock: list[int]) -> None:
    watermark, before = Watermark(5), -(1 << 50)
    for time, now in zip(events, clock, strict=False):
        watermark.observe(time)
        watermark.advance_idle(now)
        assert watermark.value is not None
        assert watermark.value >= before
        before = watermark.value


def test_before_the_first_event_no_window_is_over() -> None:
    assert not Watermark(0).passed(-(1 << 60))


def test_a_window_is_over_when_the_watermark_is_at_its_end() -> None:
    #   [0 ......... 100)[100 ......
    #                    ^ watermark
    watermark = Watermark(0)
    watermark.observe(99)
    assert not watermark.passed(100)
    watermark.observe(100)
    assert watermark.passed(100)


def test_moving_it_tells_whether_it_moved() -> None:
    watermark = Watermark(0)
    assert watermark.advance_idle(7)
    assert not watermark.advance_idle(7)
    assert watermark.advance_idle(8)
