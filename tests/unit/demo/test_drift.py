"""Injected faults: what each kind does, to how many rows, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from demo.drift import KINDS, NEW_LEVEL, Drift, InvalidDrift, inject

ROWS = pd.DataFrame(
    {
        "distance": np.arange(1, 10_001),
        "temp": np.linspace(-5.0, 30.0, 10_000),
        "carrier": pd.Series(["AA", "UA"] * 5000, dtype="str"),
        "paid": [True, False] * 5000,
        "late": [0, 1] * 5000,
    }
)


def test_a_unit_bug_multiplies_a_share_of_the_rows_and_leaves_the_rest() -> None:
    ratio = inject(ROWS, Drift("unit", ("distance",), 1.609344, 0.3), seed=1)["distance"] / ROWS["distance"]
    assert sorted(ratio.round(9).unique()) == [1.0, 1.609344]
    assert (ratio > 1).mean() == pytest.approx(0.3, abs=0.02)


def test_a_fill_replaces_values_and_a_shift_moves_them_by_standard_deviations() -> None:
    assert (inject(ROWS, Drift("fill", ("temp",), -99.0), seed=1)["temp"] == -99).all()
    moved = inject(ROWS, Drift("shift", ("temp",), 0.5), seed=1)["temp"] - ROWS["temp"]
    assert np.allclose(moved, 0.5 * ROWS["temp"].std())


@pytest.mark.parametrize("feature", ["distance", "temp", "carrier", "paid"])
def test_values_of_every_type_can_go_missing(feature: str) -> None:
    gone = inject(ROWS, Drift("missing", (feature,), share=0.4), seed=1)[feature]
    assert gone.isna().mean() == pytest.approx(0.4, abs=0.02)
    assert (gone.dropna() == ROWS[feature][gone.notna()]).all()


def test_a_new_level_is_one_that_was_never_there() -> None:
    levels = inject(ROWS, Drift("level", ("carrier",), share=0.1), seed=1)["carrier"]
    assert set(levels) == {"AA", "UA", NEW_LEVEL}


def test_one_fault_hits_the_same_rows_of_all_its_features() -> None:
    broken = inject(ROWS, Drift("missing", ("distance", "carrier"), share=0.5), seed=1)
    assert (broken["distance"].isna() == broken["carrier"].isna()).all()


def test_the_seed_decides_the_rows_and_nothing_else_changes() -> None:
    drift = Drift("unit", ("distance",), 2.0, 0.5)
    first, again, other = (inject(ROWS, drift, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    pd.testing.assert_frame_equal(first.drop(columns="distance"), ROWS.drop(columns="distance"))


def test_a_drift_reads_from_text_with_the_defaults_of_its_kind() -> None:
    assert Drift.parse("unit:distance") == Drift("unit", ("distance",), None, 1.0)
    assert Drift.parse("fill:temp+distance:0:0.25") == Drift("fill", ("temp", "distance"), 0.0, 0.25)
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("units:distance", "no drift 'units': choose one of unit, fill, shift, missing, level"),
        ("unit", "names no feature"),
        ("unit:distance:two", "size and share must be numbers"),
        ("unit:distance:inf", "size inf is no finite number"),
        ("unit:distance:2:1.5", "share 1.5 is not above 0 and at most 1"),
        ("unit:distance:2:0", "share 0.0 is not"),
        ("unit:distance:2:0.5:x", "too many parts"),
        ("unit:altitude", "no feature 'altitude'"),
        ("unit:carrier", "needs a number, and 'carrier' is not one"),
        ("level:distance", "needs a categorical feature, and 'distance' is none"),
    ],
)
def test_a_drift_that_cannot_be_says_why(text: str, says: str) -> None:
    with pytest.raises(InvalidDrift, match=says):
        inject(ROWS, Drift.parse(text), seed=1)
