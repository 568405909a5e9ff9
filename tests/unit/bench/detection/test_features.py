"""The twenty features: what is drawn row by row has the distribution that is stated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.detection.features import FEATURES, SCHEMA, SCORE, Mixed, NumericFeature, columns
from contracts.binning import Bins, Levels
from contracts.histogram import Histogram

ROWS = 200_000


@pytest.mark.parametrize("feature", [*FEATURES, SCORE], ids=lambda feature: feature.name)
def test_counts_of_drawn_rows_fit_the_stated_masses_of_the_bins(feature: Mixed) -> None:
    rng = np.random.default_rng(11)
    fitted = feature.column(rng, 20_000)
    if isinstance(feature, NumericFeature):
        bins = Bins.fit(np.asarray(fitted, dtype=np.float64))
        masses = feature.masses(bins)
        histogram = Histogram(bins)
    else:
        levels = Levels.fit(fitted.tolist())
        masses = feature.masses(levels)
        histogram = Histogram(levels)
    histogram.add(feature.column(rng, ROWS))

    assert masses.sum() == pytest.approx(1)
    assert histogram.missing / ROWS == pytest.approx(feature.missing, abs=0.005)
    assert not histogram.counts[masses == 0].any()
    expected = masses * histogram.known
    large = expected >= 5
    seen = np.append(histogram.counts[large], histogram.counts[~large].sum())
    due = np.append(expected[large], expected[~large].sum())
    if (due > 0).sum() > 1:
        assert stats.chisquare(seen[due > 0], due[due > 0]).pvalue > 1e-4


def test_the_schema_has_twenty_features_of_every_kind_that_the_figures_are_stated_for() -> None:
    assert len(SCHEMA.features) == len(FEATURES) == 20
    assert {feature.kind for feature in FEATURES} == {"numeric", "categorical", "boolean"}
    assert {feature.missing for feature in FEATURES} == {0.0, 0.01, 0.40}
    assert max(len(feature.levels) for feature in FEATURES if not isinstance(feature, NumericFeature)) == 500


def test_the_same_generator_draws_the_same_rows() -> None:
    for first, second in zip(columns(np.random.default_rng(3), 50), columns(np.random.default_rng(3), 50), strict=True):
        assert np.array_equal(first, second, equal_nan=first.dtype != object)
