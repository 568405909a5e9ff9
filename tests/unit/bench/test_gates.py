"""`bench gates` fails where anything poisoned passes, or nothing honest does."""

from __future__ import annotations

from typing import Any

import pytest

from bench.gates import ENOUGH_POSITIVES, GATES_BENCH, GateFigures

RIGHT: dict[str, Any] = {
    "poisoned": 20,
    "poisoned_passed": 0,
    "poisoned_passed_as_first": 0,
    "honest": 10,
    "honest_passed": 7,
    "honest_passed_as_first": 10,
    "positives": 400,
    "stopped_by": {"leak": 10},
    "honest_stopped_by": {"no-degradation": 3},
    "seconds": 100.0,
}


def held(**changes: int) -> bool:
    return GATES_BENCH.held(GateFigures(**{**RIGHT, **changes}))


@pytest.mark.parametrize(
    "wrong",
    [{"poisoned_passed": 1}, {"poisoned_passed_as_first": 1}, {"honest_passed_as_first": 0}, {"honest_passed": 0}],
)
def test_the_gates_hold_where_nothing_poisoned_passes_and_what_is_honest_may(wrong: dict[str, int]) -> None:
    assert held()
    assert not held(**wrong)


def test_with_a_handful_of_positives_no_challenger_can_be_told_from_a_worse_one() -> None:
    assert held(honest_passed=0, positives=ENOUGH_POSITIVES - 1)
