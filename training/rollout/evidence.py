"""What was observed of a version during a step of its rollout, and how two versions are compared. Pure.

The differences are lower bounds: what is left after chance was given its 95 % (each bound's source is at its function).
"""

from __future__ import annotations

import math

import msgspec

from stream_app.performance.intervals import wilson

SCORE_BINS = 100
"""Equal bins of the score from 0 to 1; what lies outside falls into the outer ones."""


class Observed(msgspec.Struct):
    """Counted from a version's events. failures: rows that it could not score (they have no event of its own). refused:
    why the api cannot serve it at all, None while it can.

    positives of decided: decisions. scores: by SCORE_BINS.
    """

    events: int = 0
    failures: int = 0
    decided: int = 0
    positives: int = 0
    scores: list[int] = msgspec.field(default_factory=lambda: [0] * SCORE_BINS)
    refused: str | None = None

    def add(self, score: float, decision: bool | None) -> None:
        """One event."""
        self.events += 1
        if decision is not None:
            self.decided += 1
            self.positives += decision
        self.scores[min(SCORE_BINS - 1, max(0, int(score * SCORE_BINS)))] += 1

    @property
    def positive_rate(self) -> float:
        """Share of positive decisions, 0 where nothing was decided."""
        return self.positives / self.decided if self.decided else 0.0


def failure_rate(seen: Observed) -> float:
    """The least share of rows that cannot be scored: the lower end of Wilson's interval."""
    rows = seen.events + seen.failures
    return wilson(seen.failures, rows).low if rows else 0.0


def positives_apart(one: Observed, other: Observed) -> float:
    """How far the shares of positive decisions are apart at least: Newcombe's interval of a difference, made of two of
    Wilson's (Newcombe 1998, method 10).
    """
    if not one.decided or not other.decided:
        return 0.0
    larger, smaller = sorted((one, other), key=lambda seen: -seen.positive_rate)
    p, q = larger.positive_rate, smaller.positive_rate
    low, high = wilson(larger.positives, larger.decided).low, wilson(smaller.positives, smaller.decided).high
    return max(0.0, p - q - math.hypot(p - low, high - q))


def scores_apart(one: Observed, other: Observed) -> float:
    """How far the score distributions are apart at least: the KS distance over the bins less its 95 % point under equal
    distributions, 1.358 sqrt(1/n + 1/m) (Smirnov 1939).
    """
    if not one.events or not other.events:
        return 0.0
    distance = mine = theirs = 0.0
    for a, b in zip(one.scores, other.scores, strict=True):
        mine += a / one.events
        theirs += b / other.events
        distance = max(distance, abs(mine - theirs))
    return max(0.0, distance - 1.358 * math.sqrt(1 / one.events + 1 / other.events))
