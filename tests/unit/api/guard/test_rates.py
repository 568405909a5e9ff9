"""TokenBucket: what it lets through is bounded in every span, and whoever waits as told gets through."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.guard.rates import TokenBucket

RATES = st.floats(0.1, 10_000)
BURSTS = st.integers(1, 5_000)
ASKED = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 6_000)), max_size=60)  # pause before, rows


@given(RATES, BURSTS, ASKED)
def test_in_no_span_do_more_rows_get_through_than_the_burst_and_the_rate_times_its_length(rate, burst, asked):
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    taken: list[tuple[float, int]] = []
    for pause, rows in asked:
        now += pause
        if bucket.take(rows, now) == 0.0:
            taken.append((now, rows))
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            rows = sum(rows for _, rows in taken[first : last + 1])
            allowed = burst + rate * (taken[last][0] - taken[first][0])
            assert rows <= allowed * (1 + 1e-9)


@given(RATES, BURSTS, ASKED, st.data())
def test_who_comes_back_after_the_time_it_was_told_gets_through(rate, burst, asked, data):
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    for pause, rows in asked:
        now += pause
        bucket.take(rows, now)
    rows = data.draw(st.integers(1, burst))
    wait = bucket.take(rows, now)
    assert bucket.take(rows, now + wait * (1 + 1e-9) + 1e-9) == 0.0 or wait == 0.0


@given(RATES, BURSTS, st.integers(1, 100))
def test_being_refused_costs_nothing(rate, burst, refusals):
    one, other = TokenBucket(rate, burst, 0.0), TokenBucket(rate, burst, 0.0)
    one.take(burst, 0.0)
    other.take(burst, 0.0)
    for _ in range(refusals):
        assert one.take(burst, 0.0) > 0.0
    assert one.take(1, 1 / rate) == other.take(1, 1 / rate)


@given(RATES, st.integers(1, 20), ASKED)
def test_one_row_is_lent_beyond_those_that_are_there_and_what_is_given_back_was_never_taken(rate, burst, asked):
    one, other, now = TokenBucket(rate, burst, 0.0), TokenBucket(rate, burst, 0.0), 0.0
    for pause, rows in asked:
        now += pause
        lent = 0
        while one.lend(now) == 0.0:
            lent += 1
        assert 1 <= lent <= burst + 1
        for _ in range(lent):
            one.give_back()
        assert one.take(rows, now) == pytest.approx(other.take(rows, now), abs=1e-6)


@given(RATES, BURSTS)
def test_a_new_bucket_holds_its_burst_and_no_more(rate, burst):
    bucket = TokenBucket(rate, burst, 100.0)
    assert bucket.take(burst, 100.0) == 0.0
    assert bucket.take(1, 100.0) == pytest.approx(1 / rate)


@given(RATES, BURSTS)
def test_an_idle_bucket_saves_up_no_more_than_its_burst(rate, burst):
    bucket = TokenBucket(rate, burst, 0.0)
    assert bucket.take(burst, 1e6) == 0.0
    assert bucket.take(1, 1e6) > 0.0


@given(RATES, BURSTS)
def test_what_exceeds_the_burst_never_fits(rate, burst):
    assert TokenBucket(rate, burst, 0.0).take(burst + 1, 0.0) == math.inf
