"""What is on record of a champion that was fitted on rows of a challenger's test, and that the gates say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from tests.gated import evidence, found
from training.evaluation.record import Evaluation, Part
from training.gates.beside_champion import fitted_on_the_test

HERE = evidence(rows=400).evaluation


def champion(**other: Any) -> Evaluation:
    return with_fields(HERE, version="1", **other)


def held_back(rows: int) -> dict[str, Any]:
    return {"rows": {"test": Part(rows=rows, positives=50)}}


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ({"seed": 7}, "split with seed 7 there and 0 here: train with seed 7"),
        (held_back(300), "it held back 300 other rows, here 400"),
        ({"split": "time"}, "split by time there and by stratified here"),
    ],
)
def test_the_same_data_split_otherwise_is_known_by_digest_and_seed(there: dict[str, Any], says: str) -> None:
    assert says in fitted_on_the_test(HERE.data_digest, champion(**there), HERE)


def test_a_champion_without_a_test_part_was_fitted_on_the_same_data() -> None:
    assert "it held no test back" in fitted_on_the_test(HERE.data_digest, None, HERE)


def test_of_the_same_test_rows_and_of_other_data_nothing_is_said() -> None:
    assert fitted_on_the_test(HERE.data_digest, champion(params={"C": "2"}), HERE) == ""
    assert fitted_on_the_test("e" * 64, champion(seed=7, data_digest="e" * 64), HERE) == ""
    assert fitted_on_the_test("", None, HERE) == ""


def test_the_last_rows_are_held_back_from_whoever_holds_back_more_of_them() -> None:
    here = with_fields(HERE, split="time")
    assert fitted_on_the_test(HERE.data_digest, champion(split="time", seed=7, **held_back(500)), here) == ""
    said = fitted_on_the_test(HERE.data_digest, champion(split="time", **held_back(300)), here)
    assert "the last 300 rows, here 400" in said


@pytest.mark.parametrize(("blur", "status"), [(0.5, "passed"), (0.0, "failed")])
def test_no_degradation_says_that_the_champion_knew_rows_whether_it_passes_or_not(blur: float, status: str) -> None:
    made = evidence(champion_blur=blur)
    assert made.champion is not None
    if status == "failed":
        made = replace(made, scores=1 - made.scores)
    before = found(made, "no-degradation")
    assert "fitted" not in before.says
    told = found(
        replace(made, champion=replace(made.champion, fitted_on="the same data, seed 7 there")), "no-degradation"
    )
    said = "; version 1 was fitted on rows of this test, which favours it: the same data, seed 7 there"
    assert (told.status, told.says) == (before.status, before.says + said)
