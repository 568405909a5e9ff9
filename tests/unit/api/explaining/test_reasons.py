"""Reasons say what moved the score, and which values the reference has nothing of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.explaining.reasons import Part, reasons
from contracts.baseline import Reference
from contracts.binning import Bins, Levels

AMOUNT = Reference.empty(Bins.fit(np.array([1.0, 50.0, 900.0])))
SHOP = Reference.empty(Levels(("books", "toys"), ("wine",)))


def said(*parts: Part, top: int = 5, unit: str = " log-odds") -> list[str]:
    return list(reasons(parts, top, unit))


def test_the_largest_is_said_to_be_the_largest_and_no_more_than_asked_for_are_said() -> None:
    parts = [Part("amount", 12.0, 1.21), Part("shop", "toys", -0.5), Part("age", 3.0, 0.1)]
    assert said(*parts, top=2) == [
        "amount = 12 raises the score (+1.21 log-odds), more than any other feature.",
        'shop = "toys" lowers the score (-0.5 log-odds).',
    ]


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (Part("age", None, -0.25), "age is missing, which lowers the score (-0.25 log-odds)."),
        (Part("member", True, 0.2), "member = true raises the score (+0.2 log-odds)."),
        (Part("shop", "wine", 0.2, 0.0, SHOP), 'shop = "wine" raises the score (+0.2 log-odds).'),
        (
            Part("shop", "zoo", 0.2, 0.0, SHOP),
            'shop = "zoo", a level that is not in the reference, raises the score (+0.2 log-odds).',
        ),
        (
            Part("amount", 912.3, 1.2, 0.0, AMOUNT),
            "amount = 912.3, outside the reference's range (1 to 900), raises the score (+1.2 log-odds).",
        ),
        (Part("amount", 900.0, 1.2, 0.0, AMOUNT), "amount = 900 raises the score (+1.2 log-odds)."),
        (Part("amount", 2.0, 0.5, 0.04), "amount = 2 raises the score (+0.5 ± 0.04 log-odds)."),
        (
            Part("amount", 2.0, 0.05, 0.04),
            "amount = 2 raises the score (+0.05 ± 0.04 log-odds), which may be chance of the sampling.",
        ),
    ],
)
def test_a_sentence_is_honest_about_its_value(part: Part, sentence: str) -> None:
    assert said(part) == [sentence]


def test_a_score_in_its_own_unit_names_none() -> None:
    assert said(Part("amount", 2.0, 0.5), unit="") == ["amount = 2 raises the score (+0.5)."]


@pytest.mark.parametrize("parts", [(), (Part("amount", 1.0, 0.0),)])
def test_where_nothing_moves_the_score_that_is_said(parts: Any) -> None:
    assert said(*parts) == ["No feature moves the score away from the base value."]


def test_a_feature_without_effect_is_no_reason() -> None:
    assert len(said(Part("amount", 1.0, 0.5), Part("age", 2.0, 0.0))) == 1


def test_long_texts_are_cut() -> None:
    (sentence,) = said(Part("note", "x" * 1000, 0.1))
    assert len(sentence) < 120
