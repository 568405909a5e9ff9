import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api.routing.router import chooser, place_of, shadows
from contracts.rollout import Rollout
from contracts.topics import PREDICTIONS, partition_of
from tests.builders import NOON

SUBJECTS = [f"N{number}" for number in range(20_000)]


def canary(share: float, version: str = "7") -> Rollout:
    return Rollout(version=version, stage="canary", share=share, since=NOON)


def chosen(share: float, version: str = "7") -> set[str]:
    of = chooser(canary(share, version))
    return set() if of is None else {subject for subject in SUBJECTS if of(subject)}


def test_the_share_of_subjects_is_right_within_chance():
    for share in (1, 5, 25, 50):
        wanted = len(SUBJECTS) * share / 100
        deviation = math.sqrt(wanted * (1 - share / 100))
        assert abs(len(chosen(share)) - wanted) < 4 * deviation


def test_a_raised_share_keeps_whoever_was_in():
    steps = [chosen(share) for share in (1, 5, 25, 50, 100)]

    assert all(smaller < larger for smaller, larger in pairwise(steps))
    assert steps[-1] == set(SUBJECTS)


def test_two_versions_meet_different_subjects():
    both = len(chosen(25, "7") & chosen(25, "8"))

    assert abs(both - len(SUBJECTS) / 16) < 4 * math.sqrt(len(SUBJECTS) / 16)


def test_the_share_is_the_same_in_every_partition_of_the_topic():
    inside = chosen(25)
    for number in range(PREDICTIONS.partitions):
        mine = [subject for subject in SUBJECTS if partition_of(subject.encode(), PREDICTIONS.partitions) == number]
        share = sum(subject in inside for subject in mine) / len(mine)
        assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / len(mine))


def test_a_shadow_and_a_share_of_nothing_answer_nobody():
    assert chooser(Rollout(version="7", stage="shadow", share=100, since=NOON)) is None
    assert chooser(canary(0)) is None
    assert shadows(Rollout(version="7", stage="shadow", since=NOON))
    assert not shadows(canary(50))


@given(st.text(), st.text(min_size=1, max_size=300), st.floats(0, 100))
def test_any_subject_has_one_place_which_its_share_decides(subject: str, version: str, share: float):
    place = place_of(version, subject)
    of = chooser(canary(share, version))

    assert 0 <= place < 100
    assert (of is not None and of(subject)) == (place < share)
