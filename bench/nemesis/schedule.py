"""The faults of a run, drawn by a seed: what, when, to whom, for how long. Pure.

A deck with a fixed share of each kind is shuffled, so that every run of a length has as many of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal["kill", "term", "stop", "freeze", "cut", "broker", "join", "twin"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Profile = Literal["all", "dynamic", "kill"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

# Of a hundred faults. kill: SIGKILL and restart. term: SIGTERM and restart. stop: SIGSTOP past the session timeout,
# then SIGCONT. freeze: SIGSTOP too short for anybody to notice but the clock: the worker keeps its partitions, and time
# jumps under it. cut: off from Kafka and back. broker: SIGKILL of Kafka and restart. join: one more worker, which gets
# SIGTERM later. twin: a second process under the name of one that lives, killed later.
_SHARES: dict[Kind, int] = {
    **{"kill": 55, "term": 7, "stop": 8, "freeze": 10},
    **{"cut": 7, "broker": 4, "join": 5, "twin": 4},
}
_EVERY = {"all": 5.0, "dynamic": 7.0, "kill": 6.0}
"""Seconds between two faults."""
_FIRST, _QUIET_END = 5.0, 8.0
_KILLED, _FROZEN, _CUT, _DOWN = (0.0, 2.0), (1.0, 3.0), (2.0, 18.0), (0.0, 12.0)
_JOINED = (10.0, 20.0)


@dataclass(frozen=True)
class Fault:
    """at, until: seconds of the run. worker: which, for those that befall one; -1 for the broker and for one more."""

    at: float
    until: float
    kind: Kind
    worker: int = -1


def schedule(seed: int, seconds: float, workers: int, session_seconds: float, profile: Profile) -> list[Fault]:
    """The faults of a run of so many seconds, by time. A worker suffers one at a time, and so does the broker."""
    rng = np.random.default_rng([seed, 3])
    every = _EVERY[profile]
    times = np.arange(_FIRST, max(_FIRST + 0.1, seconds - _QUIET_END), every)
    kinds: list[Kind] = ["kill"] * len(times) if profile == "kill" else _deck(len(times), rng)
    free = dict.fromkeys([-1, *range(workers)], 0.0)
    faults: list[Fault] = []
    for time, kind in zip(times.tolist(), kinds, strict=True):
        at = time if profile == "kill" else time + float(rng.uniform(0, every * 0.6))
        low, high = {
            "kill": (0.0, 0.0) if profile == "kill" else _KILLED,
            "term": _KILLED,
            "stop": (session_seconds * 1.15, session_seconds * 1.5),
            "freeze": _FROZEN,
            "cut": _CUT,
            "broker": _DOWN,
            "join": _JOINED,
            "twin": _JOINED,
        }[kind]
        who = -1
        if kind not in ("broker", "join"):
            order = rng.permutation(workers).tolist()
            who = min(order, key=lambda worker: (free[worker] > at, free[worker] if free[worker] > at else 0.0))
        elif kind == "join":
            who = -2
        at = max(at, free.get(who, 0.0))
        until = at + float(rng.uniform(low, high))
        # a little longer than the fault: the one before must be over when the next comes
        free[who] = until + (3.0 if kind == "broker" else 1.0)
        faults.append(Fault(round(at, 1), round(until, 1), kind, max(who, -1)))
    return sorted(faults, key=lambda fault: fault.at)


def _deck(size: int, rng: np.random.Generator) -> list[Kind]:
    counts = {kind: size * share // 100 for kind, share in _SHARES.items()}
    for kind in KINDS:  # every kind at least once where there is room for all
        if size >= 2 * len(KINDS):
            counts[kind] = max(1, counts[kind])
    counts["kill"] += size - sum(counts.values())
    deck = [kind for kind in KINDS for _ in range(counts[kind])]
    return [deck[i] for i in rng.permutation(size).tolist()]
