"""The faults of a run: the same for the same seed, of every kind, and never two at once for one worker."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from bench.nemesis.schedule import KINDS, PROFILES, Fault, Profile, schedule


def faults(seed: int = 1, seconds: float = 480, profile: Profile = "all") -> list[Fault]:
    return schedule(seed, seconds, workers=3, session_seconds=10, profile=profile)


def test_a_full_run_has_eighty_faults_fifty_of_them_kills_and_every_kind() -> None:
    for seed in range(20):
        kinds = Counter(fault.kind for fault in faults(seed))
        assert sum(kinds.values()) >= 80
        assert kinds["kill"] >= 50
        assert kinds.keys() == set(KINDS)


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    assert faults(3) == faults(3)
    assert faults(3) != faults(4)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_worker_suffers_one_fault_at_a_time(profile: Profile) -> None:
    by_worker: dict[int, list[Fault]] = defaultdict(list)
    for fault in faults(5, profile=profile):
        if fault.kind != "join":
            by_worker[fault.worker].append(fault)
    for suffered in by_worker.values():
        assert all(one.until < other.at for one, other in pairwise(suffered))


def test_the_profile_kill_kills_a_worker_every_six_seconds_and_does_nothing_else() -> None:
    killed = faults(2, profile="kill")
    assert {fault.kind for fault in killed} == {"kill"}
    assert [round(b.at - a.at) for a, b in pairwise(killed)] == [6] * (len(killed) - 1)


def test_a_stop_is_longer_than_the_session() -> None:
    assert all(fault.until - fault.at > 10 for fault in faults() if fault.kind == "stop")


def test_a_freeze_is_too_short_for_the_session_and_there_are_several_in_a_full_run() -> None:
    for seed in range(20):
        freezes = [fault for fault in faults(seed) if fault.kind == "freeze"]
        assert len(freezes) >= 8
        assert all(0.9 < fault.until - fault.at < 3.1 for fault in freezes)  # both are rounded to tenths
        assert all(fault.worker >= 0 for fault in freezes)
