"""How the model's score depends on one feature: what a report needs to say what a drift does to the model."""

from __future__ import annotations

import msgspec


class ScoreDependence(msgspec.Struct, frozen=True, kw_only=True):
    """Means over reference rows that the model was not trained on.

    bin_scores, bin_positives: mean score and share of positive decisions of the rows in each bin, shape (bins,); a bin
    without rows has the mean over all. missing_score, missing_positives: of the rows without a value.

    partial: the mean score of a sample when every row of it is given the value of a group, shape (groups,); None
    without a model to ask. partial_positives: the same of the share of positive decisions. at: numeric features: the
    groups' representative values, rising, the first below and the last above the reference's range; for levels one
    group for each bin and no `at`. partial_missing, partial_missing_positives: of "no value".
    sample_score, sample_positives: mean score and positive share of the untouched sample.
    """

    bin_scores: tuple[float, ...]
    missing_score: float
    bin_positives: tuple[float, ...] | None = None
    missing_positives: float | None = None
    at: tuple[float, ...] = ()
    partial: tuple[float, ...] | None = None
    partial_positives: tuple[float, ...] | None = None
    partial_missing: float | None = None
    partial_missing_positives: float | None = None
    sample_score: float | None = None
    sample_positives: float | None = None
