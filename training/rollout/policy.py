"""How a rollout goes on: hold, a larger share, become the champion, or end. Pure: what was observed in, a move out.

A challenger is held at each step for a time and for a number of its own events; whatever looks worse than the champion
beyond what chance explains ends it at once. Latency is compared in canary only: in shadow nobody waits for the answer.
And only at moments at which both answered: a figure of another moment is that of another load. For the same reason
decisions and scores are not compared at 100 %: those of another moment are those of other traffic.
"""

from __future__ import annotations

from statistics import median
from typing import Annotated, Literal

import msgspec

from contracts.rollout import Rollout
from stream_app.performance.intervals import wilson
from training.rollout.evidence import Observed, failure_rate, positives_apart, scores_apart
from training.rollout.latencies import MOMENT_MS, Pace

Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]
Count = Annotated[int, msgspec.Meta(ge=1)]

ENOUGH = 100
"""Events (rows, or measured latencies) of a version before anything about it ends a rollout: the policy looks after
each one of them, and chance has its day among the first.
"""


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """shadow_seconds, shadow_events: how long, and for how many shadow events, the challenger is only watched.

    shares: percent of the entities, rising, the last one 100. seconds, events: each is held at least so long, and for
    so many events of the challenger. give_up_seconds: a step that has not its events by then ends the rollout.
    """

    shadow_seconds: Positive = 3600.0
    shadow_events: Count = 1000
    shares: tuple[Percent, ...] = (5.0, 25.0, 50.0, 100.0)
    seconds: Positive = 3600.0
    events: Count = 1000
    give_up_seconds: Positive = 7 * 86400.0

    def __post_init__(self) -> None:
        if not self.shares or list(self.shares) != sorted(set(self.shares)) or self.shares[-1] != 100:
            raise ValueError(f"shares {list(self.shares)}: they must rise and end with 100")

    def after(self, share: float) -> float | None:
        """The next share; None behind the last."""
        return next((larger for larger in self.shares if larger > share), None)


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ends a rollout. failure_rate: share of its rows that the challenger cannot score. latency_ratio: its median
    latency over the champion's of the same moment, once it is above latency_ms, at most moments. positive_change: of
    the share of positive decisions. score_distance: KS distance between the two score distributions. All must be
    exceeded beyond chance.
    """

    failure_rate: Share = 0.01
    latency_ratio: Positive = 2.0
    latency_ms: Positive = 5.0
    positive_change: Share = 0.2
    score_distance: Share = 0.5


class Compared(msgspec.Struct, frozen=True):
    """One measure of both versions over the same windows, with 95 % intervals, once labels have come."""

    name: str
    challenger: float
    challenger_low: float
    challenger_high: float
    champion: float
    champion_low: float
    champion_high: float
    higher_is_better: bool = True

    @property
    def worse(self) -> bool:
        """Whether the challenger is worse, and the intervals do not even touch."""
        if self.higher_is_better:
            return self.challenger_high < self.champion_low
        return self.challenger_low > self.champion_high


class Move(msgspec.Struct, frozen=True):
    """kind: hold; canary: answer `share` percent of the entities from now on; promote: it is to be the champion; end:
    take it out. reason: one sentence, for people and for `model-events`.
    """

    kind: Literal["hold", "canary", "promote", "end"]
    reason: str
    share: float = 0.0

    def same(self, other: Move | None) -> bool:
        """Whether it asks for the same; the numbers in its reason may be others."""
        return other is not None and (self.kind, self.share) == (other.kind, other.share)


def decide(
    rollout: Rollout,
    challenger: Observed,
    champion: Observed,
    seconds: float,
    steps: Steps,
    limits: Limits,
    performance: tuple[Compared, ...] = (),
    broken: str = "",
    paces: tuple[Pace, ...] = (),
) -> Move:
    """What to do now. challenger, champion: observed since this step began, seconds ago. broken: what is wrong with the
    data both get, "" for nothing: who is the better one on such data says nothing, so nothing goes further, but what is
    worse on it ends as ever. paces: their latencies since this step began.
    """
    together = rollout.stage == "shadow" or rollout.share < 100
    if (reason := _trouble(challenger, champion if together else None, limits, performance)) is not None:
        return Move("end", reason)
    shadow = rollout.stage == "shadow"
    if not shadow and (reason := next(filter(None, (_slower(pace, limits) for pace in paces)), None)) is not None:
        return Move("end", reason)
    wanted_seconds, wanted = (steps.shadow_seconds, steps.shadow_events) if shadow else (steps.seconds, steps.events)
    where = "in shadow" if shadow else f"at {rollout.share:g} %"
    if challenger.events < wanted and seconds >= steps.give_up_seconds:
        return Move("end", f"only {challenger.events:,} of {wanted:,} events {where} after {seconds:,.0f} s: given up")
    if seconds < wanted_seconds:
        return Move("hold", f"{where} for {seconds:,.0f} of {wanted_seconds:,.0f} s")
    if challenger.events < wanted:
        return Move("hold", f"{challenger.events:,} of {wanted:,} events {where}")
    if broken:
        return Move("hold", f"{where} until the data is repaired: {broken}")
    share = steps.after(0.0 if shadow else rollout.share)
    passed = f"{challenger.events:,} events {where} in {seconds:,.0f} s, nothing worse than the champion"
    return Move("promote", passed) if share is None else Move("canary", passed, share)


def _trouble(
    challenger: Observed, champion: Observed | None, limits: Limits, performance: tuple[Compared, ...]
) -> str | None:
    """champion: None where it answers nobody."""
    if challenger.refused is not None:
        return f"it cannot be served: {challenger.refused}"
    rows = challenger.events + challenger.failures
    if rows >= ENOUGH and (least := failure_rate(challenger)) > limits.failure_rate:
        failed = f"{challenger.failures:,} of {rows:,} rows could not be scored"
        return f"{failed}: the rate is at least {least:.2%}, the limit is {limits.failure_rate:.2%}"
    if champion is not None and min(challenger.events, champion.events) >= ENOUGH:
        behaviour = _otherwise(challenger, champion, limits)
        if behaviour is not None:
            return behaviour
    for measure in performance:
        if measure.worse:
            mine = _interval(measure.challenger, measure.challenger_low, measure.challenger_high)
            champions = _interval(measure.champion, measure.champion_low, measure.champion_high)
            return f"{measure.name} {mine}, the champion's {champions} on the same windows"
    return None


def _slower(pace: Pace, limits: Limits) -> str | None:
    """Why the latency of such requests ends it. A moment is one word for or against, however many answers it has: what
    holds up a machine holds up all of them at once.
    """
    moments = pace.moments
    if min(sum(one.challenger for one in moments), sum(one.champion for one in moments)) < ENOUGH:
        return None
    slow = [
        one for one in moments if one.challenger_ms > max(limits.latency_ms, limits.latency_ratio * one.champion_ms)
    ]
    if wilson(len(slow), len(moments)).low <= 0.5:
        return None
    ours, theirs = median(one.challenger_ms for one in slow), median(one.champion_ms for one in slow)
    at = f"{pace.kind}, {len(slow)} of {len(moments)} moments of {MOMENT_MS // 1000} s"
    return (
        f"median latency {ours:.3g} ms, the champion's {theirs:.3g} ms at the same time ({at}): "
        f"more than {limits.latency_ratio:g} times as much"
    )


def _otherwise(challenger: Observed, champion: Observed, limits: Limits) -> str | None:
    if (change := positives_apart(challenger, champion)) > limits.positive_change:
        rates = f"positive decisions {challenger.positive_rate:.1%}, the champion's {champion.positive_rate:.1%}"
        return f"{rates}: apart by at least {change:.1%}, the limit is {limits.positive_change:.1%}"
    if (distance := scores_apart(challenger, champion)) > limits.score_distance:
        apart = f"the scores are apart by a KS distance of at least {distance:.2f}"
        return f"{apart}, the limit is {limits.score_distance:g}"
    return None


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
