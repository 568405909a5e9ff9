"""Injected drifts do what their truth says, to a new column."""

from __future__ import annotations

import numpy as np
import pytest

from bench.detection import drifts
from bench.detection.drifts import Drift, level_drifts, numeric_drifts
from bench.detection.features import Numbers, Texts, named

ROWS = 20_000
NUMBERS = np.asarray(named("missing_1").column(np.random.default_rng(1), ROWS), dtype=np.float64)
TEXTS = named("few_levels").column(np.random.default_rng(2), ROWS)
EVERY = [(NUMBERS, drift) for drift in numeric_drifts(NUMBERS)] + [(TEXTS, drift) for drift in level_drifts(TEXTS)]


def changed(before: Numbers | Texts, after: Numbers | Texts) -> float:
    """Share of the rows with another value; missing equals missing."""
    if before.dtype == object:
        return float(np.mean([a != b for a, b in zip(before, after, strict=True)]))
    return float(np.mean(~((before == after) | (np.isnan(before) & np.isnan(after)))))


@pytest.mark.parametrize(("column", "drift"), EVERY, ids=lambda value: getattr(value, "name", ""))
def test_every_drift_changes_a_copy_and_leaves_the_column_it_was_given(column: Numbers | Texts, drift: Drift) -> None:
    kept = column.copy()
    after = drift.apply(column, np.random.default_rng(3))
    assert changed(kept, column) == 0
    assert changed(column, after) > 0
    assert after.dtype == column.dtype
    assert after.shape == column.shape


@pytest.mark.parametrize(("column", "drift"), EVERY, ids=lambda value: getattr(value, "name", ""))
def test_a_share_is_the_share_of_rows_that_are_concerned(column: Numbers | Texts, drift: Drift) -> None:
    if drift.truth.kind in ("unit", "spike", "missing", "new_level"):
        after = drift.apply(column, np.random.default_rng(4))
        # what is missing, or has the value already, looks the same afterwards
        assert changed(column, after) == pytest.approx(drift.truth.share, abs=0.02)


def test_names_are_unique_among_the_drifts_of_one_feature() -> None:
    for made in (numeric_drifts(NUMBERS), level_drifts(TEXTS)):
        assert len({drift.name for drift in made}) == len(made)


def test_a_shift_is_in_standard_deviations_of_the_sample() -> None:
    after = drifts.shifted(NUMBERS, 0.5).apply(NUMBERS, np.random.default_rng(0))
    assert np.nanmean(after) - np.nanmean(NUMBERS) == pytest.approx(0.5 * np.nanstd(NUMBERS))


def test_one_accident_concerns_one_row() -> None:
    rng = np.random.default_rng(0)
    for drift in drifts.harmless_accidents(numeric=True):
        assert changed(NUMBERS, drift.apply(NUMBERS, rng)) * ROWS == pytest.approx(1)
    for drift in drifts.harmless_accidents(numeric=False):
        assert changed(TEXTS, drift.apply(TEXTS, rng)) * ROWS == pytest.approx(1)


def test_a_renamed_level_keeps_its_share_under_the_new_name() -> None:
    level = drifts.ranking(TEXTS)[0]
    after = drifts.renamed_level(level).apply(TEXTS, np.random.default_rng(0))
    assert (after == drifts.NEW_LEVEL).sum() == np.count_nonzero(level == TEXTS)
    assert not (after == level).any()
