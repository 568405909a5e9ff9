"""`bench labels` fails where labels are lost, or taken more slowly than promised."""

from __future__ import annotations

import pytest

from bench.labels.run import GOAL, LABELS_TAKEN, LabelFigures


def figures(delivered_per_second: float, exact: bool = True) -> LabelFigures:
    return LabelFigures(
        labels_per_second=30_000.0,
        delivered_per_second=delivered_per_second,
        without_receipt_per_second=15_000.0,
        single_per_second=2_700.0,
        single_p99_ms=25.0,
        cpu_us=22.0,
        sign_us=1.6,
        read_us=2.9,
        accepted=100_000,
        refused=0,
        delivered=100_000 if exact else 99_999,
        repeats=0,
        others=0.0,
        exact=exact,
    )


@pytest.mark.parametrize(
    ("rate", "exact", "held"), [(GOAL, True, True), (GOAL - 1, True, False), (3 * GOAL, False, False)]
)
def test_ten_thousand_labels_a_second_are_on_kafka_each_of_them(rate: float, exact: bool, held: bool) -> None:
    assert GOAL == 10_000
    assert LABELS_TAKEN.held(figures(rate, exact)) is held
