"""What a baseline knows of how the score depends on a feature, against models whose answer is known."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from contracts.baseline import Reference
from contracts.binning import Bins, Levels
from contracts.dependence import ScoreDependence
from contracts.histogram import Histogram
from contracts.schema import Feature, FeatureSchema
from stream_app.drift.effect import model_effect
from training.baselines.bin_means import RUNS
from training.baselines.dependence import Judged, with_dependence
from training.baselines.histograms import count_references
from training.baselines.partial_dependence import FEWEST_ROWS, MOST_SCORED, SAMPLE_ROWS, Ask, Sample
from training.baselines.representatives import BEYOND, GROUPS, levels, numbers

SCHEMA = FeatureSchema((Feature("x", "numeric"), Feature("kind", "categorical"), Feature("flag", "boolean")))
KINDS = {"a": 0.1, "b": 0.2, "c": 0.4}
THRESHOLD = 0.5


def some_rows(rows: int = 4_000, seed: int = 3) -> pd.DataFrame:
    """x and kind go together: the higher x, the more of kind "b". A tenth has no x."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 1, rows)
    kind = np.where(draw.random(rows) < x, "b", "a")
    frame = pd.DataFrame({"x": x, "kind": pd.Series(kind, dtype="str"), "flag": (draw.random(rows) < 0.3) * 1.0})
    frame.loc[draw.random(rows) < 0.1, "x"] = np.nan
    return frame


def scores(frame: pd.DataFrame) -> np.ndarray:
    """x / 2 (.3 without it), and what the kind adds (.8 where it is not known)."""
    x = frame["x"].clip(-1, 2)
    return (x / 2).fillna(0.3).to_numpy() + frame["kind"].map(KINDS).fillna(0.8).to_numpy()


def told(frame: pd.DataFrame, ask: Ask | None = scores, threshold: float | None = THRESHOLD) -> dict[str, Reference]:
    counted = count_references(frame, SCHEMA, scores(frame), seed=0)
    found = with_dependence(counted, Judged(frame, scores(frame), threshold, ask), seed=0)
    return {**found.features, "score": found.score}


def of(reference: Reference) -> ScoreDependence:
    assert reference.dependence is not None
    return reference.dependence


def test_partial_dependence_is_what_the_model_says_when_one_feature_alone_is_set() -> None:
    found = of(told(some_rows())["x"])
    assert found.partial is not None
    assert found.sample_score is not None
    others = of(told(some_rows())["kind"]).sample_score
    assert others == found.sample_score
    slope = [mean for value, mean in zip(found.at, found.partial, strict=True) if 0 <= value <= 1]
    at = [value for value in found.at if 0 <= value <= 1]
    assert np.diff(slope) == pytest.approx(np.diff(at) / 2, abs=1e-5)
    assert found.partial_missing == pytest.approx(slope[0] - at[0] / 2 + 0.3, abs=1e-5)


def test_the_mean_score_of_a_bin_holds_what_comes_along_with_the_feature() -> None:
    frame = some_rows(40_000)
    found = of(told(frame)["x"])
    known = frame["x"].notna()
    slope = np.polyfit(frame["x"][known], scores(frame)[known], 1)[0]
    assert slope == pytest.approx(0.6, abs=0.01)  # .5 of x and .1 of the kind that goes with it
    assert found.bin_scores[-1] - found.bin_scores[0] == pytest.approx(slope, abs=0.05)
    assert found.missing_score == pytest.approx(scores(frame)[~known].mean(), abs=1e-5)


def test_levels_have_one_answer_each_the_rarer_ones_together_and_one_for_a_level_never_seen() -> None:
    reference = told(some_rows())["kind"]
    found = of(reference)
    assert isinstance(reference.bins, Levels)
    assert found.partial is not None
    by_level = dict(zip([*reference.bins.levels, "OTHER", "UNSEEN"], found.partial, strict=True))
    assert by_level["OTHER"] is None  # there are no rarer ones
    assert by_level["b"] - by_level["a"] == pytest.approx(0.1, abs=1e-5)  # type: ignore[operator]
    assert by_level["UNSEEN"] - by_level["a"] == pytest.approx(0.7, abs=1e-5)  # type: ignore[operator]


def test_rarer_levels_are_asked_about_as_they_are_mixed() -> None:
    bins = Levels(("a",), rest=("b", "c"))
    column = pd.Series(["a"] * 50 + ["b"] * 30 + ["c"] * 10, dtype="str")
    _, mixed, unseen = levels(bins, column, 10_000, np.random.default_rng(0))
    assert isinstance(mixed, np.ndarray)
    assert (mixed == "b").mean() == pytest.approx(0.75, abs=0.02)
    assert unseen not in {"a", "b", "c"}


def test_the_level_never_seen_is_never_one_of_the_references() -> None:
    bins = Levels(("never seen",), rest=("never seen!",))
    assert levels(bins, pd.Series(["never seen"], dtype="str"), 1, np.random.default_rng(0))[-1] == "never seen!!"


def test_a_boolean_has_two_answers_and_no_level_never_seen() -> None:
    found = of(told(some_rows())["flag"])
    assert found.partial is not None
    assert [answer is None for answer in found.partial] == [False, False, True, True]
    assert found.partial[0] == found.partial[1] == found.sample_score  # the model does not look at it


def test_values_asked_about_are_real_but_for_those_beyond_the_range() -> None:
    values = np.random.default_rng(1).lognormal(size=5_000)
    asked = numbers(Bins.fit(values), values)
    assert (np.diff(asked) > 0).all()
    inside = asked[(asked >= values.min()) & (asked <= values.max())]
    assert set(inside) <= set(values)
    assert {values.min(), values.max()} < set(inside)
    assert inside.size == GROUPS + 2
    assert asked[0] == pytest.approx(values.min() - BEYOND[1] * values.std())
    assert asked[-1] == pytest.approx(values.max() + BEYOND[1] * values.std())


def test_a_feature_of_few_values_is_asked_about_at_each_of_them() -> None:
    hours = np.repeat(np.arange(24.0), 10)
    assert set(range(24)) < set(numbers(Bins.fit(hours), hours).tolist())


@pytest.mark.parametrize("values", [[7.0] * 50, [0.0], [1e308, -1e308], [np.nan, 3.0], [5e-324, 0.0]])
def test_odd_features_are_asked_about_at_finite_rising_values(values: list[float]) -> None:
    asked = numbers(Bins.fit(np.array(values)), np.array(values))
    assert np.isfinite(asked).all()
    assert (asked[1:] > asked[:-1]).all()
    assert asked.size >= 3


def test_rows_that_do_not_hold_the_feature_leave_its_range_to_ask_about() -> None:
    bins = Bins.fit(np.array([1.0, 2.0, 5.0]))
    assert {1.0, 5.0} < set(numbers(bins, np.array([np.nan, np.nan])).tolist())


def refusing(what: str) -> Ask:
    def ask(frame: pd.DataFrame) -> np.ndarray:
        warnings.warn("strange rows", UserWarning, stacklevel=1)
        x, kind = frame["x"], frame["kind"]
        refused = {
            "no value": x.isna().any(),
            "values out of range": (x < 0).any() or (x > 1).any(),
            "an unseen level": (~kind.isin(list(KINDS)) & kind.notna()).any(),
            "everything": len(frame) > 0,
        }
        if refused[what]:
            raise RuntimeError("I do not take\nthat")
        return scores(frame)

    return ask


@pytest.mark.parametrize(
    ("what", "feature"), [("no value", "x"), ("values out of range", "x"), ("an unseen level", "kind")]
)
def test_what_a_model_refuses_has_no_answer_and_a_reason_and_the_rest_has_answers(what: str, feature: str) -> None:
    rows = some_rows().dropna(ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none may reach the user
        found = of(told(rows, refusing(what))[feature])
    whole = of(told(rows)[feature])
    assert found.refused == f"{what} (RuntimeError: I do not take that)"
    assert found.partial is not None
    assert whole.partial is not None
    if what == "no value":
        assert (found.partial, found.partial_missing) == (whole.partial, None)
    elif what == "an unseen level":
        assert found.partial == (*whole.partial[:-1], None)
    else:
        assert found.at == whole.at[2:-2]
        assert found.partial == whole.partial[2:-2]


def test_a_model_that_refuses_everything_leaves_the_means_of_the_bins() -> None:
    found = of(told(some_rows(), refusing("everything"))["x"])
    assert found.partial is None
    assert found.bin_scores == of(told(some_rows())["x"]).bin_scores
    assert "I do not take that" in found.refused


def test_an_answer_that_is_no_number_is_no_answer() -> None:
    found = of(told(some_rows(), lambda frame: np.where(frame["x"].isna(), np.nan, scores(frame)))["kind"])
    assert found.partial is None
    assert "its answer is nan" in found.refused


def test_without_a_model_there_are_the_means_of_the_bins_only() -> None:
    found = of(told(some_rows(), None)["x"])
    assert (found.partial, found.at, found.sample_score, found.refused) == (None, (), None, "")
    assert 30 < len(found.bin_scores) <= RUNS


def test_without_a_threshold_nothing_is_said_of_positives() -> None:
    found = of(told(some_rows(), threshold=None)["x"])
    assert (found.bin_positives, found.partial_positives, found.sample_positives) == (None, None, None)
    assert found.partial is not None


@pytest.mark.parametrize("threshold", [None, 0.55])
def test_the_scores_own_effect_is_the_change_of_its_mean(threshold: float | None) -> None:
    frame = some_rows(20_000)
    reference = told(frame, None, threshold)["score"]
    before = scores(frame)
    far, near = 0.02, 0.002  # of scores that the reference never had only the bin is known
    for after, error in ((before[before > 0.4], near), (np.full(500, 1.0), near), (before + 0.1, far)):
        window = Histogram(reference.bins)
        window.add(after)
        effect = model_effect(reference, window, None)
        assert effect is not None
        assert effect.if_data_broke is None
        assert effect.expected.score == pytest.approx(after.mean() - before.mean(), abs=error)
        if threshold is None:
            assert effect.expected.positives is None
        else:
            positives = (after >= threshold).mean() - (before >= threshold).mean()
            assert effect.expected.positives == pytest.approx(positives, abs=error)


def test_the_sample_is_smaller_where_many_values_are_asked() -> None:
    frame = some_rows(5_000)
    assert Sample(frame, scores, None, 600, 0).rows == SAMPLE_ROWS
    assert Sample(frame, scores, None, 10 * MOST_SCORED, 0).rows == FEWEST_ROWS
    assert Sample(frame.head(30), scores, None, 600, 0).rows == 30


def test_the_same_seed_asks_about_the_same_rows() -> None:
    assert told(some_rows()) == told(some_rows())
