"""A score dependence that contradicts itself or its bins is refused when it is read, not when a window closes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from contracts.dependence import ScoreDependence
from contracts.errors import InvalidBaseline

WHOLE = ScoreDependence(
    bin_starts=(0, 2),
    bin_scores=(0.2, 0.3),
    bin_positives=(0.0, 0.5),
    missing_score=0.25,
    missing_positives=0.5,
    at=(-1.0, 0.0, 1.0),
    partial=(0.1, 0.2, 0.3),
    partial_positives=(0.0, 0.5, 1.0),
    partial_missing=0.2,
    partial_missing_positives=0.5,
    sample_score=0.2,
    sample_positives=0.5,
)
BINS, LEVELS = Bins((0.0, 1.0), 0.0, 0.5), Levels(("a",))


def changed(**fields: Any) -> ScoreDependence:
    return msgspec.structs.replace(WHOLE, **fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"bin_starts": (1, 2)}, "must start with bin 0"),
        ({"bin_starts": (), "bin_scores": ()}, "must start with bin 0"),
        ({"bin_starts": (0, 0)}, "must rise"),
        ({"bin_scores": (0.2,)}, "one mean score for each run"),
        ({"bin_positives": (0.2,)}, "one share of positives for each run"),
        ({"at": (0.0, 0.0, 1.0)}, "must rise"),
        ({"at": (0.0, 1.0)}, "for each value asked"),
        ({"partial": None}, "go"),
        ({"sample_score": None}, "partial and sample_score go together"),
        ({"partial_positives": (0.1,)}, "must go with partial"),
        ({"sample_positives": None}, "as do those of positives"),
        ({"bin_scores": (0.2, float("nan"))}, "not finite"),
        ({"partial": (0.1, float("inf"), 0.3)}, "not finite"),
        ({"partial_missing": float("-inf")}, "not finite"),
    ],
)
def test_one_that_contradicts_itself_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidBaseline, match=f"score dependence: .*{complaint}"):
        changed(**fields)


def test_one_that_does_not_fit_its_bins_is_refused() -> None:
    Reference(BINS, (1, 1, 1), dependence=WHOLE)
    with pytest.raises(InvalidBaseline, match="beyond the 3 bins"):
        Reference(BINS, (1, 1, 1), dependence=changed(bin_starts=(0, 3)))
    with pytest.raises(InvalidBaseline, match="levels need one partial a bin"):
        Reference(LEVELS, (1, 1, 1), dependence=WHOLE)
    of_levels = changed(at=(), bin_starts=(0, 1))
    Reference(LEVELS, (1, 1, 1), dependence=of_levels)
    with pytest.raises(InvalidBaseline, match="are not there"):
        Reference(BINS, (1, 1, 1), dependence=of_levels)


def test_one_that_is_read_is_held_against_its_bins_too() -> None:
    data = msgspec.json.encode(Reference(BINS, (1, 1, 1), dependence=WHOLE)).replace(b"[0,2]", b"[0,7]")
    with pytest.raises(msgspec.ValidationError, match="beyond the 3 bins"):
        msgspec.json.decode(data, type=Reference)
