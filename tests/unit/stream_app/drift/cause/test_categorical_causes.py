"""Each family of categorical causes, with data in which it is the truth."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.baseline import DECISION, Reference
from contracts.binning import Levels
from contracts.findings import Cause
from contracts.reports import Finding
from stream_app.drift.cause.infer import infer
from tests.causes import VALUES, cause_of, levels, some

ROWS, WINDOW = 20_000, 2_000
REFERENCE = levels(ROWS, 1)
FRESH = levels(WINDOW, 2)


def found(now: list[str], findings: tuple[Finding, ...] = VALUES, name: str = "carrier") -> Cause:
    cause = cause_of(REFERENCE, now, findings, name)
    assert cause is not None
    return cause


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_a_level_that_the_reference_never_had_is_new(share: float) -> None:
    cause = found(some(share, ["XX"] * WINDOW, FRESH), ("unseen",))
    assert (cause.kind, cause.value) == ("new_level", None)
    assert cause.share == pytest.approx(share, abs=0.001)
    assert "a level that the reference never had" in cause.sentence


def test_a_level_under_a_new_name_is_renamed() -> None:
    cause = found(["CC" if level == "c" else level for level in FRESH], ("values", "unseen"))
    assert (cause.kind, cause.value, cause.to) == ("renamed", "c", None)
    assert cause.sentence.endswith("(renamed?)")


def test_several_levels_under_new_names_are_renamed_together() -> None:
    cause = found([level.upper() if level in "bc" else level for level in FRESH], ("values", "unseen"))
    assert cause.kind == "renamed"
    assert cause.sentence.startswith("carrier: 2 levels are gone, level 'b' first of all")


def test_a_whole_column_written_another_way_is_new_in_all_rows() -> None:
    cause = found([level.upper() for level in FRESH], ("values", "unseen"))
    assert (cause.kind, cause.share) == ("new_level", 1.0)
    assert cause.sentence == "carrier: all rows have levels that the reference never had (written another way?)"


def test_a_level_that_comes_no_more_vanished_and_the_one_in_its_place_is_named() -> None:
    cause = found(["a" if level == "c" else level for level in FRESH])
    assert (cause.kind, cause.value, cause.to) == ("vanished_level", "c", "a")


def test_a_level_that_the_others_share_out_vanished_and_nothing_took_its_place() -> None:
    cause = found([level for level in FRESH if level != "c"])
    assert (cause.kind, cause.value, cause.to) == ("vanished_level", "c", None)


def test_a_level_that_takes_rows_from_all_others_grew() -> None:
    cause = found(some(0.3, ["b"] * WINDOW, FRESH))
    assert (cause.kind, cause.value) == ("grown_level", "b")
    assert cause.share == pytest.approx(0.3, abs=0.03)


def test_a_level_that_takes_all_rows_grew_and_none_vanished() -> None:
    cause = found(["b"] * WINDOW)
    assert (cause.kind, cause.value) == ("grown_level", "b")
    assert cause.sentence.startswith("carrier: all rows are level 'b' (")


def test_a_level_that_gives_rows_to_all_others_shrank() -> None:
    half = [level for i, level in enumerate(levels(3_000, 2)) if level != "a" or i % 2]
    cause = found(half)
    assert (cause.kind, cause.value) == ("shrunk_level", "a")


def test_levels_that_all_change_a_little_are_reshaped() -> None:
    names = "abcdefghijklmnopqrst"
    even, odd = [0.05] * 20, [0.05 + (-1) ** i * 0.012 for i in range(20)]
    cause = cause_of(levels(ROWS, 1, even, names), levels(ROWS, 2, odd, names))
    assert cause is not None
    assert cause.kind == "reshaped"
    assert "the shares of many levels changed" in cause.sentence


def test_rare_levels_that_become_frequent_grew_together() -> None:
    names = [f"r{i}" for i in range(100)]
    rng = np.random.default_rng(3)
    before = [*levels(ROWS, 1), *rng.choice(names, 600).tolist()]
    reference = Reference(Levels(("a", "b", "c"), rest=tuple(names)), (*_counts(before, "abc"), 600, 0))
    window = Reference(reference.bins, (*_counts(FRESH, "abc"), 400, 0)).histogram
    cause = infer(reference, window, VALUES, "carrier")
    assert cause is not None
    assert (cause.kind, cause.value) == ("grown_level", None)
    assert cause.sentence == "carrier: the 100 rarest levels together 2.9 % -> 17 %"


def test_a_boolean_is_told_by_its_true_share() -> None:
    before = (np.random.default_rng(1).random(ROWS) < 0.2).tolist()
    now = (np.random.default_rng(2).random(WINDOW) < 0.5).tolist()
    cause = cause_of(before, now, name="is_new")
    assert cause is not None
    assert (cause.kind, cause.value) == ("grown_level", "true")
    assert cause.sentence == f"is_new: true in {100 * np.mean(before):.0f} % -> {100 * np.mean(now):.0f} % of rows"


def test_a_decision_is_told_by_its_positive_share() -> None:
    before = Reference(Levels(("false", "true")), (8_800, 1_200, 0, 0))
    window = Reference(before.bins, (810, 190, 0, 0)).histogram
    cause = infer(before, window, ("positives",), DECISION)
    assert cause is not None
    assert cause.sentence == "the decision: positive in 12 % -> 19 % of rows"


def _counts(column: list[str], names: str) -> list[int]:
    return [column.count(name) for name in names]
