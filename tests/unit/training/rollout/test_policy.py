"""The rollout policy: it holds for time and events, goes step by step, and ends what is worse than the champion."""

from __future__ import annotations

import random

import msgspec
import pytest

from contracts.rollout import Rollout
from tests.builders import NOON
from training.rollout.evidence import Observed, failure_rate, positives_apart
from training.rollout.latencies import Moment, Pace
from training.rollout.policy import Compared, Limits, Steps, decide

STEPS = Steps(shadow_seconds=60, shadow_events=500, seconds=60, events=500, give_up_seconds=3600)
SHADOW = Rollout(version="2", stage="shadow", since=NOON)


def canary(share: float) -> Rollout:
    return Rollout(version="2", stage="canary", since=NOON, share=share)


def seen(events: int = 600, *, seed: int = 0, shift: float = 0.0, failures: int = 0) -> Observed:
    draw, observed = random.Random(seed), Observed(failures=failures)
    for _ in range(events):
        score = min(1.0, draw.betavariate(2, 5) + shift)
        observed.add(score, score >= 0.5)
    return observed


def test_a_challenger_that_does_as_the_champion_does_goes_all_the_way() -> None:
    rollout, shares = SHADOW, []
    for step in range(10):
        move = decide(rollout, seen(seed=step), seen(seed=100 + step), 61, STEPS, Limits())
        if move.kind == "promote":
            break
        assert move.kind == "canary", move.reason
        shares.append(move.share)
        rollout = canary(move.share)
    assert shares == [5, 25, 50, 100]
    assert move.kind == "promote"


@pytest.mark.parametrize("rollout", [SHADOW, canary(5), canary(100)])
@pytest.mark.parametrize(("events", "seconds"), [(600, 59), (499, 61), (0, 0)])
def test_a_step_is_held_for_its_time_and_its_events(rollout: Rollout, events: int, seconds: float) -> None:
    move = decide(rollout, seen(events), seen(seed=1), seconds, STEPS, Limits())
    assert move.kind == "hold"


@pytest.mark.parametrize("rollout", [SHADOW, canary(5), canary(100)])
def test_broken_data_holds_what_would_go_further_and_ends_what_is_worse(rollout: Rollout) -> None:
    broken = "distance: in miles"
    move = decide(rollout, seen(), seen(seed=1), 61, STEPS, Limits(), broken=broken)
    assert (move.kind, move.reason.split(" until ")[1]) == ("hold", f"the data is repaired: {broken}")
    move = decide(rollout, seen(90, failures=10), seen(seed=1), 61, STEPS, Limits(), broken=broken)
    assert move.kind == "end"


def test_a_step_that_never_gets_its_events_is_given_up() -> None:
    move = decide(canary(5), seen(20), seen(seed=1), 3600, STEPS, Limits())
    assert (move.kind, move.reason) == ("end", "only 20 of 500 events at 5 % after 3,600 s: given up")


def test_a_challenger_that_cannot_score_its_rows_ends_at_once() -> None:
    move = decide(SHADOW, seen(90, failures=10), seen(seed=1), 1, STEPS, Limits())
    assert move.kind == "end"
    assert "10 of 100 rows could not be scored" in move.reason


def test_a_challenger_that_the_api_cannot_serve_ends_at_once() -> None:
    refused = msgspec.structs.replace(Observed(), refused="no baseline")
    move = decide(SHADOW, refused, seen(seed=1), 1, STEPS, Limits())
    assert (move.kind, move.reason) == ("end", "it cannot be served: no baseline")


def test_one_failure_of_few_rows_may_be_chance() -> None:
    assert decide(SHADOW, seen(100, failures=1), seen(seed=1), 1, STEPS, Limits()).kind == "hold"
    assert decide(SHADOW, seen(0, failures=3), seen(seed=1), 1, STEPS, Limits()).kind == "hold"


def test_a_slow_canary_ends_and_a_slow_shadow_does_not() -> None:
    both = seen(), seen(seed=1)
    slow = Pace("batches", [Moment(50, 500, 40.0, 2.0)] * 9 + [Moment(50, 500, 2.1, 2.0)])
    reason = decide(canary(5), *both, 1, STEPS, Limits(), paces=(slow,)).reason
    figures = "median latency 40 ms, the champion's 2 ms at the same time (batches, 9 of 10 moments of 10 s)"
    assert reason == f"{figures}: more than 2 times as much"
    assert decide(SHADOW, *both, 1, STEPS, Limits(), paces=(slow,)).kind == "hold"


def test_a_canary_slower_by_much_and_yet_quick_goes_on() -> None:
    slower = Pace("single requests", [Moment(50, 500, 3.0, 0.3)] * 10)
    assert decide(canary(5), seen(), seen(seed=1), 1, STEPS, Limits(), paces=(slower,)).kind == "hold"


def test_other_decisions_than_the_champions_end_it() -> None:
    move = decide(canary(25), seen(shift=0.35), seen(seed=1), 1, STEPS, Limits())
    assert move.kind == "end"
    assert "positive decisions" in move.reason


def test_other_scores_end_it_where_nothing_is_decided() -> None:
    undecided = [msgspec.structs.replace(one, decided=0, positives=0) for one in (seen(shift=0.6), seen(seed=1))]
    move = decide(canary(25), *undecided, 1, STEPS, Limits())
    assert "KS distance" in move.reason


def test_at_100_percent_what_the_champion_did_at_another_time_says_nothing() -> None:
    storm, fair = seen(shift=0.35), seen(seed=1)
    assert decide(canary(100), storm, fair, 61, STEPS, Limits()).kind == "promote"
    assert decide(canary(50), storm, fair, 61, STEPS, Limits()).kind == "end"
    assert decide(SHADOW, storm, fair, 61, STEPS, Limits()).kind == "end"


def test_worse_performance_on_the_same_windows_ends_it_and_touching_intervals_do_not() -> None:
    worse = Compared("auc", 0.70, 0.68, 0.72, 0.78, 0.76, 0.80)
    touching = Compared("auc", 0.75, 0.72, 0.77, 0.78, 0.76, 0.80)
    dearer = Compared("log_loss", 0.5, 0.48, 0.52, 0.4, 0.38, 0.42, higher_is_better=False)
    ended = [
        decide(canary(50), seen(), seen(seed=1), 61, STEPS, Limits(), (measure,)).kind == "end"
        for measure in (worse, touching, dearer)
    ]
    assert ended == [True, False, True]


def test_the_same_behaviour_is_hardly_ever_ended_by_chance() -> None:
    """The policy looks after every event; the champion has as many."""
    ended = 0
    for i in range(40):
        draw, ours, theirs = random.Random(i), Observed(), Observed()
        for _ in range(400):
            for one in (ours, theirs):
                score = draw.betavariate(2, 3)
                one.add(score, score >= 0.4)
            if decide(canary(5), ours, theirs, 1, STEPS, Limits()).kind == "end":
                ended += 1
                break
    assert ended == 0


@pytest.mark.parametrize("shares", [(), (5.0, 25.0), (25.0, 5.0, 100.0), (5.0, 5.0, 100.0)])
def test_shares_that_do_not_rise_to_100_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must rise and end with 100"):
        Steps(shares=shares)


def test_newcombes_interval_of_a_difference() -> None:
    """Newcombe 1998, table II: 56/70 against 48/80, method 10: .0524 to .3339."""
    apart = positives_apart(Observed(decided=70, positives=56), Observed(decided=80, positives=48))
    assert apart == pytest.approx(0.0524, abs=1e-4)


def test_the_failure_rate_is_wilsons_lower_bound() -> None:
    assert failure_rate(Observed(events=90, failures=10)) == pytest.approx(0.0552291, abs=1e-6)
