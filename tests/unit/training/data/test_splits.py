"""Splits: every row is in one part; time goes forward from part to part; each part has both classes or it is said."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.configuration.config import Split
from training.data.splits import Parts, by_time, split, stratified
from training.errors import DataError

LABELS = np.tile([0, 0, 0, 1], 100)


def all_rows(parts: Parts) -> list[int]:
    return sorted([*parts.train.tolist(), *parts.validation.tolist(), *parts.test.tolist()])


def test_a_stratified_split_is_60_20_20_and_holds_the_same_share_of_positives() -> None:
    parts = split(LABELS, None, Split(), 0, 5)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [240, 80, 80]
    assert [LABELS[rows].mean() for rows in (parts.train, parts.validation, parts.test)] == [0.25] * 3
    assert all_rows(parts) == list(range(400))


def test_the_seed_decides_which_rows_go_where() -> None:
    assert (split(LABELS, None, Split(), 1, 5).test == split(LABELS, None, Split(), 1, 5).test).all()
    assert (split(LABELS, None, Split(), 1, 5).test != split(LABELS, None, Split(), 2, 5).test).any()


def test_without_a_test_every_row_is_trained_on_or_validated() -> None:
    parts = stratified(LABELS, 0.25, 0.0, 0)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (300, 100, 0)


@given(times=st.lists(st.integers(0, 50), min_size=30, max_size=200))
def test_by_time_no_part_reaches_into_the_one_before_and_no_moment_is_in_two(times: list[int]) -> None:
    when = np.array(times, dtype=np.int64)
    parts = by_time(when, 0.2, 0.2)
    assert all_rows(parts) == list(range(len(times)))
    present = [when[rows] for rows in (parts.train, parts.validation, parts.test) if len(rows)]
    assert all(earlier.max() < later.min() for earlier, later in pairwise(present))


def test_a_split_by_time_needs_times() -> None:
    with pytest.raises(DataError, match=r'add time = "COLUMN"'):
        split(LABELS, None, Split(by="time"), 0, 5)


def test_a_part_without_one_class_is_named() -> None:
    labels = np.repeat([1, 0], 200)
    with pytest.raises(DataError, match=r"the validation part has 0 rows of label 1.*or split by stratified"):
        split(labels, np.arange(400, dtype=np.int64), Split(by="time"), 0, 5)


def test_a_class_with_three_rows_is_refused_before_anything_else() -> None:
    labels = np.array([0] * 200 + [1] * 3)
    with pytest.raises(DataError, match="label 1 is in 3 rows only: at least 21 are needed"):
        split(labels, None, Split(), 0, 5)


def test_rows_before_the_moment_are_only_trained_on_and_the_others_are_split_among_themselves() -> None:
    times = np.arange(400, dtype=np.int64) * 1000
    moment = datetime.fromtimestamp(200, UTC)
    for by in ("stratified", "time"):
        parts = split(LABELS, times, Split(by=by, train_only_before=moment), 0, 5)
        assert (len(parts.train), len(parts.validation), len(parts.test)) == (200 + 120, 40, 40)
        assert min(parts.validation.min(), parts.test.min()) >= 200
        assert all_rows(parts) == list(range(400))


def test_a_moment_behind_the_last_row_or_rows_without_times_are_refused() -> None:
    late = Split(train_only_before=datetime.fromtimestamp(10_000, UTC))
    with pytest.raises(DataError, match="no row is that young"):
        split(LABELS, np.arange(400, dtype=np.int64) * 1000, late, 0, 5)
    with pytest.raises(DataError, match="train_only_before needs times"):
        split(LABELS, None, late, 0, 5)
