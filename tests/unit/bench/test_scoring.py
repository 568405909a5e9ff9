"""The measurement of scoring."""

from __future__ import annotations

import numpy as np

from bench.scoring import BATCHES, compare, cost, structs, table
from contracts.schema import Feature, FeatureSchema
from tests.compiled import ROWS, a_compiled
from tests.serving import FirstNumberScorer

SCHEMA = FeatureSchema((Feature("distance", "numeric"), Feature("seats", "numeric"), Feature("carrier", "categorical")))


def test_both_ways_are_timed_at_every_size_and_their_scores_compared() -> None:
    rows = structs([ROWS[0]] * BATCHES[-1], SCHEMA)
    costs = compare(FirstNumberScorer(), a_compiled().to_bytes(), rows, rounds=1)  # .5 for every row; ours: .25
    assert costs.difference == 0.25
    assert [int(size) for size in costs.ours_us] == list(BATCHES)
    assert min(costs.ours_us.values()) > 0
    assert costs.ratio["1"] == round(costs.ratio["1"], 1)
    assert len(table("hgb", costs)) == len(BATCHES) + 2


def test_the_cost_of_a_row_is_that_of_the_batch_divided() -> None:
    class Busy(FirstNumberScorer):
        def score(self, rows: object) -> object:
            return np.sort(np.random.default_rng(0).random(100_000))

    rows = structs([ROWS[0]] * 64, SCHEMA)
    one, many = cost(Busy(), rows, 1, 3, 3), cost(Busy(), rows, 64, 3, 3)
    assert one / 128 < many < one / 32
