"""How the model's score depends on one feature: what a report needs to say what a drift does to the model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import msgspec

from contracts.errors import InvalidBaseline


class ScoreDependence(msgspec.Struct, frozen=True, kw_only=True):
    """Means over reference rows that the model was not trained on.

    bin_scores, bin_positives: mean score and share of positive decisions (None without a threshold) of the rows in each
    run of neighbouring bins; run i starts at bin bin_starts[i] and ends where the next starts. The first starts at 0.
    missing_score, missing_positives: of the rows without a value; None where there are none.

    partial: the mean score of a sample when every row of it is given the same value; None without a model to ask.
    partial_positives: the same of the share of positive decisions. Numeric features: asked at the values `at`, rising,
    from below the reference's range to above it. Levels: one for each bin, None where there is no value to ask for;
    `at` is empty. partial_missing, partial_missing_positives: of "no value". sample_score, sample_positives: of the
    untouched sample. refused: what the model would not answer, and why, one sentence.
    """

    bin_starts: tuple[int, ...]
    bin_scores: tuple[float, ...]
    bin_positives: tuple[float, ...] | None = None
    missing_score: float | None = None
    missing_positives: float | None = None
    at: tuple[float, ...] = ()
    partial: tuple[float | None, ...] | None = None
    partial_positives: tuple[float | None, ...] | None = None
    partial_missing: float | None = None
    partial_missing_positives: float | None = None
    sample_score: float | None = None
    sample_positives: float | None = None
    refused: str = ""

    def __post_init__(self) -> None:
        _check(self.bin_starts[:1] == (0,), "its runs of bins must start with bin 0")
        _check(_rising(self.bin_starts), "its runs of bins must rise")
        _check(len(self.bin_scores) == len(self.bin_starts), "it needs one mean score for each run of bins")
        _check(_fits(self.bin_positives, self.bin_starts), "it needs one share of positives for each run of bins")
        _check(_rising(self.at), "the values that the model was asked at must rise")
        _check(not self.at or _fits(self.partial, self.at), "it needs one partial dependence for each value asked")
        _check(_fits(self.partial_positives, self.partial or ()), "partial_positives must go with partial")
        _check((self.partial is None) == (self.sample_score is None), "partial and sample_score go together")
        _check((self.partial_positives is None) == (self.sample_positives is None), "as do those of positives")
        numbers = [*self.bin_scores, *(self.bin_positives or ()), self.missing_score, self.missing_positives, *self.at]
        numbers += [*(self.partial or ()), *(self.partial_positives or ()), self.sample_score, self.sample_positives]
        numbers += [self.partial_missing, self.partial_missing_positives]
        _check(all(number is None or math.isfinite(number) for number in numbers), "a number of it is not finite")

    def check_bins(self, size: int, *, levels: bool) -> None:
        """Whether it fits a feature of so many bins. Raises InvalidBaseline."""
        _check(self.bin_starts[-1] < size, f"its runs of bins go beyond the {size} bins")
        if levels:
            _check(not self.at and (self.partial is None or len(self.partial) == size), "levels need one partial a bin")
        else:
            _check(self.partial is None or bool(self.at), "the values that the model was asked at are not there")


def _check(holds: bool, complaint: str) -> None:
    if not holds:
        raise InvalidBaseline(f"score dependence: {complaint}")


def _rising(numbers: Iterable[float]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


def _fits(numbers: tuple[float | None, ...] | None, to: tuple[object, ...]) -> bool:
    return numbers is None or len(numbers) == len(to)
