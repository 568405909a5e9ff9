"""One feature alone is found out whichever way it tells, and one that tells nothing stays near .5."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.evaluation.alone import alone_auc, strongest

DRAW = np.random.default_rng(7)
LABELS = (DRAW.random(4_000) < 0.2).astype(np.int64)
NOISE = DRAW.normal(0, 1, LABELS.size)


@pytest.mark.parametrize(
    "column",
    [
        LABELS.astype(np.float64),
        -LABELS + NOISE / 10,
        np.where(LABELS == 1, np.nan, NOISE),
        np.where(LABELS == 1, DRAW.choice([-3.0, 3.0], LABELS.size), 0.0) + NOISE / 10,
        np.where(LABELS == 1, "bad", "good"),
    ],
    ids=["a copy", "the other way round", "by being missing", "from both sides", "by a level"],
)
def test_what_knows_the_label_is_found_whichever_way_it_tells(column: Any) -> None:
    assert alone_auc(pd.Series(column), LABELS) > 0.99


@pytest.mark.parametrize(("rows", "share"), [(60, 0.3), (20_000, 0.002)], ids=["few rows", "a rare class"])
def test_a_rank_that_is_the_labels_is_found_in_few_rows_and_of_a_rare_class(rows: int, share: float) -> None:
    rank = np.arange(rows, dtype=np.float64)
    assert alone_auc(pd.Series(rank), (rank >= rows * (1 - share)).astype(np.int64)) == 1.0


def test_what_tells_nothing_stays_near_a_half() -> None:
    identifiers = pd.Series([f"id-{i}" for i in range(LABELS.size)])  # each level has one row, and so one label
    nothing = pd.Series(np.full(LABELS.size, np.nan))
    for column in (identifiers, pd.Series(NOISE), nothing, pd.Series(["a"] * LABELS.size)):
        assert alone_auc(column, LABELS) == pytest.approx(0.5, abs=0.05)


def test_the_order_of_the_labels_values_tells_nothing_without_both_classes() -> None:
    assert alone_auc(pd.Series(NOISE), np.zeros(LABELS.size, dtype=np.int64)) == 0.5


def test_the_strongest_feature_is_the_one_that_tells_most() -> None:
    frame = pd.DataFrame({"noise": NOISE, "hint": LABELS + NOISE})
    assert strongest(frame, LABELS) == alone_auc(frame["hint"], LABELS) > 0.7
