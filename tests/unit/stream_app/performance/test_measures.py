"""Measures of binned scores against scikit-learn on the raw ones, and intervals against repeated samples."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from sklearn import metrics as oracle

from contracts.baseline import Baseline, Reference
from contracts.binning import Bins
from contracts.histogram import Histogram
from contracts.outcomes import Costs, Outcomes
from stream_app.performance.measures import Measures, measures
from tests.builders import a_baseline
from tests.performance import Rows, a_judged_baseline, chances, counted
from training.baselines.outcomes import with_outcomes, with_residuals
from training.evaluation.measures import evaluate

Draw = Callable[[int, int], Rows]


def drawn(scores: Callable[[np.random.Generator, int], np.ndarray]) -> Draw:
    """Scores, and truths with those chances."""

    def draw(rows: int, seed: int) -> Rows:
        rng = np.random.default_rng(seed)
        score = scores(rng, rows)
        return score, (rng.random(rows) < score).astype(np.int64)

    return draw


def parted(rows: int, seed: int) -> Rows:
    """A model that is never wrong."""
    rng = np.random.default_rng(seed)
    truths = (rng.random(rows) < 0.1).astype(np.int64)
    return np.where(truths == 1, 0.6 + 0.4 * rng.random(rows), 0.6 * rng.random(rows)), truths


def useless(rows: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return rng.random(rows), (rng.random(rows) < 0.3).astype(np.int64)


DISTRIBUTIONS: dict[str, Draw] = {
    "uniform": drawn(lambda rng, n: rng.random(n)),
    "separating": drawn(lambda rng, n: 1 / (1 + np.exp(-rng.normal(0, 3, n)))),
    "2 % positive": drawn(lambda rng, n: 1 / (1 + np.exp(-rng.normal(-5, 1.7, n)))),
    "0.5 % positive": drawn(lambda rng, n: 1 / (1 + np.exp(-rng.normal(-7, 1.8, n)))),
    "seven values": drawn(lambda rng, n: rng.integers(0, 7, n) / 7),
    "two decimals": drawn(lambda rng, n: np.round(rng.beta(1, 6, n), 2)),
    "half are zero": drawn(lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, rng.beta(1, 3, n))),
    "useless": useless,
    "never wrong": parted,
}


def merged_to(baseline: Baseline, bins: int) -> Baseline:
    """With so many score bins at most, evenly thinned."""
    assert isinstance(baseline.score.bins, Bins)
    edges = baseline.score.bins.edges
    keep = sorted({round(i) for i in np.linspace(0, len(edges) - 1, bins - 1)})
    fewer = Bins(tuple(edges[i] for i in keep), baseline.score.bins.lowest, baseline.score.bins.highest)
    return msgspec.structs.replace(baseline, score=Reference.of(Histogram(fewer)), outcomes=None)


def measured(baseline: Baseline, rows: Rows) -> dict[str, float]:
    return {name: found.value for name, found in measures(baseline, counted(baseline, rows).value()).items()}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("bins", [None, 200])
def test_binned_auc_and_average_precision_are_scikit_learns_within_two_thousandths(name: str, bins: int | None) -> None:
    draw = DISTRIBUTIONS[name]
    baseline = a_judged_baseline(*draw(20_000, 1))
    for rows, seed in ((20_000, 2), (50_000, 3)):
        scores, truths = draw(rows, seed)
        found = measured(baseline if bins is None else merged_to(baseline, bins), (scores, truths))
        assert found["auc"] == pytest.approx(oracle.roc_auc_score(truths, scores), abs=0.0005)
        assert found["average_precision"] == pytest.approx(oracle.average_precision_score(truths, scores), abs=0.002)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_of_a_thousand_rows_the_error_is_small_against_what_chance_makes_of_them(name: str) -> None:
    draw = DISTRIBUTIONS[name]
    baseline = a_judged_baseline(*draw(20_000, 1))
    for seed in range(2, 6):
        scores, truths = draw(1_000, seed)
        found = measures(baseline, counted(baseline, (scores, truths)).value())
        for measure, exact in (("auc", oracle.roc_auc_score), ("average_precision", oracle.average_precision_score)):
            interval = found[measure].interval
            allowed = max(0.002, (interval.high - interval.low) / 10)
            assert found[measure].value == pytest.approx(exact(truths, scores), abs=allowed)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_log_loss_and_brier_score_are_scikit_learns(name: str) -> None:
    draw = DISTRIBUTIONS[name]
    baseline = a_judged_baseline(*draw(20_000, 1))
    scores, truths = draw(20_000, 2)
    found = measured(baseline, (scores, truths))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(truths, scores), abs=0.001)
    assert found["brier"] == pytest.approx(oracle.brier_score_loss(truths, scores), abs=0.0002)


@pytest.mark.parametrize("name", ["uniform", "2 % positive", "seven values"])
def test_measures_of_decisions_are_exact(name: str) -> None:
    draw = DISTRIBUTIONS[name]
    scores, truths = draw(20_000, 1)
    baseline = a_judged_baseline(scores, truths, threshold=float(np.quantile(scores, 0.9)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = evaluate(truths, scores, baseline.threshold or 0.0)
    found = measured(baseline, (scores, truths))
    for measure in ("precision", "recall", "f1"):
        for value in (0, 1):
            assert found[f"{measure}_{value}"] == pytest.approx(exact[f"{measure}_{value}"], abs=1e-12)


def test_the_cost_is_the_mean_over_decisions_of_what_each_outcome_costs() -> None:
    scores, truths = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 1, 0, 1])
    costs = Costs(false_positive=3.0, false_negative=10.0, true_positive=-1.0)
    baseline = msgspec.structs.replace(a_judged_baseline(scores, truths, threshold=0.5), costs=costs)
    assert measured(baseline, (scores, truths))["cost"] == (3 + 10 - 1) / 4


def test_without_costs_or_decisions_they_are_not_measured() -> None:
    scores, truths = DISTRIBUTIONS["uniform"](1_000, 1)
    assert "cost" not in measured(a_judged_baseline(scores, truths), (scores, truths))
    assert "recall_1" not in measured(a_judged_baseline(scores, truths, threshold=None), (scores, truths))


def test_scores_that_are_no_probabilities_are_ranked_and_nothing_else() -> None:
    scores, truths = chances(5_000, 1)
    margins = 7 * scores - 3
    found = measured(a_judged_baseline(margins, truths, threshold=None), (margins, truths))
    assert set(found) == {"auc", "average_precision"}
    assert found["auc"] == pytest.approx(oracle.roc_auc_score(truths, margins), abs=0.0005)


@pytest.mark.parametrize("truth", [0, 1])
def test_of_one_truth_alone_nothing_is_said_that_needs_both(truth: int) -> None:
    scores, truths = chances(5_000, 1)
    baseline = a_judged_baseline(scores, truths)
    found = measured(baseline, (scores, np.full(5_000, truth)))
    assert not {"auc", "average_precision"} & set(found)
    assert found["brier"] == pytest.approx(((scores - truth) ** 2).mean(), abs=0.001)
    nothing = (0,) * baseline.score.bins.size
    assert measures(baseline, Outcomes(nothing, nothing)) == {}


def test_the_calibration_error_is_that_of_many_rows_and_not_of_chance() -> None:
    baseline = a_judged_baseline(*chances(20_000, 1))
    few = [measured(baseline, chances(1_000, seed))["calibration_error"] for seed in range(2, 22)]
    off = [measured(baseline, chances(1_000, seed, shift=0.5))["calibration_error"] for seed in range(2, 22)]
    scores, truths = chances(1_000_000, 99, shift=0.5)
    groups = np.searchsorted(np.quantile(scores, np.arange(1, 10) / 10), scores)
    exact = sum(abs(truths[groups == g].mean() - scores[groups == g].mean()) / 10 for g in range(10))
    naive = np.mean(
        [
            sum(abs(t[g].mean() - s[g].mean()) / 10 for g in np.array_split(np.argsort(s), 10))
            for s, t in (chances(1_000, seed) for seed in range(2, 22))
        ]
    )
    assert np.mean(few) < 0.5 * naive
    assert np.mean(off) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(
    ("draw", "rows"),
    [("uniform", 300), ("2 % positive", 2_000), ("seven values", 500), ("half are zero", 500), ("useless", 500)],
)
def test_intervals_hold_the_true_value_in_about_95_of_100_samples(draw: str, rows: int) -> None:
    """Truth: the same measure of two million rows. Of 400 samples, whose own standard error is 1.1 points. With some
    fifty positives (2 % of 2,000) the intervals of AUC and average precision are a little narrow: 91 % were seen."""
    many = DISTRIBUTIONS[draw](2_000_000, 1)
    threshold = float(np.quantile(many[0], 0.8))
    baseline = msgspec.structs.replace(
        a_judged_baseline(*DISTRIBUTIONS[draw](20_000, 2), threshold=threshold), costs=Costs(false_negative=5.0)
    )
    truth = measured(baseline, many)
    held = dict.fromkeys(truth, 0)
    for seed in range(400):
        found: Measures = measures(baseline, counted(baseline, DISTRIBUTIONS[draw](rows, seed + 10)).value())
        for name in held:
            if name in found:
                low, high = found[name].interval
                held[name] += low <= truth[name] <= high
    held.pop("calibration_error")  # its interval is wide on purpose where scores are right: it is cut at 0
    assert {name: count / 400 for name, count in held.items() if not 0.9 <= count / 400 <= 0.99} == {}


@pytest.mark.parametrize("noise", [0.5, 0.2, 0.1])
def test_a_regressions_measures_are_right_to_a_hundredth(noise: float) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(100, 10, 20_000)
    predicted = truth + rng.normal(0.3 * noise, noise, 20_000) * 10
    baseline = with_residuals(a_baseline(scores=predicted, threshold=None), predicted, truth)
    found = measured(baseline, (predicted, truth))
    size = oracle.root_mean_squared_error(truth, predicted)
    assert found["mae"] == pytest.approx(oracle.mean_absolute_error(truth, predicted), abs=0.01 * size)
    assert found["rmse"] == pytest.approx(size, abs=0.01 * size)
    assert found["bias"] == pytest.approx((predicted - truth).mean(), abs=0.01 * size)


def test_counting_in_parts_gives_the_same_measures() -> None:
    scores, truths = chances(5_000, 1)
    baseline = with_outcomes(a_judged_baseline(scores, truths), scores, truths)
    whole, parts = counted(baseline, (scores, truths)), counted(baseline, (scores[:1000], truths[:1000]))
    parts.merge(counted(baseline, (scores[1000:], truths[1000:])))
    assert measures(baseline, whole.value()) == measures(baseline, parts.value())
